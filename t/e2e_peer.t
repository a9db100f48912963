# Peer to peer: two clients with a published piece layer trade blocks while
# the CDN is slow, and one that came later takes most from them.

use v5.36;
use Shoal::Test;

my $size = 12 * 1048576;
my $s = stage(nodes => 2, superpeers => 0, limit_rate => '400k');
my $path = $s->cdn->file('p.bin', $size, 1);
my $r = shoal('--make-layer', $path);
is($r->{status}, 0, 'layer made');
$s->cdn->node(1)->link_file("$path.shoal", 'p.bin.shoal');

my @p;
for my $i (0 .. 2) {
    my $addr = "127.0.0.4$i";
    push @p, $s->get_start('p.bin', '--layer=auto', '--bind-address', $addr,
        '--listen-port', free_port($addr));
}
for my $i (0 .. 2) {
    is($p[$i]->wait(90), 0, "client $i");
    same_file("$p[$i]{dir}/p.bin", $path, 'its content');
    note($p[$i]->stderr);
}
my $cdn = $s->cdn->bytes(uri => '/p.bin');
cmp_ok($cdn, '<', 2.5 * $size, sprintf 'the CDN gave %.2f copies of three',
    $cdn / $size);
ok((grep { $_->stderr =~ /127\.0\.0\.4\d/ } @p), 'a peer in the table');

finish();
