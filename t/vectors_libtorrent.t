# Roots and piece layers against an independent implementation: the same
# numbers as in a v2 torrent made by libtorrent.

use v5.36;
use Shoal::Test;
use Digest::SHA qw(sha256_hex);

my $script = top() . '/t/vectors/torrent_v2.py';
my $dir = tmpdir('files');
my $python = '/usr/bin/python3';

sub block_size($size) {
    my $block = 65536;
    $block *= 2 while $block * 16384 < $size;
    return $block;
}

sub check($size, $path) {
    my $block = block_size($size);
    my ($st, $out, $err) = run_cmd({ deadline => 60 }, $python, $script,
        $path, $block);
    is($st, 0, "$size: torrent made") or diag($err);
    my ($root, $layer_sha) = split ' ', $out;

    my $r = shoal({ cwd => $dir, deadline => 60 }, '--make-layer', $path);
    is($r->{status}, 0, "$size: layer made") or diag($r->{stderr});
    my ($head, $layer) = split /\n\n/, slurp("$path.shoal"), 2;
    is($head, "shoal-layer 1\nsize $size\nblock $block\nroot $root",
        "$size: head, root as in the torrent");
    is(length($layer) / 32, int(($size + $block - 1) / $block),
        "$size: one hash a block");
    if ($layer_sha eq '-') { is(unpack('H*', $layer), $root, "$size: one") }
    else { is(sha256_hex($layer), $layer_sha, "$size: layer as there") }
    unlink $path, "$path.shoal";
}

for my $size (1, 16383, 16384, 16385, 50000, 65535, 65536, 65537, 131073,
    196608, 327680)
{
    check($size, make_file("$dir/f$size", $size, $size));
}

# With a block size of its own; mostly a hole.
my $big = "$dir/big";
make_file($big, 3_000_000, 1);
truncate $big, 1073741824;
open my $f, '>>', $big or die $!;
print {$f} 'x';
close $f;
check(1073741825, $big);

finish();
