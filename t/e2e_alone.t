# Without a tracker, and with a tracker that has no super peer, the download
# is as good as wget's.

use v5.36;
use Shoal::Test;

my $s = stage(nodes => 3, superpeers => 0);
my $path = $s->cdn->file('dir/a%20b.bin', 5_000_000, 1);
my $args = [ $s->cdn->client_args ];

my $plain = $s->cdn->file('alone.bin', 5_000_000, 2);
my $r = shoal(@$args, $s->cdn->url('alone.bin'));
download_ok($r, $plain, 'no tracker');

$r = $s->get('alone.bin');
download_ok($r, $plain, 'no super peer');
cmp_ok($r->{seconds}, '<', deadline(3), 'nothing was waited for');

my $dir = tmpdir('out');
$r = shoal(@$args, '-O', "$dir/other", $s->cdn->url('alone.bin'));
is($r->{status}, 0, '-O');
same_file("$dir/other", $plain, '-O: content');

$r = shoal(@$args, '-P', "$dir/sub", $s->cdn->url('alone.bin'));
is($r->{status}, 0, '-P');
same_file("$dir/sub/alone.bin", $plain, '-P: content');

my $two = $s->cdn->file('two.bin', 70_000, 3);
$r = shoal(@$args, map { $s->cdn->url($_) } qw(alone.bin two.bin));
is($r->{status}, 0, 'two URLs');
same_file("$r->{dir}/alone.bin", $plain, 'the first');
same_file("$r->{dir}/two.bin", $two, 'the second');

my $sha = sha256_file($plain);
$r = $s->get('alone.bin', '--checksum', "sha256=$sha");
download_ok($r, $plain, '--checksum');
$r = $s->get('alone.bin', '--checksum', 'sha256=' . '0' x 64);
is($r->{status}, 32, 'another --checksum');
ok(!-e $r->{file}, 'leaves no file that looks whole');

$s->cdn->node(0)->stop;
$r = $s->get('alone.bin');
download_ok($r, $plain, 'the first node is down');
cmp_ok($r->{seconds}, '<', deadline(6), 'soon');

finish();
