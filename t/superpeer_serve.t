# The block API of a super peer, while it fills a set and afterwards.

use v5.36;
use Shoal::Test;
use Shoal::FakeTracker qw(fake_tracker);

my $block = 65536;
my $size  = 40 * $block + 777;
my $cdn = cdn(nodes => 1, limit_rate => '400k');
my $path = $cdn->file('a.bin', $size);
my $data = slurp($path);
my $t  = fake_tracker();
my $sp = superpeer(trackers => [ $t->conf ], cdn => $cdn,
    settings => { limits => { nodes_per_file => 1 } });

my $id = $t->prepare($cdn->url('a.bin'), $size);
my $base = $sp->base . "/blocks/$id";
sub get($range = undef, $what = '', $method = 'GET') {
    return http($method => $base . $what,
        headers => defined $range ? { Range => "bytes=$range" } : {});
}

# While it fills: what is held can be served, and nothing else.
$t->wait_line(qr/^~$id [1-9]/);
my $have = wait_for {
    my $r = get(undef, '/have');
    $r->{status} == 200 && $r->{body} =~ /[^\0]/ ? $r : undef;
} 10, 'the first block';
is(length $have->{body}, 6, 'have: six bytes for 41 blocks');
is($have->{headers}{'shoal-size'}, $size, 'Shoal-Size');
like($have->{headers}{'shoal-epoch'}, qr/^[0-9a-f]{16}$/, 'Shoal-Epoch');
my $bits = unpack 'B41', $have->{body};
my $held = ($bits =~ tr/1//);
cmp_ok($held, '<', 41, 'not yet complete');
like($have->{headers}{'shoal-cursor'}, qr/^[1-9][0-9]*$/, 'Shoal-Cursor');

my ($first, $run) = $bits =~ /^(0*)(1+)/ ? (length $1, length $2) : die;
my $off = $first * $block + 100;
my $r = get("$off-" . ($size - 1));
is($r->{status}, 206, 'a range over the end of what is held');
cmp_ok(length $r->{body}, '>=', $run * $block - 100, 'its held prefix');
is($r->{body}, substr($data, $off, length $r->{body}), 'its bytes');
is($r->{headers}{'content-range'}, sprintf('bytes %d-%d/%d', $off,
    $off + length($r->{body}) - 1, $size), 'Content-Range says so');

is(get()->{status}, 404, 'the whole file: not yet');
SKIP: {
    my ($gap) = $bits =~ /0(?=0*$)/ ? 40 : undef;
    skip 'the end came first', 1 if !defined $gap || $bits =~ /1$/;
    is(get('-1')->{status}, 404, 'a range that is not held: not found');
}
is(get("$size-")->{status}, 416, 'behind the end: 416, held or not');
my $hashes = get(undef, '/hashes');
is(length $hashes->{body}, 41 * 32, 'hashes: all, 32 bytes each');
isnt(substr($hashes->{body}, $first * 32, 32), "\0" x 32, 'of a held block');
like($hashes->{body}, qr/\0{32}/, 'zeros where not known');

my ($filling) = grep { $_->{id} eq $id } @{ $sp->status->{sets} };
is($filling->{state}, 'filling', 'status: filling');
is($filling->{blocks}, 41, 'status: blocks');

# Complete.
$cdn->set(limit_rate => '100m');
my $line = $t->wait_line(qr/^\+$id /, 20);
like($line, qr/^\+$id [0-9a-f]{64} cdn http$/, 'ready, with its root');
$r = get();
is($r->{status}, 200, 'without a range: 200');
ok($r->{body} eq $data, 'all of it');
for my $range (['0-0', 0, 1], ['65535-65536', 65535, 2], ['-5', $size - 5, 5],
    ["100-$size", 100, $size - 100], ["${\($size - 1)}-", $size - 1, 1])
{
    my ($text, $from, $len) = @$range;
    $r = get($text);
    is($r->{status}, 206, "bytes=$text");
    ok($r->{body} eq substr($data, $from, $len), 'its bytes');
}
is(get('1-2,5-6')->{status}, 200, 'several ranges count as none');
$r = get('0-9', '', 'HEAD');
is($r->{status}, 206, 'HEAD');
is($r->{headers}{'content-length'}, 10, 'its length');
$r = get(undef, '', 'HEAD');
is("$r->{status} $r->{headers}{'content-length'}", "200 $size", 'HEAD, whole');
is(unpack('B*', get(undef, '/have')->{body}), '1' x 41 . '0' x 7,
   'have: all, spare bits 0');
$r = get('32-63', '/hashes');
is("$r->{status} " . length $r->{body}, '206 32', 'a range of the hashes');
is(http(POST => $base)->{status}, 405, 'POST');
is(http(GET => $sp->base . '/')->{status}, 404, 'another page');
is(http(GET => $sp->base . '/blocks/' . '0' x 40)->{status}, 404,
   'an unknown id');
is(http(GET => $sp->status_url('/nothing'))->{status}, 404,
   'status: another page');

# Held already: ready at once.
$t->clear;
my $begun = now;
$t->prepare($cdn->url('a.bin'), $size);
$t->wait_line(qr/^\+$id /);
cmp_ok(now - $begun, '<', deadline(0.5), 'held: ready at once');
my @fills = grep { /^~$id/ } $t->lines;
is("@fills", '', 'and never filling');

my $s = $sp->status;
is($s->{sets}[0]{state}, 'complete', 'status: complete');
is($s->{prefetch}{done}, 1, 'status: one fetched');
cmp_ok($s->{serve}{bytes}, '>', $size, 'status: bytes served');

# The empty file has no root.
$cdn->file('empty', 0);
$id = $t->prepare($cdn->url('empty'), 0);
is($t->wait_line(qr/^\+$id /), "+$id - cdn http", 'an empty file');
is(http(GET => $sp->base . "/blocks/$id")->{status}, 200, 'is served');

finish();
