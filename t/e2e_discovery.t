# Where the tracker comes from: the origin's header, the environment, the
# command line; and who is never told to one.

use v5.36;
use Shoal::Test;

my $size = 900_000;
my $tracker = tracker(delay => '10ms');
my $cdn = cdn(nodes => 2, limit_rate => '700k', server => join "\n",
    'location /hdr/  { add_header Shoal-Tracker "' . $tracker->url . '"; }',
    'location /priv/ { add_header Cache-Control "private, max-age=9"; }',
    'location /nost/ { add_header Cache-Control no-store; }',
    'location /bad/  { add_header Shoal-Tracker "file:///etc/passwd"; }');
my $path = $cdn->file('plain.bin', $size, 1);
$cdn->link_file($path, "$_/plain.bin") for qw(hdr priv nost bad);
my $log = $tracker->dir . '/access.log';
my $seen = 0;

# How often the tracker was asked since the last call.
sub asked() {
    my $n = () = slurp($log) =~ m{"GET /peers}g;
    my $new = $n - $seen;
    $seen = $n;
    return $new;
}

sub get($what, $name, $told, $env = {}, @args) {
    my $r = shoal({ env => $env }, $cdn->client_args, @args,
        $cdn->url($name));
    download_ok($r, $path, $what);
    if ($told) {
        cmp_ok(asked(), '>', 0, "$what: the tracker was asked");
    } else {
        is(asked(), 0, "$what: the tracker was not asked");
    }
    return $r;
}

my @tracker = ('--tracker', $tracker->url);
get('nothing said', 'plain.bin', 0);
get('header', 'hdr/plain.bin', 1);
get('bad header', 'bad/plain.bin', 0);
get('option', 'plain.bin', 1, {}, @tracker);
get('environment', 'plain.bin', 1, { SHOAL_TRACKER => $tracker->url });

get('Cache-Control: private', 'priv/plain.bin', 0, {}, @tracker);
get('Cache-Control: no-store', 'nost/plain.bin', 0, {}, @tracker);

# Credentials stay at home.
my $r = shoal($cdn->client_args, @tracker,
    $cdn->url('plain.bin') =~ s{//}{//user:secret\@}r);
download_ok($r, $path, 'credentials in the URL');
is(asked(), 0, 'the tracker was not asked');
unlike($r->{stderr}, qr/secret/, 'nor are they printed');

# A host that is not the tracker's, a signed URL: 403, and no harm.
my $other = tracker(delay => '10ms', origin => 'other.example.com');
$r = shoal($cdn->client_args, '--tracker', $other->url,
    $cdn->url('plain.bin'));
download_ok($r, $path, 'not the host of that tracker');
$r = shoal($cdn->client_args, @tracker, '-O', 'plain.bin',
    $cdn->url('plain.bin?Signature=abc&Expires=1'));
download_ok($r, $path, 'a signed URL');

# Two trackers: both are asked.
asked();
$r = shoal($cdn->client_args, '--tracker', $other->url, @tracker,
    $cdn->url('plain.bin'));
download_ok($r, $path, 'two trackers');
cmp_ok(asked(), '>', 0, 'the second was asked');

# Sharing is said in a line, and can be switched off.
like(get('sharing', 'plain.bin', 1, {}, @tracker)->{stderr},
    qr/^sharing/m, 'sharing is announced');
unlike(get('option', 'plain.bin', 1, {}, @tracker, '--no-upload')->{stderr},
    qr/^sharing/m, '--no-upload');
unlike(get('environment', 'plain.bin', 1, { SHOAL_NO_UPLOAD => 1 },
    @tracker)->{stderr}, qr/^sharing/m, 'SHOAL_NO_UPLOAD');

finish();
