# A slow CDN node, a slow, mute, overloaded or rubbish super peer: the others
# do the work, and nobody is waited for.

use v5.36;
use Shoal::Test;

my $size = 6 * 1048576;

# A node at 30 KB/s beside two at 3 MB/s.
for my $at (0, 2) {
    my @nodes = ({}, {}, {});
    $nodes[$at] = { limit_rate => '30k' };
    my $cdn = cdn(nodes => \@nodes, limit_rate => '3m');
    my $path = $cdn->file('slow.bin', $size, 1);
    my $r = shoal($cdn->client_args, $cdn->url('slow.bin'));
    download_ok($r, $path, "slow node at $at");
    cmp_ok($r->{seconds}, '<', deadline(5), 'at the speed of the others');
    note($r->{stderr});
    $cdn->stop;
}

my $s = stage(nodes => 2, superpeers => 0, limit_rate => '2m');
my $cdn = $s->cdn;
my %kind = (
    'slow'           => { rate => 20_000 },
    'mute'           => { stall => 0 },
    'stands still'   => { stall => 300_000 },
    'always 503'     => { handler => sub ($q) {
        (503, { 'Retry-After' => 1 }, '') } },
    'always 404'     => { handler => sub ($q) { (404, {}, '') } },
    'always 500'     => { handler => sub ($q) { (500, {}, 'x') } },
    'empty answers'  => { handler => sub ($q) { (200, {}, '') } },
    'long answers'   => { handler => sub ($q) {
        (200, {}, 'x' x 3_000_000) } },
    'wrong ranges'   => { handler => sub ($q) {
        (206, { 'Content-Range' => 'bytes 0-9/10' }, '0123456789') } },
    'wrong have'     => { handler => sub ($q) {
        $q->{uri} =~ /have$/ ? (200, { 'Shoal-Size' => 7 }, "\xff" x 9000)
                             : (404, {}, '') } },
    'redirects'      => { handler => sub ($q) {
        (302, { Location => 'http://127.0.0.9:9/' }, '') } },
);
my $layer = tmpdir('slow') . '/layer.shoal';
for my $name (sort keys %kind) {
    my $file = $name =~ s/ /_/gr . '.bin';
    my $path = $cdn->file($file, $size, $name);
    my $r = shoal('-O', $layer, '--make-layer', $path);
    is($r->{status}, 0, 'layer made') or diag($r->{stderr});
    my $fake = fake_super(tracker => $s->tracker, name => $name =~ s/ /-/gr);
    my $id = resource_id($cdn->url($file), $size, sprintf 'etag:"%x-%x"',
        1700000000, $size);
    $fake->serve($id, $path, $layer);
    my %o = %{ $kind{$name} };
    # Rates and stalls are those of files below a folder of this name.
    if (!$o{handler}) {
        my $root = tmpdir("slow/$file/blocks");
        link $path, "$root/$id" or die $!;
        $o{root} = "$root/..";
        $o{handler} = sub ($q) {
            $q->{uri} =~ m{^/blocks/\w+$} ? () : $fake->answer($q) };
    }
    $fake->start(%o);
    $fake->announce($id, (layer_of($layer))[0]);
    $r = $s->get($file);
    download_ok($r, $path, "super peer: $name");
    cmp_ok($r->{seconds}, '<', deadline(6), 'in the CDN\'s time');
    note(sprintf "%s: %.1f s\n%s", $name, $r->{seconds}, $r->{stderr});
    $fake->stop;
}

finish();
