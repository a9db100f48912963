# SIGTERM ends the super peer within five seconds, whatever stands in the way;
# the tracker hears of it, and what was fetched is there at the next start.

use v5.36;
use Shoal::Test;
use Shoal::FakeTracker qw(fake_tracker);
use Shoal::SuperPeer ();
use Socket qw(SOL_SOCKET SO_RCVBUF);

my $mib = 1048576;
my $big = 192 * $mib;
my $cdn = cdn(nodes => 1);
$cdn->file('big.bin', $big);
my $slow_path = $cdn->file('slow.bin', 16 * $mib, 2);
my $hangs = Shoal::BadNode->new(addr => '127.0.0.15', port => $cdn->port, hang => 1)->start;
my $real = fake_tracker();
my $mute = fake_tracker(addr => '127.0.0.4');
my $sp = superpeer(cdn => $cdn, trackers => [ $real->conf, $mute->conf ],
    cache_size => '1GiB', origins => [ 'http://hangs.example.com:' . $cdn->port ],
    resolve => [ 'hangs.example.com:' . $cdn->port . ':127.0.0.15' ]);

my $id = $real->prepare($cdn->url('big.bin'), $big, 'mtime:1700000000');
$real->wait_line(qr/^\+$id /, 60);

# Readers that take nothing.
my @stalled;
for (1 .. 20) {
    my $s = IO::Socket::IP->new(PeerHost => $sp->addr, PeerPort => $sp->port)
        or die "connect: $@\n";
    setsockopt $s, SOL_SOCKET, SO_RCVBUF, 4096;
    syswrite $s, "GET /blocks/$id HTTP/1.1\r\nHost: sp\r\n\r\n";
    push @stalled, $s;
}
wait_for { $sp->status->{serve}{active} == 20 } 10, 'readers that stall';

# A CDN node that hangs, one that is slow, and a tracker that does not answer.
$cdn->set(limit_rate => '2m');
my $slow = $real->prepare($cdn->url('slow.bin'), 16 * $mib, 'mtime:1700000000');
$real->prepare('http://hangs.example.com:' . $cdn->port . '/x', 1000);
$real->wait_line(qr/^~$slow [1-9]/, 30);
wait_for { $sp->stderr =~ m{hangs\.example\.com:\d+/x: begins} } 10, 'the one that hangs';
$mute->misbehave('hang');

# And a large set whose deletion has just begun: another version of its URL.
$cdn->file('big.bin', $big / 2, 3);
$real->prepare($cdn->url('big.bin'), $big / 2);
wait_for { $sp->stderr =~ / $id cache: deleted: replaced/ } 15, 'the deletion to begin';

my $begun = now;
is($sp->stop, 0, 'status 0');
my $took = now - $begun;
note(sprintf 'ended after %.2f s', $took);
cmp_ok($took, '<', deadline(5), 'within five seconds');
my ($last) = grep { $_->{args}{event} } $real->calls;
is($last->{args}{event}, 'stopped', 'the tracker that answers heard of it');
like($sp->stderr, qr/ warn - tracker \S+127\.0\.0\.4\S+ told that it stops: /,
    'the other one was tried');

# Nothing is half: what is said to be there is right, and the rest goes on.
$mute->misbehave('');
$cdn->set(limit_rate => '500m');
$real->clear;
$sp->start;
$real->wait_line(qr/^\+$slow /, 30);
my ($held) = $sp->stderr =~ / $slow prefetch: goes on with (\d+) /;
cmp_ok($held // 0, '>', 0, 'the slow one was gone on with');
my $body = http(GET => $sp->base . "/blocks/$slow")->{body};
ok($body eq slurp($slow_path), 'and is right');
is(http(GET => $sp->base . "/blocks/$id")->{status}, 404, 'the old version is gone');
$begun = now;
is($sp->stop, 0, 'the end, with nothing in the way');
cmp_ok(now - $begun, '<', deadline(2), 'soon');

finish();
