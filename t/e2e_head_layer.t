# A HEAD that tells another size than the layer that was given: the GET, which
# is slower, decides.

use v5.36;
use Shoal::Test;

my $size = 400_000;
my $cdn = cdn(nodes => [ { bad => { each => sub ($q) {
    $q->{method} eq 'HEAD' ? (head => 1234) : (delay => 0.5) } } } ]);
my $path = $cdn->file('a.bin', $size);
my $layer = tmpdir('layer') . '/a.shoal';
is(shoal('-O', $layer, '--make-layer', $path)->{status}, 0, 'a layer');
my $r = shoal($cdn->client_args, "--layer=$layer", '--no-upload', $cdn->url('a.bin'));
$r->{file} = "$r->{dir}/a.bin";
download_ok($r, $path, 'the GET decides');

$cdn = cdn(nodes => 1);
$cdn->file('a.bin', $size + 1);
$r = shoal($cdn->client_args, "--layer=$layer", '--no-upload', $cdn->url('a.bin'));
isnt($r->{status}, 0, 'a GET that tells another size, too');
like($r->{stderr}, qr/other size: 400001/, 'named');

finish();
