# The block server over TLS: the tracker is told https, -t finds what is wrong
# with the files, SIGHUP takes a new certificate without a lost connection.

use v5.36;
use Shoal::Test;
use Shoal::FakeTracker qw(fake_tracker);

my $dir = tmpdir('tls');

sub openssl(@args) {
    my ($st, $out, $err) = run_cmd({ cwd => $dir }, 'openssl', @args);
    die "openssl @args: $err\n" if $st;
}

sub certificate($name, $key = undef) {
    $key //= "$name.key";
    openssl(qw(req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes
        -days 2 -keyout), $key, '-out', "$name.pem", '-subj', "/CN=$name",
        '-addext', 'subjectAltName=IP:127.0.0.21');
}
certificate($_) for qw(one two);

my $cdn = cdn(nodes => 1);
my $size = 3_000_000;
my $path = $cdn->file('a.bin', $size);
my $t = fake_tracker();
my $sp = Shoal::SuperPeer->new(addr => '127.0.0.21', cdn => $cdn,
    trackers => [ $t->conf ], settings => {
        tls => { certificate => "$dir/now.pem", key => "$dir/now.key" } });

sub install($cert, $key) {
    spew("$dir/now.pem", slurp("$dir/$cert.pem"));
    spew("$dir/now.key", slurp("$dir/$key.key"));
}

sub test_conf($name, $want) {
    my ($status, $out, $err) = $sp->run_bad('-t');
    is($status, 2, "$name: refused");
    like($err, qr/superpeer\.yaml:\d+: tls: $want/, $name);
}
install(qw(one one));
$sp->write_conf;
is(($sp->run_bad('-t'))[0], 0, '-t: good');
install(qw(one two));
test_conf('another key', qr{\S+/now\.key: not the key of the certificate in \S+/now\.pem$}m);
spew("$dir/now.pem", "rubbish\n");
test_conf('no certificate', qr{\S+/now\.pem: \S+}m);
unlink "$dir/now.pem";
test_conf('no file', qr{\S+/now\.pem: \S+}m);
my $conf = slurp($sp->conf);
spew($sp->conf, $conf =~ s/^ +key: .*now\.key\n//mr);
test_conf('no key', qr/expected certificate and key, given one of them$/m);

install(qw(one one));
$sp->start;
my $id = $t->prepare($cdn->url('a.bin'), $size);
$t->wait_line(qr/^\+$id /);
my @calls = $t->calls;
is(scalar(grep { ($_->{args}{scheme} // '') ne 'https' } @calls), 0,
   'the tracker is told https') if ok(@calls > 0, 'calls');

my $base = 'https://' . $sp->authority . "/blocks/$id";
sub curl($ca, @args) {
    return run_cmd({ deadline => 30 }, 'curl', '-sS', '--noproxy', '*',
        '--cacert', "$dir/$ca.pem", @args);
}
my ($status, $out, $err) = curl('one', '-o', "$dir/got", $base);
is($status, 0, 'served') or diag $err;
ok(slurp("$dir/got") eq slurp($path), 'every byte');
is((curl('two', '-o', "$dir/got", $base))[0], 60, 'by this certificate alone');
is((curl('one', '--tls-max', '1.1', $base))[0] ? 1 : 0, 1, 'not by TLS 1.1');
is((run_cmd({ deadline => 30 }, 'curl', '-sS', '--noproxy', '*',
    $base =~ s/^https/http/r))[0] ? 1 : 0, 1, 'not without TLS');

like(http(GET => $sp->status_url('/metrics'))->{body},
    qr/^shoal_superpeer_failed_handshakes_total [1-9]/m, 'both are counted');

# A new certificate in the middle of a download.
my $slow = Shoal::Process->start(name => 'curl', cmd => [ 'curl', '-sS',
    '--noproxy', '*', '--cacert', "$dir/one.pem", '--limit-rate', '1M', '-o',
    "$dir/slow", $base ]);
wait_for { -s "$dir/slow" } 10, 'its first bytes';
sub hup($how) {
    my $before = length $sp->stderr;
    kill HUP => $sp->pid;
    wait_for { substr($sp->stderr, $before) =~ /reload: $how$/m } 10,
        "reload: $how";
    return substr $sp->stderr, $before;
}
install(qw(two two));
hup('done');
is((curl('two', '-o', "$dir/got", $base))[0], 0, 'SIGHUP: the new one');
ok(slurp("$dir/got") eq slurp($path), 'every byte');
is($slow->wait(30), 0, 'the download went on');
ok(slurp("$dir/slow") eq slurp($path), 'its bytes');

# A bad one.
install(qw(one two));
my $said = hup('nothing was changed');
like($said, qr/now\.key: not the key of the certificate/, 'says why');
is((curl('two', '-o', "$dir/got", $base))[0], 0, 'the old one is kept');

finish();
