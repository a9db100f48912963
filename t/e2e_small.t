# Small files, around the sizes of leaf and block.

use v5.36;
use Shoal::Test;

my $s = stage(nodes => 2, superpeers => 1);
for my $size (0, 1, 16383, 16384, 16385, 65535, 65536, 65537) {
    my $path = $s->cdn->file("f$size", $size, $size + 1);
    my $r = $s->get("f$size");
    download_ok($r, $path, "$size bytes");
    cmp_ok($r->{seconds}, '<', deadline(3), 'at once');
}
for my $size (0, 1, 65536, 65537) {
    $s->wait_ready("f$size") if $size;
    my $r = $s->get("f$size");
    download_ok($r, $s->cdn->node(0)->path("f$size"), "$size bytes again");
}

finish();
