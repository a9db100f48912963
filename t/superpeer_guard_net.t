# To which addresses a super peer connects, whatever names and environment say:
# those of a node list that may be, never by a proxy, never with credentials.

use v5.36;
use Shoal::Dns qw(dns);
use Shoal::FakeTracker qw(fake_tracker);
use Shoal::Test;
use Shoal::Trap;

my $t = fake_tracker();
my $size = 300_000;
my $cdn = cdn(nodes => 2);
$cdn->file('a.bin', $size);
my $port = $cdn->port;
# the same port, so that only the address differs
my $trap = Shoal::Trap->new(addr => '127.0.0.9', port => $port);
my $proxy = Shoal::Trap->new(addr => '127.0.0.8');

sub outcome($url) {
    my $id = $t->prepare($url, $size);
    my $line = $t->wait_line(qr/^[+?]$id /, 20);
    return $line =~ /^\+/ ? '+' : $line =~ s/^(.)\S+ (\S+).*/$1$2/r;
}

# /to/NAME/PORT redirects to NAME.example.com.
my $redirects = cdn(host => 'sends.example.com', nodes => [ { addr => '127.0.0.12',
    bad => { handler => sub ($q) {
        my ($name, $to) = $q->{uri} =~ m{^/to/(\w+)/(\d+)} or return (404, {}, '');
        return (302, { Location => "http://$name.example.com:$to/a.bin" }, '');
    } } } ]);

my $home = tmpdir('home');
spew("$home/.netrc", "default login u password NETRC\n");
spew("$home/_netrc", "default login u password NETRC\n");
my %proxies = map { $_ => 'http://127.0.0.8:' . $proxy->port,
    uc $_ => 'http://127.0.0.8:' . $proxy->port }
    qw(http_proxy https_proxy all_proxy ftp_proxy);

my %name = (
    mixed  => '127.0.0.9,127.0.0.11',
    turned => '127.0.0.12,127.0.0.9,127.0.0.11',
    inside => '127.0.0.9',
    mapped => '::ffff:127.0.0.9',
    nat64  => '64:ff9b::7f00:9',
    unspecified => '0.0.0.0',
    many   => join(',', ('127.0.0.9') x 5, '127.0.0.11'),
);
my $sp = superpeer(trackers => [ $t->conf ],
    env => { HOME => $home, NETRC => "$home/.netrc", NO_PROXY => '', no_proxy => '', %proxies },
    origins => [ 'http://*.example.com:*' ],
    resolve => [ map { "$_.example.com:$port:$name{$_}" } sort keys %name ],
    settings => { allow_addresses => [ '127.0.0.11/32', '127.0.0.12/32' ] });

is(outcome("http://mixed.example.com:$port/a.bin"), '+', 'a node that may be and one that may not');
is(outcome("http://turned.example.com:$port/a.bin"), '+', 'in another order');
is(outcome("http://many.example.com:$port/a.bin"), '+', 'more of those that may not');
is($trap->touched, 0, 'the others are not connected to');
is(outcome("http://$_.example.com:$port/$_"), '?origin', "$_: refused as an origin")
    for qw(inside mapped nat64 unspecified);
is($trap->touched, 0, 'nor when there is no other');
my ($why) = grep { $_->{url} =~ /inside/ } @{ $sp->status->{refusals} };
is($why->{why}, '127.0.0.9: address not allowed', 'the status says which address');

is($proxy->touched, 0, 'proxy variables are not heeded');
my @requests = map { $_->requests } $cdn->nodes;
cmp_ok(scalar @requests, '>', 0, 'requests went to the nodes themselves');
is_deeply([ grep { $_->{uri} ne '/a.bin' } @requests ], [], 'as requests to an origin');
$sp->stop;

# Names of a DNS server that somebody else runs.
my $dns = dns();
my %of = (
    moves   => { ttl => 0, answers => [ { a => ['127.0.0.11'] }, { a => ['127.0.0.9'] } ] },
    flips   => { ttl => 0, answers => [ map { { a => ["127.0.0.$_"] } } (11, 9) x 20 ] },
    first   => { ttl => 0, answers => [ { a => ['127.0.0.9'] }, { a => ['127.0.0.11'] } ] },
    both    => { a => [ '127.0.0.9', '127.0.0.11' ] },
    alias   => { cname => 'secret.internal' },
    ipv6    => { aaaa => [ '::ffff:127.0.0.9', '::1', 'fe80::1', '64:ff9b::7f00:9' ] },
    private => { a => [ '10.0.0.1', '192.168.0.1', '169.254.169.254' ] },
);
$dns->set("$_.example.com", %{ $of{$_} }) for keys %of;
$dns->set('secret.internal', a => ['127.0.0.9']);
my $sp2 = superpeer(trackers => [ $t->conf ], name => 'sp2', cdn => $redirects,
    origins => [ 'http://*.example.com:*' ],
    settings => { allow_addresses => [ '127.0.0.11/32', '127.0.0.12/32' ],
        resolver => { servers => [ $dns->address ] } });

is(outcome("http://moves.example.com:$port/a.bin"), '+',
    'a name that moves inside after it was checked: fetched from where it was');
# an answer is kept for a second, whatever its records say
my $n = 0;
my $next = sub ($name) { outcome("http://$name.example.com:$port/a.bin?" . ++$n) };
is(wait_for(sub { $next->('moves') eq '?origin' }, 10, 'a refusal'), 1,
    'and refused when it has moved');
my %got;
wait_for {
    $got{ $next->('flips') }++;
    $dns->queries(name => 'flips.example.com', type => 'A') >= 3;
} 10, 'three answers';
is_deeply([ sort keys %got ], [ '+', '?origin' ], 'a name that moves to and fro: either');
is(outcome("http://first.example.com:$port/a.bin"), '?origin', 'one that begins inside');
is(outcome("http://both.example.com:$port/a.bin"), '+', 'one that is at both');
is(outcome("http://$_.example.com:$port/a.bin"), '?origin', "$_: refused as an origin")
    for qw(alias ipv6 private);
is(outcome($redirects->url("to/moves/$port")), '?origin', 'a redirect to a name that has moved');
is(outcome($redirects->url("to/both/$port")), '+', 'to one that is at both');
is($trap->touched, 0, 'nothing inside was connected to');
$sp2->stop;

# What should have seen a connection does see one.
http_raw('127.0.0.9', $port, "GET / HTTP/1.0\r\n\r\n")->close;
is($trap->touched, 1, 'the trap works');
my $client = shoal_start({ env => \%proxies }, $cdn->url('a.bin'));
wait_for { $proxy->touched } 10, 'the client at the proxy';
$client->kill9;
ok($proxy->touched, 'the client, which heeds them, comes by the proxy');

finish();
