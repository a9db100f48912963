# Super peers show who they are: a bearer token from the file or of a file,
# or a client certificate; without, the tracker hears nothing of them.

use v5.36;
use Shoal::Test;

my $cdn = cdn(nodes => 1);
my $dir = tmpdir('tls');

# Authority, the tracker's and the super peer's certificate.
sub openssl(@args) {
    my ($st, $out, $err) = run_cmd({ cwd => $dir }, 'openssl', @args);
    die "openssl @args: $err\n" if $st;
}
openssl(qw(req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ca
    -keyout ca.key -out ca.pem));
for my $who (['tracker', 'subjectAltName=IP:127.0.0.2,DNS:tracker.example.com'], ['sp3', '']) {
    my ($name, $ext) = @$who;
    spew("$dir/$name.ext", "$ext\n");
    openssl(qw(req -newkey rsa:2048 -nodes -subj), "/CN=$name", '-keyout',
        "$name.key", '-out', "$name.csr");
    openssl(qw(x509 -req -CA ca.pem -CAkey ca.key -CAcreateserial -days 2
        -in), "$name.csr", '-out', "$name.pem", '-extfile', "$name.ext");
}

my $tls = free_port('127.0.0.2');
my $t = tracker(origin => $cdn->host, http => <<"EOC");
    server {
        listen 127.0.0.2:$tls ssl;
        ssl_certificate $dir/tracker.pem;
        ssl_certificate_key $dir/tracker.key;
        ssl_client_certificate $dir/ca.pem;
        ssl_verify_client optional;
        location = /control {
            if (\$ssl_client_verify != SUCCESS) {
                return 403;
            }
            tracker_control swarm;
            tracker_register on;
        }
    }
EOC

sub peer($name, %tracker) {
    return superpeer(name => $name, cdn => $cdn, trackers => [ \%tracker ]);
}
# By a name, for which the connection is pinned to an address.
sub named($name, $host) {
    return superpeer(name => $name, cdn => $cdn, resolve => ["$host:$tls:127.0.0.2"],
        trackers => [ { url => "https://$host:$tls/control", ca => "$dir/ca.pem",
            certificate => "$dir/sp3.pem", key => "$dir/sp3.key" } ]);
}
sub state_of($sp) { return $sp->status->{trackers}[0] }
sub refused($sp) {
    return wait_for { state_of($sp)->{error} || undef } 10, 'an error';
}

my $file = spew("$dir/token", "sesame\n");
my $sp1 = peer('sp1', url => $t->control_url, token => 'sesame');
my $sp2 = peer('sp2', url => $t->control_url, token_file => $file);
my $sp3 = peer('sp3', url => "https://127.0.0.2:$tls/control",
    certificate => "$dir/sp3.pem", key => "$dir/sp3.key",
    ca => "$dir/ca.pem");
my $wrong = peer('wrong', url => $t->control_url, token => 'simsim');
my $none  = peer('none', url => $t->control_url);
my $plain = peer('plain', url => "https://127.0.0.2:$tls/control",
    ca => "$dir/ca.pem");
my $other = peer('other', url => "https://127.0.0.2:$tls/control",
    certificate => "$dir/sp3.pem", key => "$dir/sp3.key");

my $right = named('right', 'tracker.example.com');
my $false = named('false', 'other.example.com');

$_->wait_connected for $sp1, $sp2, $sp3, $right;
pass('token, token file, client certificate: connected');
like(state_of($_)->{epoch}, qr/^[0-9a-f]{16}$/, $_->name . ': epoch')
    for $sp1, $sp2, $sp3, $right;
$right->stop;
like(refused($false), qr/certificate|no alternative/i, 'a name that the certificate is not for');
ok(!state_of($false)->{connected}, 'not connected');
$false->stop;

like(refused($_), qr/HTTP status 403/, $_->name . ': 403')
    for $wrong, $none, $plain;
like(refused($other), qr/certificate/i, 'other: tracker not verified');
for my $sp ($wrong, $none, $plain, $other) {
    ok(!state_of($sp)->{connected}, $sp->name . ': not connected');
    like($sp->stderr, qr/ warn - tracker http\S+: /, 'and says so');
}

# Not every attempt: one line, not one a second.
my @lines = $wrong->stderr =~ /HTTP status 403/g;
is(scalar @lines, 1, 'once');
unlike(join('', map { $_->stderr } $sp1, $wrong), qr/sesame|simsim/,
       'no token in any log');

# All three are given work.
$cdn->file('a.bin', 300_000);
my %seen;
my $n = 0;
wait_for {
    my $name = 'f' . $n++ . '.bin';
    $cdn->file($name, 200_000, $n);
    $t->ask(url => $cdn->url($name), size => 200_000);
    $seen{$_->name} ||= @{ $_->status->{sets} } for $sp1, $sp2, $sp3;
    (grep { $_ } values %seen) == 3;
} 20, 'all three to be told to prepare';
pass('work for all three');
is(scalar @{ $_->status->{sets} }, 0, $_->name . ': none')
    for $wrong, $none, $plain, $other;

finish();
