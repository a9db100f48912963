# What the user gave decides which version is wanted: most nodes may have
# another; and a checksum that failed is no sentence for ever.

use v5.36;
use Shoal::Test;

my $size = 6 * 1048576;
my $dir = tmpdir('checksum');
my $a = make_file("$dir/a", $size, 1, 1700000500);
my %b = (
    'same size'  => make_file("$dir/b", $size, 2, 1700000000),
    'other size' => make_file("$dir/c", $size - 70_000, 3, 1700000000),
    'larger'     => make_file("$dir/d", $size + 70_000, 3, 1700000000),
);
my %sha = map { $_ => 'sha256=' . sha256_file($b{$_}) } keys %b;
for my $path (values %b) {
    is(shoal('--make-layer', $path)->{status}, 0, 'layer made');
}

# Two nodes with version A, one with the version that is wanted.
sub two_to_one($b, %o) {
    my $cdn = cdn(nodes => 3, %o);
    $cdn->node($_)->link_file($a, 'f.bin') for 0, 1;
    $cdn->node(2)->link_file($b, 'f.bin');
    return $cdn;
}

for my $kind (sort keys %b) {
    for my $rate (0, '6m') {
        my $cdn = two_to_one($b{$kind}, limit_rate => $rate);
        my $speed = $rate ? 'slow' : 'fast';
        my @given = ([ '--checksum', $sha{$kind} ],
            [ "--layer=$b{$kind}.shoal" ],
            [ '--checksum', $sha{$kind}, '--layer=auto' ]);
        # Who answers first is chance.
        for my $given (@given, $rate ? () : ($given[0]) x 3) {
            my $r = shoal({ deadline => 10 }, $cdn->client_args, @$given,
                $cdn->url('f.bin'));
            download_ok({ %$r, file => "$r->{dir}/f.bin" }, $b{$kind},
                "$kind, $speed, " . join ' ', map { s/=.*//r } @$given);
        }
        $cdn->stop;
    }
}

# Nobody has it.
my $cdn = cdn(nodes => 3);
$cdn->link_file($a, 'f.bin');
my $r = shoal($cdn->client_args, '--checksum', $sha{'same size'},
    $cdn->url('f.bin'));
is($r->{status}, 32, 'no node has the checksum');
for my $kind (sort keys %b) {
    $r = shoal($cdn->client_args, "--layer=$b{$kind}.shoal",
        $cdn->url('f.bin'));
    is($r->{status}, 32, "no node has the layer's version: $kind");
    ok(!-e "$r->{dir}/f.bin", 'no file that looks whole');
}

# A corrupt node is repaired: -c takes nothing over that was condemned.
my $node = cdn(nodes => [ { bad => { corrupt => [ 0, 0 ] } } ]);
$node->link_file($a, 'f.bin');
my @args = ($node->client_args, '--checksum', 'sha256=' . sha256_file($a),
    $node->url('f.bin'));
$r = shoal(@args);
is($r->{status}, 32, 'a corrupt node');
my $again = shoal({ cwd => $r->{dir} }, '-c', @args);
is($again->{status}, 32, '-c, still corrupt');
$node->node(0)->set(corrupt => undef);
$again = shoal({ cwd => $r->{dir} }, '-c', @args);
download_ok({ %$again, file => "$r->{dir}/f.bin" }, $a, '-c, repaired');

finish();
