# How often, how long and how fast: --tries, --waitretry, --timeout,
# --limit-rate, Retry-After.

use v5.36;
use JSON::PP;
use Shoal::Test;

my $size = 3 * 65536 + 5;
my $file = make_file(tmpdir('tries') . '/a.bin', $size, 1, 1700000000);

# A node that does this to the first GETs, and is well from then on.
sub node_with($times, %how) {
    my $cdn = cdn(nodes => [ { bad => { each => sub ($q) {
        $q->{method} eq 'GET' && $q->{before} >= $times ? ()
            : (%how, head => 'forbid') } } } ]);
    $cdn->link_file($file, 'a.bin');
    return $cdn;
}

sub gets($cdn) { return scalar $cdn->node(0)->requests(method => 'GET') }

my @cases = (
    # name, GETs that fail and how, arguments, GETs, exit status, seconds
    [ '503, no word of when', 9, [ status => 503 ], [], 1, 8, 0 ],
    [ '503, -t3', 9, [ status => 503 ], [ '-t3' ], 3, 8, 0.7 ],
    [ '500, -t2', 9, [ status => 500 ], [ '-t2' ], 2, 8, 0.2 ],
    [ '429, -t1', 9, [ status => 429 ], [ '-t1' ], 1, 8, 0 ],
    [ '403, -t3', 9, [ status => 403 ], [ '-t3' ], 2, 8, 0 ],
    [ '404, -t3', 9, [ status => 404 ], [ '-t3' ], 1, 8, 0 ],
    [ '401, -t3', 9, [ status => 401 ], [ '-t3' ], 1, 6, 0 ],
    [ '501, -t3', 9, [ status => 501 ], [ '-t3' ], 2, 8, 0 ],
    [ '503 twice, -t3', 2, [ status => 503 ], [ '-t3' ], 3, 0, 0.7 ],
    [ '503 twice, --waitretry=0', 2, [ status => 503 ],
      [ '-t3', '--waitretry=0' ], 3, 0, 0 ],
    [ '503 twice, -t0', 2, [ status => 503 ], [ '-t0' ], 3, 0, 0.7 ],
    [ '503 once, Retry-After: 2', 1, [ status => 503, retry_after => 2 ], [],
      2, 0, 2 ],
    [ '429 once, Retry-After: 1', 1, [ status => 429, retry_after => 1 ],
      [ '-t2' ], 2, 0, 1 ],
    [ 'broken, -t1', 9, [ drop => 1 ], [ '-t1' ], 1, 4, 0 ],
    [ 'broken, -t2', 9, [ drop => 1 ], [ '-t2' ], 2, 4, 0.2 ],
    [ 'broken twice, -t3 --waitretry=1', 2, [ drop => 1 ],
      [ '-t3', '--waitretry=1' ], 3, 0, 2 ],
    [ 'broken three times, --waitretry=2', 3, [ drop => 1 ],
      [ '-t4', '--waitretry=2' ], 4, 0, 5 ],
    [ 'broken three times, --waitretry=0', 3, [ drop => 1 ],
      [ '-t4', '--waitretry=0' ], 4, 0, 0 ],
    [ 'mute, -T1 -t2', 9, [ hang => 1 ], [ '-T1', '-t2' ], 2, 4, 2 ],
    [ 'standing still, -T1 -t2', 1, [ stall => 70_000 ], [ '-T1', '-t2' ],
      2, 0, 1 ],
    [ 'cut short, -t1', 9, [ truncate => 70_000 ], [ '-t1' ], 1, 4, 0 ],
    [ 'cut short twice, -t3', 2, [ truncate => 70_000 ], [ '-t3' ], 3, 0, 0 ],
);
my @running = map {
    my ($name, $times, $how, $args) = @$_;
    my $cdn = node_with($times, @$how);
    [ $_, $cdn, shoal_start($cdn->client_args, @$args, $cdn->url('a.bin')) ];
} @cases;

# Beside them: the limit is on the whole, whatever the number of sources.
my $large = 8 * 65536;
my $fast = cdn(nodes => 3);
my $path = $fast->file('b.bin', $large, 2);
my @limited = map { [ $_, shoal_start($fast->client_args,
    "--limit-rate=$_->[0]", '--report=' . tmpdir('tries') . "/$_->[0].json",
    $fast->url('b.bin')) ] }
    [ '100k', 102400 ], [ '400k', 409600 ];

# A super peer's bytes count as others do.
my $stage = stage(nodes => 1, superpeers => 1);
my $shared = $stage->cdn->file('c.bin', 1048576, 3);
$stage->get('c.bin');
$stage->wait_ready('c.bin', 1);
my $r = $stage->get('c.bin', '--limit-rate=400k', '-O', 'again');
is($r->{status}, 0, '--limit-rate, with a super peer') or diag($r->{stderr});
same_file("$r->{dir}/again", $shared, 'the file');
like($r->{stderr}, qr/super peer +[1-9]/, 'it gave some');
cmp_ok($r->{seconds}, '>=', 1048576 / 409600 * 0.95, 'not faster');

for my $run (@running) {
    my ($name, undef, undef, undef, $gets, $status, $least) = @{ $run->[0] };
    $r = shoal_end($run->[2], 60);
    is($r->{status}, $status, "$name: exit status") or diag($r->{stderr});
    is(gets($run->[1]), $gets, "$name: so many GETs");
    cmp_ok($r->{seconds}, '>=', $least, "$name: not sooner");
    cmp_ok($r->{seconds}, '<', deadline($least + 20), "$name: nor much later");
    same_file("$r->{dir}/a.bin", $file, "$name: the file") if $status == 0;
}
for my $run (@limited) {
    my ($name, $rate) = @{ $run->[0] };
    $r = shoal_end($run->[1], 60);
    download_ok($r, $path, "--limit-rate=$name");
    my $report = decode_json(slurp(tmpdir('tries') . "/$name.json"));
    my $seconds = $report->{files}[0]{seconds};
    my $least = $large / $rate * 0.95;
    cmp_ok($seconds, '>=', $least, "--limit-rate=$name: not faster");
    cmp_ok($seconds, '<', deadline($least * 1.3 + 1), 'nor much slower');
}

# Nobody there; a name that is none.
my $nobody = free_port('127.0.0.33');
$r = shoal('-t3', "http://127.0.0.33:$nobody/a.bin");
is($r->{status}, 4, 'refused: at once, as by wget');
like($r->{stderr}, qr{^shoal: http://127.0.0.33:$nobody/a.bin: }m,
    'the URL is named');
cmp_ok($r->{seconds}, '<', deadline(2), 'soon');

finish();
