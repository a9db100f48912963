# SIGTERM ends the super peer within seconds, also where the resolver is mute:
# it is asked for a tracker and for a CDN node, and never answers.

use v5.36;
use Shoal::Test;
use Shoal::FakeTracker qw(fake_tracker);
use Shoal::SuperPeer ();
use IO::Socket::IP;

skip_test('another resolv.conf needs root') if $> != 0;
my ($st) = run_cmd(qw(unshare -m true));
skip_test('no mount namespaces here') if $st ne '0';
my $mute = IO::Socket::IP->new(LocalHost => '127.0.0.53', LocalPort => 53,
    Proto => 'udp') or skip_test('port 53 is not free');

my $cdn = cdn(nodes => 1, limit_rate => '1m');
$cdn->file('a.bin', 20_000_000);
my $t = fake_tracker();
my $sp = Shoal::SuperPeer->new(cdn => $cdn, trackers => [ $t->conf,
    { url => 'http://tracker.mute.example.com/control' } ],
    origins => ['http://*.mute.example.com']);
$sp->write_conf;
my $conf = spew(tmpdir('mute') . '/resolv.conf',
    "nameserver 127.0.0.53\noptions timeout:30 attempts:5\n");

sub begin() {
    $t->clear;
    $sp->{process} = start_cmd({ env => { san_env() }, name => 'sp' },
        'unshare', '-m', 'sh', '-c',
        'mount --bind "$1" /etc/resolv.conf && exec "$2" -c "$3"', 'sh',
        tmpdir('mute') . '/resolv.conf', program('superpeer'), $sp->conf);
    wait_for { grep { ($_->{args}{full} // '') eq 'last' } $t->calls } 10,
        'its announcement';
}

sub ends($what) {
    my $begun = now;
    is($sp->stop, 0, "$what: status 0");
    cmp_ok(now - $begun, '<', deadline(5), "$what: within 5 s");
}

begin();
my $id = $t->prepare($cdn->url('a.bin'), 20_000_000, 'mtime:1700000000');
$t->prepare('http://cdn.mute.example.com/x', 1000);
$t->wait_line(qr/^~$id [1-9]/);
wait_for { $sp->stderr =~ /mute\.example\.com\/x: begins/ } 10, 'the other';
wait_for { $mute->recv(my $query, 512); $query =~ /\x04mute\x07example/ } 5,
    'the resolver to be asked';
ends('two mute look-ups and a transfer');
unlike($sp->stderr, qr/half/, 'and nothing is left behind');

begin();
$t->wait_line(qr/^~$id [1-9]/);
pass('what was fetched is there');
my ($held) = $sp->stderr =~ / $id prefetch: goes on with (\d+) /;
cmp_ok($held // 0, '>', 0, 'and gone on with');
ends('again');

finish();
