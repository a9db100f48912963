# Requests as the user wants them: headers shown, redirects counted, families,
# proxies, the local address; header lines that would break them.

use v5.36;
use Shoal::Test;
use Shoal::Proxy;

my $size = 3 * 65536 + 5;
my $cdn = cdn(nodes => [ { bad => { headers => { 'X-Evil' => "a\x1b[2Jb" },
    each => sub ($q) {
        $q->{uri} =~ m{^/hops/(\d)$} && $1 > 0
            ? (redirect => '/hops/' . ($1 - 1)) : () } } }, {} ]);
my $file = $cdn->file('a.bin', $size, 1);
$cdn->node(0)->link_file($file, 'hops/0');

sub get($name, @args) {
    return shoal($cdn->client_args(0), @args, $cdn->url($name));
}

# -S
my $r = get('a.bin', '-S');
download_ok($r, $file, '-S');
like($r->{stderr}, qr/^127\.0\.0\.11 answers:\n  HTTP\/1\.1 20[06] /m,
    'status lines are shown');
like($r->{stderr}, qr/^  ETag: "/m, 'and headers');
like($r->{stderr}, qr/^  X-Evil: a\?\[2Jb$/m, 'which do nothing to terminals');
unlike(get('a.bin')->{stderr}, qr/answers:/, 'not without -S');

# --max-redirect
for my $case ([ 0, 0, 0 ], [ 1, 0, 8 ], [ 1, 1, 0 ], [ 3, 2, 8 ], [ 3, 3, 0 ])
{
    my ($hops, $most, $status) = @$case;
    $r = get("hops/$hops", "--max-redirect=$most", '-O', 'x');
    is($r->{status}, $status, "$hops redirects, --max-redirect=$most");
    like($r->{stderr}, qr/^shoal: .*more than $most redirects/m, 'says so')
        if $status;
}

# Lines that cannot be sent, or that parts are fetched with.
for my $line ('Range: bytes=0-99', 'if-range: "s3cret"', 'No-colon-s3cret',
    "X: y\r\nCookie: s3cret", 'Content-Length: 5', "A b: s3cret")
{
    $r = get('a.bin', "--header=$line");
    is($r->{status}, 2, 'a bad --header: exit status 2');
    like($r->{stderr}, qr/^shoal: .*header: expected `Name: value`/m,
        'says why');
    unlike($r->{stderr}, qr/s3cret/, 'does not show it');
    is_deeply([ glob "$r->{dir}/*" ], [], 'and does nothing');
}

# -4, -6: a host with addresses of both families, one of them dead.
my $port = $cdn->port;
my $both = "both.example.com:$port:127.0.0.11,[::1]";
my $url = "http://both.example.com:$port/a.bin";
$r = shoal('--resolve', $both, '-4', $url);
download_ok($r, $file, '-4');
unlike($r->{stderr}, qr/::1/, 'no other address is known');
$r = shoal('--resolve', $both, '-6', '-t1', $url);
is($r->{status}, 4, '-6: nobody there');
unlike($r->{stderr}, qr/127\.0\.0\.11/, 'no other address is known');
$r = shoal('--resolve', $both, '--bind-address=127.0.0.77', $url);
download_ok($r, $file, '--bind-address');
is(($cdn->node(0)->requests)[-1]{remote}, '127.0.0.77', 'is taken');
unlike($r->{stderr}, qr/::1/, 'and its family alone');
for my $case ([ '-4', '[::1]', 'no IPv4' ], [ '-6', '127.0.0.11', 'no IPv6' ])
{
    my ($option, $host, $why) = @$case;
    $r = shoal($option, "http://$host:$port/a.bin");
    is($r->{status}, 4, "$option of a numeric address");
    like($r->{stderr}, qr/^shoal: .*$why address/m, 'says so');
}
is(get('a.bin', '-4', '-6')->{status}, 2, '-4 -6 contradict');

# A tracker of the other family hears nothing.
my $slow = cdn(nodes => [ { addr => '127.0.0.41', bad => { rate => 500_000 } } ]);
$slow->link_file($file, 'a.bin');

sub asks_tracker($at, @args) {
    my $t = Shoal::BadNode->new(addr => $at, port => free_port($at),
        status => 404)->start;
    my $url = 'http://' . ($at =~ /:/ ? "[$at]" : $at) . ":$t->{port}/peers";
    my $done = shoal($slow->client_args, '--tracker', $url, @args,
        $slow->url('a.bin'));
    is($done->{status}, 0, "@args, a tracker at $at");
    return $t->requests > 0;
}

ok(asks_tracker('127.0.0.40', '-4'), 'a tracker of that family is asked');
SKIP: {
    skip 'no IPv6 on loopback', 4
        if !defined IO::Socket::IP->new(LocalHost => '::1', Listen => 1);
    ok(asks_tracker('::1'), 'any tracker is');
    ok(!asks_tracker('::1', '-4'), 'none of the other family');
}

# Proxies
my $dead = 'http://127.0.0.42:' . free_port('127.0.0.42');
my $direct = "http://127.0.0.11:$port/a.bin";
for my $case ([ 4 ], [ 0, {}, '--no-proxy' ],
    [ 0, { no_proxy => 'x, 127.0.0.11' } ], [ 4, { no_proxy => '127.0.0.1' } ])
{
    my ($status, $env, @args) = @$case;
    $r = shoal({ env => { http_proxy => $dead, %{ $env // {} } } }, @args,
        '-t1', $direct);
    is($r->{status}, $status, "a dead proxy, @args " . join ' ',
        %{ $env // {} });
}

# Another vhost may have another file: nobody hears of it.
my $heard = tmpdir('heard') . '/hosts';
my $vhost = cdn(nodes => [ { addr => '127.0.0.43', bad => { rate => 500_000,
    each => sub ($q) { spew($heard, $q->{h}{host}); () } } } ]);
$vhost->link_file($file, 'a.bin');
my $deaf = Shoal::BadNode->new(addr => '127.0.0.44',
    port => free_port('127.0.0.44'), status => 404)->start;
$r = shoal($vhost->client_args, '--header=Host: other.example.com',
    '--tracker', "http://127.0.0.44:$deaf->{port}/", $vhost->url('a.bin'));
download_ok($r, $file, '--header=Host:');
is(slurp($heard), 'other.example.com', 'the CDN is asked for it');
is(scalar $deaf->requests, 0, 'the tracker is not');

finish();
