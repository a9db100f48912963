# A token in a URL's query is used to fetch the file, and stands in no log and
# on no page: the tracker's, super peers', the client's.

use v5.36;
use Shoal::Test;

my $size = 3_000_000;
# nginx logs the request line of whom it slows down
my $s = stage(nodes => 2, superpeers => 1, limit_rate => '4m',
    tracker => { origin => 'cdn.example.com signed',
        http => 'limit_req_zone $binary_remote_addr zone=z:1m rate=100r/m;',
        peers => 'limit_req zone=z burst=100; limit_req_log_level error;' });
my $path = $s->cdn->file('a.bin', $size, 5);
my %id;

sub get_it($query, @more) {
    my $r = $s->get({ deadline => 40 }, "a.bin?$query", '--bind-address=127.0.1.77', '-O', 'out', @more);
    $r->{file} = "$r->{dir}/out";
    return $r;
}

my $r = get_it('token=GEHEIM1&x=1');
download_ok($r, $path, 'cold');
my $version = sprintf 'etag:"%x-%x"', (stat $path)[9, 7];
my $url = $s->cdn->url('a.bin?token=GEHEIM1&x=1');
my $ask = sub { $s->tracker->ask(size => $size, version => $version,
    headers => { 'Shoal-URL' => $url })->json };
wait_for { grep { $_->{state} eq 'ready' } @{ $ask->()->{super} } } 20, 'the super peer';
$s->cdn->set(limit_rate => '40k');
$r = get_it('token=GEHEIM1&x=1');
download_ok($r, $path, 'warm');
$s->cdn->set(limit_rate => '4m');
like($r->{stderr}, qr/^ +all +super peer +[1-9]/m, 'with a super peer');
my @fetched = grep { $_->{remote} eq $s->sp(0)->addr && $_->{uri} =~ /token=GEHEIM1/ }
    map { $_->requests } $s->cdn->nodes;
ok(scalar @fetched, 'which fetched it with the token');
my $id = $ask->()->{id};

# Told to a tracker that does not want such URLs, and one that is not there.
my $strict = tracker(origin => 'cdn.example.com');
my $dead = 'http://127.0.0.2:' . free_port('127.0.0.2') . '/peers';
my $no = get_it('token=GEHEIM2', '--tracker', $strict->url . '?k=OFFEN3', '--tracker', "$dead?k=OFFEN4");
download_ok($no, $path, 'a tracker that refuses it');
like($no->{stderr}, qr/tracker \S+: HTTP 403$/m, 'as the report says');

# Errors of the client's own.
my @failed = map { get_it(@$_) } [ 'none=1&token=GEHEIM5', '--checksum', 'sha-256=' . '0' x 64 ],
    [ 'token=GEHEIM6', '--layer', $s->cdn->url('none.shoal?token=GEHEIM7') ];
isnt($_->{status}, 0, 'a failure') for @failed;

my @cache = map { join '', (run_cmd({ env => { san_env() } }, program('superpeer'), 'cache', $_,
    '-c', $s->sp(0)->conf, $_ eq 'ls' ? () : $id))[1, 2] } qw(ls show verify);
my %where = (
    "the super peer's lists"   => "@cache",
    "the tracker's access log" => slurp("$s->{tracker}{dir}/access.log") . slurp("$strict->{dir}/access.log"),
    "the tracker's error log"  => $s->tracker->error_log . $strict->error_log,
    "the tracker's status"     => join('', map { http(GET => $s->tracker->base . "/status$_")->{body} } '', "?id=$id"),
    "the tracker's metrics"    => http(GET => $s->tracker->base . '/metrics')->{body},
    "the super peer's log"     => $s->sp(0)->stderr,
    "the super peer's status"  => http(GET => $s->sp(0)->status_url('/status'))->{body},
    "the super peer's metrics" => http(GET => $s->sp(0)->status_url('/metrics'))->{body},
    "the client's messages"    => join('', map { $_->{stdout} . $_->{stderr} } $r, $no, @failed),
);
unlike($where{"the client's messages"}, qr/OFFEN/, "nor what a tracker's own URL holds");
for my $where (sort keys %where) {
    unlike($where{$where}, qr/GEHEIM/, "not in $where") or diag($where{$where});
}
like($where{"the tracker's error log"}, qr{delaying request.*request: "GET /peers\?}, 'a request is in the error log');
like($where{"the tracker's status"}, qr{"url":"http://cdn\.example\.com:\d+/a\.bin"}, 'the status has the rest of the URL');
like($where{"the super peer's lists"}, qr{/a\.bin}, "so have the super peer's lists");
like($where{"the super peer's log"}, qr{/a\.bin}, "and so has the super peer's log");

finish();
