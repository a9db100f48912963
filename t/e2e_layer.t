# A piece layer or checksum that the user gave is waited for, and nothing
# that could not be checked by it is a success.

use v5.36;
use Shoal::Test;

my $dir = tmpdir('layers');

# The file, its layer, and the same file with a wrong byte.
my %file;
for my $size (50_000, 3 << 20) {
    my $right = make_file("$dir/$size", $size, 1, 1700000000);
    is(shoal('--make-layer', $right)->{status}, 0, 'layer made');
    my $text = slurp($right);
    substr($text, 0, 1) ^.= "\x01";
    my $wrong = spew("$dir/$size.wrong", $text);
    utime 1700000000, 1700000000, $wrong;
    $file{$size} = { right => $right, wrong => $wrong };
}

# Layers, each after a while.
my $layers = cdn(nodes => [ { addr => '127.0.0.41', bad => { delay => 1.5 } } ],
    host => '127.0.0.41');
$layers->link_file("$dir/$_.shoal", "$_.shoal") for keys %file;

my $cdn = cdn(nodes => 2);
for my $size (keys %file) {
    $cdn->link_file($file{$size}{$_}, "$_.$size") for qw(right wrong);
}
my (%running, $r);
for my $size (keys %file) {
    for my $what (qw(right wrong)) {
        $running{$size}{$what} = shoal_start($cdn->client_args,
            '--layer', $layers->url("$size.shoal"),
            $cdn->url("$what.$size"));
    }
    $running{$size}{none} = shoal_start($cdn->client_args, '--layer',
        $layers->url("none.$size.shoal"), $cdn->url("right.$size"));
}
for my $size (sort keys %file) {
    $r = shoal_end($running{$size}{right});
    download_ok($r, $cdn->node(0)->path("right.$size"),
        "$size bytes, a late layer");
    cmp_ok($r->{seconds}, '>', 1.4, 'waited for');
    $r = shoal_end($running{$size}{wrong});
    is($r->{status}, 32, "$size bytes, wrong, a late layer");
    like($r->{stderr}, qr/^shoal: .+/m, 'says why');
    ok(!-e "$r->{dir}/wrong.$size", 'no file that looks whole');
    $r = shoal_end($running{$size}{none});
    isnt($r->{status}, 0, "$size bytes, no layer there");
    ok(!-e "$r->{dir}/right.$size", 'no file that looks whole');
}
for my $size (sort keys %file) {
    $r = shoal($cdn->client_args, "--layer=$dir/$size.shoal",
        $cdn->url("wrong.$size"));
    is($r->{status}, 32, "$size bytes, wrong, a layer file");
    ok(!-e "$r->{dir}/wrong.$size", 'no file that looks whole');
}

# Without ranges there are no blocks to check.
my $plain = cdn(nodes => [ { bad => { ranges => 0 } } ]);
for my $what (qw(right wrong)) {
    $plain->link_file($file{3 << 20}{$what}, $what);
    $r = shoal($plain->client_args, "--layer=$dir/" . (3 << 20) . '.shoal',
        $plain->url($what));
    is($r->{status}, 32, "no ranges, $what, a layer");
    like($r->{stderr}, qr/^shoal: .*cannot check against the piece layer/m,
        'says why');
    ok(!-e "$r->{dir}/$what", 'no file that looks whole');
}

# A library that offers no digest: what cannot be computed was not checked.
my $conf = spew("$dir/openssl.cnf", join "\n", 'openssl_conf=o', '[o]',
    'providers=p', '[p]', 'null=n', '[n]', 'activate=1', '');
for my $case ([ $plain, 'right', 'plain' ], [ $cdn, 'right.50000', 'blocks' ]) {
    my ($from, $name, $what) = @$case;
    $r = shoal({ env => { OPENSSL_CONF => $conf } }, $from->client_args,
        '--checksum', 'sha256=' . '0' x 64, $from->url($name));
    isnt($r->{status}, 0, "a checksum that cannot be computed, $what");
    is($r->{status}, 32, 'the exit status') if $what eq 'plain';
    like($r->{stderr}, qr/^shoal: .+/m, 'says why');
    note($r->{stderr});
    ok(!-e "$r->{dir}/$name", 'no file that looks whole');
}

finish();
