# A node whose HEAD fails, and whose first GET is taken back when the download
# begins with another one, is asked again when that one goes.

use v5.36;
use Shoal::Test;

my $size = 1_500_000;
my $cdn = cdn(nodes => [
    { bad => { each => sub ($q) {
        $q->{method} eq 'HEAD' ? (status => 503)
            : ($q->{h}{range} // '') =~ /^bytes=0-(?!0$)/ && !$q->{before} ? (delay => 3) : () } } },
    { bad => { rate => 400_000 } } ]);
my $path = $cdn->file('a.bin', $size);

my $p = shoal_start($cdn->client_args, '--timeout=5', '--tries=3', '--no-upload',
    $cdn->url('a.bin'));
wait_for { part_bytes("$p->{dir}/a.bin.part", $size) > 0 } 10, 'the first blocks';
$cdn->node(1)->remove('a.bin');
$cdn->node(1)->kill9;
my $r = shoal_end($p, 40);
$r->{file} = "$r->{dir}/a.bin";
download_ok($r, $path, 'the other node has it all');

finish();
