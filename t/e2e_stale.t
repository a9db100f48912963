# One CDN node holds another version of the file: the first of the list, one
# in the middle, the last. Its bytes are never used.

use v5.36;
use Shoal::Test;

my $size = 6 * 1048576;
my %stale = (
    'another size' => sub ($n, $f) { $n->file($f, $size - 70_000, 9) },
    'larger'       => sub ($n, $f) { $n->file($f, $size + 70_000, 9) },
    'same size'    => sub ($n, $f) {
        $n->file($f, $size, 9, mtime => 1600000000) },
);

my $s = stage(nodes => 3, superpeers => 1, limit_rate => '10m');
for my $at (0 .. 2) {
    for my $kind (sort keys %stale) {
        my $name = "s$at" . $kind =~ s/ //r . '.bin';
        my $good = $s->cdn->node($at == 0 ? 1 : 0);
        $s->cdn->file($name, $size, 1);
        $stale{$kind}->($s->cdn->node($at), $name);

        my $r = $s->get($name);
        download_ok($r, $good->path($name), "stale node at $at: $kind");
        cmp_ok($s->cdn->node($at)->requests(uri => "/$name"), '>', 0,
            'it was asked');
        $s->wait_ready($name, 1, node => $good);
        # Now from the super peer: its copy is the good one.
        next if $kind eq 'larger';
        $r = $s->get($name);
        download_ok($r, $good->path($name), 'again');
    }
}

finish();
