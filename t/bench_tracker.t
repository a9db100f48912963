# What the benches stand on: the load generator counts right against a real
# nginx, and goals, parts and their documentation name the same ids.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../bench/lib";
use JSON::PP ();
use Shoal::Test;
use Shoal::Bench;
use Shoal::Bench::Announce;
use Shoal::Bench::Memory;
use Shoal::Bench::Parking;
use Shoal::Bench::Peers;
use Shoal::Load qw(load load_text cpu_per_request);

my @parts = qw(Peers Announce Memory Parking);
my $goals = JSON::PP->new->decode(slurp(top() . '/bench/goals.json'));
my @ids = map { $_->{id} } @{ $goals->{tracker} };
is_deeply([ sort map { "Shoal::Bench::$_"->ids } @parts ], [ sort @ids ],
    'parts and goals');
my $doc = slurp(top() . '/docs/benchmarks.md');
is_deeply([ grep { $doc !~ /\| `$_` \|/ } @ids ], [], 'documented');

my $port = free_port();
my $n = nginx(http => <<"EOC");
    log_format asked '\$remote_addr \$connection \$request_uri';
    server {
        listen 127.0.0.1:$port;
        real_ip_header X-Real-IP;
        set_real_ip_from 127.0.0.0/8;
        location / {
            access_log asked asked;
            return 200 "\$args\n";
        }
        location = /missing { return 404; }
        location = /cut { return 444; }
    }
EOC
my $server = "127.0.0.1:$port";

# What nginx saw since the last time: [address, connection, URI].
my $seen = 0;
sub seen($want) {
    my @lines;
    wait_for {
        @lines = split /\n/, slurp($n->dir . '/asked');
        @lines >= $seen + $want;
    } 5, 'the access log';
    my @new = map { [split / /] } @lines[$seen .. $#lines];
    $seen = @lines;
    return @new;
}

sub distinct(@values) { my %v = map { $_ => 1 } @values; return scalar keys %v }

my $url = '/a?n={k/2%50}&r={r%10}&i={k:hex}';
my @text = load_text($url, 300);
is($text[7] =~ s/&.*//r, '/a?n=3', 'a field');
is(distinct(map { /i=([0-9a-f]{40})$/ } @text), 300, 'ids');

my $r = load(run => $server, url => $url, requests => 300, connections => 7,
    header => 'X-Real-IP: {k+167772161:ip}');
is($r->{requests}, 300, 'counted');
is($r->{connections}, 7, 'kept alive');
is($r->{body_bytes}, length(join '', map { s/.*\?//r } @text) + 300, 'bodies');
my @asked = seen(300);
is_deeply([ sort map { $_->[2] } @asked ], [ sort @text ], 'what was asked');
is(distinct(map { $_->[0] } @asked), 300, 'addresses');
is(distinct(map { $_->[1] } @asked), 7, 'connections');

$r = load(run => $server, url => '/a?{k}', requests => 50, close => 1,
    from => '127.0.3.1,5', connections => 4);
@asked = seen(50);
is(distinct(map { $_->[1] } @asked), 50, 'a connection each');
is(distinct(map { $_->[0] } @asked), 5, 'client addresses');

ok(!eval { load(run => $server, url => '/missing', requests => 9) },
    'another status');
like($@, qr/wrong_status: 9 of 9/, 'is counted');
ok(!eval { load(run => $server, url => '/cut', requests => 9) },
    'no answer');
like($@, qr/errors: 9 of 0/, 'is counted');

$r = load(park => $server, url => '/a?{k}', requests => 200, rate => 2000,
    settle_ms => 0);
is($r->{answered}, 200, 'park: a connection each');
is(distinct(map { $_->[1] } seen(200)), 200, 'as nginx saw it');
cmp_ok($r->{ms}{min}, '>', 0, 'times');

finish();
