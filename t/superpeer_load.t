# What a super peer tells its trackers of its load, its limits, and of bytes
# by source.

use v5.36;
use Shoal::Test;
use Shoal::FakeTracker qw(fake_tracker);

my $size = 5_000_000;
my $cdn = cdn(nodes => 1);
$cdn->file($_, $size) for 'a.bin', 'b.bin';
my $t  = fake_tracker();
my $sp = superpeer(trackers => [ $t->conf ], cdn => $cdn, cache_size => '64MiB',
    settings => { limits => { connections => 77, upload_rate => '900MiB' } });

my @fields = qw(capacity free active active_max rate rate_max cpu got sent);
wait_for { $t->polls } 10, 'the first poll';
my ($first) = $t->calls;
is_deeply([ grep { !defined $first->{args}{$_} } @fields ], [],
    'each call has all of it');
is($first->{args}{$_->[0]}, $_->[1], "$_->[0] at the start")
    for [ capacity => 64 << 20 ], [ active_max => 77 ],
    [ rate_max => 900 << 20 ], [ got => '0,0,0' ], [ sent => 0 ],
    [ rate => 0 ], [ active => 0 ];

my $id = $t->prepare($cdn->url('a.bin'), $size);
$t->wait_line(qr/^\+$id /);
wait_for { grep { $_->{args}{got} eq "0,0,$size" } $t->calls } 10,
    'the bytes from the CDN';
my ($last) = grep { $_->{args}{got} eq "0,0,$size" } $t->calls;
cmp_ok($last->{args}{free}, '<=', $first->{args}{free} - $size, 'free cache');

# Uploads: their bytes, their rate, and the time they take.
my ($sent, $end) = (0, now + 2);
while (now < $end) {
    $sent += length http(GET => $sp->base . "/blocks/$id")->{body};

    # what costs the test next to nothing
    my $ask = "GET /blocks/$id/have HTTP/1.1\r\nHost: sp\r\n";
    http_raw($sp->addr, $sp->port, "$ask\r\n" x 500 . "${ask}Connection: close\r\n\r\n")
        ->drain(10) for 1 .. 8;
}
my $q = http_start(GET => $sp->base . "/blocks/$id", headers =>
    { Range => 'bytes=0-9' }, keepalive => 1);
$q->wait(5);
$t->clear;
$t->prepare($cdn->url('b.bin'), $size);
my $told = wait_for { ($t->calls)[0] } 10, 'a call';
my %a = %{ $told->{args} };
cmp_ok($a{sent}, '>=', $sent, 'sent');
cmp_ok($a{sent}, '<=', $sent + 10 + $size, 'no more than that');
cmp_ok($a{rate}, '>', $sent / 60, 'rate');
note("CPU: $a{cpu} %");
cmp_ok($a{cpu}, '>=', 1, 'CPU: some');
cmp_ok($a{cpu}, '<=', 100, 'CPU: not more than there is');

finish();
