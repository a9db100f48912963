# A node that changes the file in mid-download, where the nodes' ETags differ
# and the time is the version: nothing it gave is in the file.

use v5.36;
use Shoal::Test;

my $size = 6 * 1048576;

# From its second GET on another file, which shows in %change.
sub changing(%change) {
    return { bad => { etag => '"n1"', rate => 4 << 20, each => sub ($q) {
        $q->{method} ne 'GET' ? ()
            : $q->{before} ? (corrupt => 1, %change)
            :                (truncate => 2_000_000) } } };
}

my $other = { bad => { etag => '"n2"', rate => 1 << 20 } };
my %nodes = (
    'another ETag, first node'  => [ changing(etag => '"new"'), $other ],
    'another ETag, second node' => [ $other, changing(etag => '"new"') ],
    'another time'              => [ changing(mtime => 1600000000), $other ],
    'no ETag any more'          => [ changing(etag => '', mtime => 1600000000),
        $other ],
    'the only node'             => [ changing(etag => '"new"') ],
);

# Side by side: they are slow.
my (%play, $path);
for my $name (keys %nodes) {
    my $cdn = cdn(nodes => $nodes{$name});
    $path //= make_file(tmpdir('etag') . '/a.bin', $size, 1, 1700000000);
    $cdn->link_file($path, 'a.bin');
    $play{$name} = [ $cdn,
        shoal_start($cdn->client_args, $cdn->url('a.bin')) ];
}
for my $name (sort keys %play) {
    my ($cdn, $p) = @{ $play{$name} };
    my $r = shoal_end($p);
    note("$name\n$r->{stderr}");
    if ($name eq 'the only node') {
        # Nobody else has it: all of what it has by now, and no mixture.
        is($r->{status}, 0, $name);
        like($r->{stderr}, qr/changed while it was fetched, begun anew/,
            'and it is told');
        ok(slurp("$r->{dir}/a.bin") eq (slurp($path) ^. "\xff" x $size),
            'nothing of what it gave before');
        next;
    }
    download_ok($r, $path, $name);
    my ($node) = grep { $_->{each} } $cdn->nodes;
    next if $node->requests(method => 'GET') < 2;
    like($r->{stderr}, qr/size or version changed/, 'and it is told');
}

finish();
