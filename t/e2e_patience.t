# One that fails for a moment is asked again, as wget does; one that asks for
# an hour is not obeyed; what goes in a circle ends.

use v5.36;
use Shoal::Test;

my $size = 3 * 1048576 + 5;
my $file = make_file(tmpdir('patience') . '/a.bin', $size, 1, 1700000000);

# One node, with these options for its first GET, and these for later ones.
sub node_with($first, $later = {}, %o) {
    my $cdn = cdn(nodes => [ { bad => { %o, each => sub ($q) {
        $q->{method} ne 'GET' ? () : $q->{before} ? %$later : %$first } } } ]);
    $cdn->link_file($file, 'a.bin');
    return $cdn;
}

sub start($cdn, @args) {
    return shoal_start($cdn->client_args, @args, $cdn->url('a.bin'));
}

# The long ones, side by side with all that follows.
my $hour = node_with({ truncate => 500_000 },
    { status => 503, retry_after => 3600 });
my $later = start($hour);
my $lag = node_with({ truncate => 500_000 }, { delay => 4.6 });
my $lagging = start($lag);
my $mute = node_with({ hang => 1 }, { hang => 1 }, head => 'hang');
my $muted = long_tests() ? start($mute) : undef;

my %once = (
    'first GET closed without an answer' => node_with({ drop => 1 }),
    'plain stream broken once'           => node_with(
        { truncate => 100_000 }, {}, ranges => 0),
    'the same, chunked'                  => node_with(
        { truncate => 100_000 }, {}, ranges => 0, length => 'chunked'),
);
for my $name (sort keys %once) {
    my $r = shoal_end(start($once{$name}));
    download_ok($r, $file, $name);
    cmp_ok($r->{seconds}, '<', deadline(5), 'soon');
}

# A plain stream that began anew is still checked as a whole.
my $again = node_with({ truncate => 100_000 }, {}, ranges => 0);
my $r = shoal_end(start($again, '--checksum', 'sha256=' . sha256_file($file)));
download_ok($r, $file, 'plain stream broken once, --checksum');

# Ranges at first, none after a break: what was got is not lost.
my $fickle = node_with({ truncate => 2_000_000 }, { ranges => 0 });
$r = shoal_end(start($fickle));
isnt($r->{status}, 0, '206, then 200: an error');
like($r->{stderr}, qr/^shoal: .*no ranges/m, 'says so');
cmp_ok(part_bytes("$r->{dir}/a.bin.part", $size), '>', 1_000_000,
    'what was got is kept');
ok(!-e "$r->{dir}/a.bin", 'no file that looks whole');
$fickle->node(0)->set(each => undef);
my $kept = shoal({ cwd => $r->{dir} }, $fickle->client_args, '-c',
    $fickle->url('a.bin'));
download_ok($kept, $file, 'and -c goes on');

# No request with a Range is liked, one without is.
for my $status (403, 416) {
    my $cdn = cdn(nodes => [ { bad => { each => sub ($q) {
        $q->{h}{range} ? (status => $status) : (ranges => 0) } } } ]);
    $cdn->link_file($file, 'a.bin');
    $r = shoal_end(start($cdn));
    download_ok($r, $file, "$status to any Range");
    $cdn->node(0)->remove('a.bin');
    is(shoal_end(start($cdn))->{status}, 8, 'but a 404 is one');
}

# Where others have the file, nobody waits at all.
my $cdn = cdn(nodes => [ { bad => { status => 503, retry_after => 3600 } },
    {}, {} ]);
$cdn->link_file($file, 'a.bin');
$r = shoal_end(start($cdn));
download_ok($r, $file, 'Retry-After of one of three');
cmp_ok($r->{seconds}, '<', deadline(2), 'not waited for');

# A tracker that wants to be asked in 136 years, and one that gives no sense.
for my $interval (2**32, -1, 0) {
    my $addr = '127.0.0.50';
    my $text = sprintf '{"id":"%s","interval":%d,"super":[],"peers":[]}',
        '11' x 20, $interval;
    my $t = Shoal::BadNode->new(addr => $addr, port => free_port($addr),
        handler => sub ($q) { (200, {}, $text) })->start;
    my $slow = cdn(nodes => 1, limit_rate => '2m');
    $slow->link_file($file, 'a.bin');
    $r = shoal_end(start($slow, '--no-upload', '--tracker',
        "http://$addr:$t->{port}/peers"));
    download_ok($r, $file, "interval $interval");
    cmp_ok($t->requests, '<', 5, 'no storm of requests');
}

# In a circle.
my $loop = cdn(nodes => [ ({ bad => { redirect => 'PATH' } }) x 2 ]);
my $circle = cdn(nodes => [ { bad => { handler => sub ($q) {
    (302, { Location => $q->{uri} eq '/a.bin' ? '/b' : '/a.bin' }, '') } } } ]);
for my $c ($loop, $circle) {
    $r = shoal_end(start($c));
    is($r->{status}, 8, 'redirects in a circle');
    like($r->{stderr}, qr/^shoal: .*redirect/m, 'says so');
    cmp_ok($r->{seconds}, '<', deadline(3), 'soon');
}

$r = shoal_end($lagging);
download_ok($r, $file, '4.6 s to the first byte after a break');

# It is still overloaded when asked again, until it is not.
wait_for { $hour->node(0)->requests(status => 503) } 5, 'a 503';
$hour->node(0)->set(each => undef);
$r = shoal_end($later, 40);
download_ok($r, $file, 'Retry-After: 3600');
cmp_ok($r->{seconds}, '<', deadline(15), 'not an hour');
note(sprintf '%.1f s', $r->{seconds});

SKIP: {
    skip 'SHOAL_LONG=1 waits a minute', 2 if !$muted;
    $r = shoal_end($muted, 100);
    is($r->{status}, 4, 'a node that never answers: an error');
    like($r->{stderr}, qr/^shoal: .*no answer for 60 seconds/m, 'says so');
}

finish();
