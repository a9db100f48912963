# A tracker that is dead, mute, gone in mid-wait or restarted costs nothing.

use v5.36;
use Shoal::Test;
use IO::Socket::IP;
use JSON::PP qw(decode_json);

my $size = 6 * 1048576;
my $s = stage(nodes => 3, superpeers => 1, delay => '5s',
    limit_rate => '2m', tracker => { peers => 'tracker_early off;' });
my $cdn = $s->cdn;
my $path = $cdn->file('t.bin', $size, 1);
my $fast = $cdn->file('fast.bin', 100_000, 2);

sub with_tracker($url, $name, $want = $path) {
    my $r = shoal($cdn->client_args, '--tracker', $url,
        $cdn->url($want =~ s{.*/}{}r));
    download_ok($r, $want, $name);
    return $r;
}

my $port = free_port('127.0.0.3');
with_tracker("http://127.0.0.3:$port/peers", 'nobody listens');
my $mute = IO::Socket::IP->new(LocalHost => '127.0.0.3', LocalPort => $port,
    Listen => 5, ReuseAddr => 1) or die $@;
my $r = with_tracker("http://127.0.0.3:$port/peers", 'it never answers', $fast);
cmp_ok($r->{seconds}, '<', deadline(2), 'nobody waits for it');
# Nothing needs the blocks' hashes then, unless there is much to read again
# when it does answer.
my $large = $cdn->file('large.bin', 64 << 20, 3);
$cdn->set(limit_rate => '');
for ([ $fast, 'none' ], [ $large, 'all' ]) {
    my ($want, $hashed) = @$_;
    my $file = tmpdir() . "/$hashed.json";
    download_ok(shoal($cdn->client_args, '--report', $file, '--tracker',
        "http://127.0.0.3:$port/peers", $cdn->url($want =~ s{.*/}{}r)), $want,
        "hashed: $hashed");
    my $root = decode_json(slurp($file))->{files}[0]{root};
    is(defined $root ? 'all' : 'none', $hashed, 'blocks that were hashed');
}
$cdn->set(limit_rate => '2m');
close $mute;
with_tracker('http://no-such-host.invalid/peers', 'its name does not resolve');

# The download is over before the tracker answers.
$r = $s->get('fast.bin');
download_ok($r, $fast, 'a small file');
cmp_ok($r->{seconds}, '<', deadline(2), 'the delay is not waited for');

# Reloaded, killed, restarted in mid-wait.
for my $what (qw(reload kill9 restart)) {
    my $name = "$what.bin";
    my $want = $cdn->file($name, $size, $what);
    my $p = $s->get_start($name);
    wait_for { $cdn->bytes(uri => "/$name") || -e "$p->{dir}/$name.part"
        || !$p->alive } 10, 'the download to begin';
    $s->tracker->$what;
    is($p->wait(30), 0, "tracker: $what");
    same_file("$p->{dir}/$name", $want, 'content');
    $s->tracker->start if $what eq 'kill9';
}

# After its restart the tracker hears again what is held.
$s->tracker->restart;
my $answer = $s->wait_ready('restart.bin');
is(@{ $answer->{super} }, 1, 'announced again after a restart');

finish();
