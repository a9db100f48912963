# Nodes that disagree, and nodes that all went another way than the tracker's
# super peers: the standard is what most nodes hold, then the newest.

use v5.36;
use Shoal::Test;

my $size = 4 * 1048576;
my $s = stage(nodes => 3, superpeers => 1);

# All nodes hold the new version, the super peer an old one of that URL.
my $old = $s->cdn->file('moved.bin', $size, 1, mtime => 1600000000);
download_ok($s->get('moved.bin'), $old, 'old version');
$s->wait_ready('moved.bin');
for my $next ([ $size + 5, 'size' ], [ $size + 5, 'bytes', 1700000009 ]) {
    my ($bytes, $what, $mtime) = @$next;
    my $new = $s->cdn->file('moved.bin', $bytes, $what,
        mtime => $mtime // 1700000000);
    my $r = $s->get('moved.bin');
    download_ok($r, $new, "all nodes changed their $what");
    my $answer = $s->wait_ready('moved.bin');
    is(@{ $answer->{super} }, 1, 'the super peer followed');
    $r = $s->get('moved.bin');
    download_ok($r, $new, 'from the super peer too');
}

# Two against one, the one newest and first.
$s->cdn->file('most.bin', $size, 3, mtime => 1600000000);
$s->cdn->node(0)->file('most.bin', $size + 1, 4, mtime => 1700000000);
my $r = $s->get('most.bin');
download_ok($r, $s->cdn->node(1)->path('most.bin'), 'what most hold');

# One each: the newest Last-Modified.
$s->cdn->node($_)->file('tie.bin', $size + $_, 5 + $_,
    mtime => 1600000000 + ($_ == 1 ? 100 : $_)) for 0 .. 2;
$r = $s->get('tie.bin');
download_ok($r, $s->cdn->node(1)->path('tie.bin'), 'a tie: the newest');

# A checksum from outside decides alone.
my $one = $s->cdn->node(0)->path('most.bin');
$r = $s->get('most.bin', '--checksum', 'sha256=' . sha256_file($one));
download_ok($r, $one, 'a checksum decides');

finish();
