# The block server at an IPv6 address, and at all addresses; connections are
# counted by IPv4 address and IPv6 network.

use v5.36;
use IO::Socket::IP;
use Shoal::Test;
use Shoal::FakeTracker qw(fake_tracker);

plan skip_all => 'no IPv6 here' if !IO::Socket::IP->new(LocalHost => '::1',
    Listen => 1);

my $cdn = cdn(nodes => 1);
my $size = 300_000;
my $path = $cdn->file('a.bin', $size);
my $t = fake_tracker();

sub prepared(%o) {
    my $sp = superpeer(cdn => $cdn, trackers => [ $t->conf ], %o);
    $t->clear;
    my $id = $t->prepare($cdn->url('a.bin'), $size);
    $t->wait_line(qr/^\+$id /);
    return ($sp, "/blocks/$id");
}

my ($sp, $blocks) = prepared(addr => '::1',
    settings => { bind_address => undef });
my $r = http(GET => $sp->base . $blocks);
is($r->{status}, 200, '[::1]');
ok($r->{body} eq slurp($path), 'its bytes');
ok(!eval { http(GET => 'http://127.0.0.1:' . $sp->port . $blocks); 1 },
   'not by IPv4');
is($sp->stop, 0, 'it ends');

my $port = free_port('127.0.0.1');
($sp, $blocks) = prepared(addr => '127.0.0.1', port => $port, settings => {
    listen => "*:$port", limits => { connections_per_address => 2 } });
for my $host ('127.0.0.1', '127.0.0.9', '[::1]') {
    $r = http(GET => "http://$host:$port$blocks");
    is($r->{status}, 200, "*: $host");
    ok($r->{body} eq slurp($path), 'its bytes');
}

# Two of each; the third is told so, whatever the others do.
sub idle($host) {
    return IO::Socket::IP->new(PeerHost => $host, PeerPort => $port)
        // die "connect to $host: $@\n";
}
my @four = map { idle('127.0.0.1') } 1 .. 2;
my @six  = map { idle('::1') } 1 .. 2;
wait_for { $sp->status->{serve}{connections} >= 4 } 10, 'four connections';
for my $host ('127.0.0.1', '[::1]') {
    $r = http(GET => "http://$host:$port$blocks");
    is($r->{status}, 503, "$host: the third one");
    is($r->{headers}{'retry-after'}, 1, 'Retry-After');
}
is(http(GET => "http://127.0.0.1:$port$blocks", from => '127.0.0.5')->{status},
   200, 'of another address');
close $_ for @four;
wait_for { $sp->status->{serve}{connections} <= 2 } 10, 'two have left';
is(http(GET => "http://127.0.0.1:$port$blocks")->{status}, 200, 'again');
is(http(GET => "http://[::1]:$port$blocks")->{status}, 503, 'IPv6 still not');

finish();
