# The main job: cold through tracker, super peers and CDN; then warm from a
# second address while the CDN is slow.

use v5.36;
use Shoal::Test;

my $size = 24 * 1048576;
my $s = stage(nodes => 3, superpeers => 2, limit_rate => '8m');
my $path = $s->cdn->file('main.bin', $size, 1);

my $r = $s->get('main.bin');
download_ok($r, $path, 'cold');
note($r->{stderr});

my $answer = $s->wait_ready('main.bin');
is(@{ $answer->{super} }, 2, 'both super peers are ready');
like($answer->{digest}{root}, qr/^[0-9a-f]{64}$/, 'root');
is($answer->{digest}{votes}, 2, 'two votes');

$s->cdn->set(limit_rate => '500k');
$s->cdn->clear_logs;
$r = $s->get('main.bin');
download_ok($r, $path, 'warm');
note($r->{stderr});
cmp_ok($r->{seconds}, '<', deadline(4), 'not at the speed of the CDN');
cmp_ok($s->cdn->bytes, '<', $size / 4, 'few bytes from the CDN');

my @seen = map { $_->addr } $s->sps;
like($r->{stderr}, qr/\Q$_\E/, "the table names $_") for @seen;

# The super peers took nothing more: what they hold they hold.
is(scalar(grep { $_->{method} eq 'GET' && $_->{remote} !~ /^127\.0\.1\./ }
    map { $_->requests } $s->cdn->nodes), 0, 'super peers asked for nothing');

$s->cdn->clear_logs;
$r = $s->get('main.bin', '-q');
download_ok($r, $path, 'quiet');
is($r->{stderr} . $r->{stdout}, '', 'says nothing');

finish();
