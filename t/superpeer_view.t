# Blocks that go out from where they lie in the cache, without a copy of the
# super peer's: right bytes in ranges of any shape, beside headers that fill
# the connection's memory; a reader of a set that has to go is cut off, and
# what it got is right.

use v5.36;
use Shoal::FakeTracker qw(fake_tracker);
use Shoal::Test;

my $cdn = cdn(nodes => 1);
my $tracker = fake_tracker();
my $sp = superpeer(trackers => [ $tracker->conf ], cdn => $cdn,
    cache_size => '256MiB');
$sp->wait_connected;

sub held($name, $size, $seed) {
    my $path = $cdn->file($name, $size, $seed);
    my $version = sprintf 'etag:"%x-%x"', (stat $path)[9, 7];
    my $id = $tracker->prepare($cdn->url($name), $size, $version);
    $tracker->wait_line(qr/^\+$id /, 20);
    return ($sp->base . "/blocks/$id", slurp($path), $id);
}

my $size = 40_000_000;
my ($url, $file, $id) = held('a.bin', $size, 1);

sub range_ok($first, $last, $name, %headers) {
    my $r = http(GET => $url, headers =>
        { Range => "bytes=$first-$last", %headers });
    my $want = substr $file, $first, $last - $first + 1;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    ok($r->{status} == 206 && $r->{body} eq $want, $name)
        or diag("$r->{status}, ", length $r->{body}, ' bytes');
    is($r->{headers}{'content-range'},
       sprintf('bytes %d-%d/%d', $first, $last, $size), "$name: range");
}

my $sent = $sp->status->{serve}{bytes} // 0;
range_ok(0, 65535, 'a block');
range_ok(65535, 65536, 'the seam of two blocks');
range_ok(1, 16777216, 'of many blocks');
range_ok($size - 70_000, $size - 1, 'the short last block');
range_ok(5, $size - 3, 'more than there are pieces for');
range_ok(1, 16777216, 'long headers', map { ("X-$_" => 'x' x 350) } 1 .. 10);
range_ok(1, 16777216, 'many headers', map { ("X-$_" => 'x') } 1 .. 60);
range_ok(1, 16777216, 'a cookie', Cookie => 'a=b; ' x 50 . 'c=d');

my $r = http(HEAD => $url, headers => { Range => 'bytes=0-16777215' });
is($r->{headers}{'content-length'}, 16777216, 'HEAD');

# Two answers on one connection, the second asked for before the first came.
my $q = http_raw($sp->addr, $sp->port, join '', map {
    "GET /blocks/$id HTTP/1.1\r\nHost: x\r\nRange: bytes=$_\r\n"
        . ($_ eq '7-7' ? "Connection: close\r\n" : '') . "\r\n"
} '0-999999', '7-7');
$q->drain(20);
is(length $q->{buf} =~ s/HTTP.*?\r\n\r\n//gsr, 1_000_001, 'pipelined');

# A reader that stands still when another version of the file comes.
my $reader = http_start(GET => $url, keepalive => 1,
    headers => { Range => 'bytes=0-16777215' });
wait_for { ($sp->status->{serve}{active} // 1) >= 1 } 10, 'the reader';
held('a.bin', $size + 1, 2);
held("fill$_.bin", $size, 10 + $_) for 1 .. 3;
$reader->drain(20);
my ($body) = $reader->{buf} =~ /\r\n\r\n(.*)\z/s;
cmp_ok(length $body, '<', 16777216, 'is cut off');
ok($body eq substr($file, 0, length $body), 'and what it got is right');

finish();
