# Requests that are parked behind auth_request, over HTTP/1.1 and HTTP/2: what
# is refused leaves no trace, what is let in waits and is woken as ever. Real
# addresses of each stream, and a Unix socket, which has none.

use v5.36;
use IO::Socket::UNIX;
use Shoal::Agent qw(agent);
use Shoal::H2 qw(h2);
use Shoal::Nginx qw(http2_conf);
use Shoal::Test;
use Shoal::Torrent qw(bt_query info_hash);

my $two = free_port('127.0.0.2');
my $sock = tmpdir('sock') . '/tracker';

my $locations = <<'EOC';
        location = /auth {
            internal;
            if ($http_x_user = "") { return 401; }
            if ($http_x_user = "bad") { return 403; }
            return 204;
        }
        location = /peers { auth_request /auth; tracker_peers swarm; tracker_delay 500ms; }
        location = /long { auth_request /auth; tracker_peers swarm; tracker_delay 20s; }
        location = /control {
            auth_request /auth;
            tracker_control swarm;
            tracker_register on;
        }
        location = /announce { auth_request /auth; tracker_announce swarm; }
        location = /real { tracker_peers swarm; tracker_delay 0; }
        location = /metrics { tracker_metrics swarm; }
EOC

my $t = tracker(workers => 2, http => <<"EOC", locations => $locations);
    server {
        @{[ http2_conf("127.0.0.2:$two") ]}
        set_real_ip_from 127.0.0.77;
        real_ip_header X-Forwarded-For;
        real_ip_recursive on;
$locations
    }
    server {
        listen unix:$sock;
$locations
    }
EOC

my $root = '6c' x 32;
my $n = 0;
sub file() { return (url => 'http://cdn.example.com/' . ++$n, size => 1000) }
sub swarms() { return $t->metrics->{'shoal_tracker_swarms{type="resource"}'} }

# The addresses that a list names.
sub addrs($json) { return join ' ', sort map { $_->{addr} } @{ $json->{peers} } }

my $user = { 'X-User' => 'me' };

subtest 'auth_request' => sub {
    my %f = file();
    my $r = $t->ask(%f, port => 4000);
    is($r->{status}, 401, 'nobody');
    is($t->ask(%f, port => 4000, headers => { 'X-User' => 'bad' })->{status}, 403, 'somebody else');
    is($t->control({ name => 'a', session => '0' x 16, seq => 1, port => 1 })->{status},
        401, 'a call');
    is($t->control({ name => 'a', session => '0' x 16, seq => 1, port => 1 },
        body => "~$root\n" x 5000)->{status}, 401, 'a call with a body');
    is(http(GET => $t->base . '/' . bt_query('announce', info_hash => info_hash('a'),
        port => 1))->{status}, 401, 'an announce');
    is(swarms(), 0, 'no trace');
    my $m = $t->metrics;
    is($m->{'shoal_tracker_answers_total{kind="peers",reason="forbidden"}'}, 2, 'counted');

    my $call = sub ($body, %more) {
        state $seq = 0;
        return http_start(POST => $t->control_url, headers => $user, body => $body,
            args => { name => 'sp', session => '00000000000000ab', port => 9090,
                seq => ++$seq, %more });
    };
    is($call->('')->wait(5)->{status}, 200, 'a super peer');
    my $poll = $call->('', wait_ms => 20000);
    my @q = map { $t->ask_start(%f, headers => $user, port => 4000 + $_) } 1 .. 20;
    my $j = $poll->wait(5)->json;
    my $id = $j->{prepare}[0]{id};
    ok($id, 'whose poll waits and is told');
    my @r = http_wait_all(5, @q);
    is(scalar(grep { $_ && $_->{status} == 200 } @r), 20, 'askers');
    is(scalar(grep { $_->{seconds} < 0.5 } @r), 0, 'which wait');
    my $q = http_start(GET => $t->base . '/long', args => \%f, headers => $user);
    ok(!$q->wait(0.1), 'another one waits');
    my $lines = ("~$id 1\n" x 8000) . "+$id $root cdn\n";
    is($call->($lines)->wait(5)->{status}, 200, 'a large call');
    $r = $q->wait(5);
    is($r->json->{super}[0]{state}, 'ready', 'and is woken');
    $r = http(GET => $t->base . '/' . bt_query('announce', info_hash => info_hash('a'),
        port => 1), headers => $user);
    like($r->{body}, qr/^d8:completei0e/, 'an announce');

    # clients that leave while the delay runs
    my @gone = map { $t->ask_start(file(), headers => $user) } 1 .. 20;
    $_->close for @gone;
    wait_for { !$t->metrics->{'shoal_tracker_parked{kind="peers"}'} } 5, 'all to be gone';
    pass('who leaves is gone');
};

subtest 'auth_request over HTTP/2' => sub {
    my $c = h2('127.0.0.2', $two);
    my $path = '/peers?size=10&url=http://cdn.example.com/h2-';
    my $r = $c->wait($c->request(GET => $path . 0, end => 1), 5);
    ok($r, 'refused');
    isnt($r->{status}, 200, 'nobody');
    my @id = map { $c->request(GET => $path . $_, end => 1, headers => [ 'x-user' => 'me' ]) } 1 .. 10;
    my $gone = $c->request(GET => $path . 11, end => 1, headers => [ 'x-user' => 'me' ]);
    $c->reset($gone);
    my @r = map { $c->wait($_, 5) } @id;
    is(scalar(grep { $_ && $_->{status} == 200 } @r), 10, 'all others are answered');
    $c->close;
};

subtest 'the real address' => sub {
    my %f = file();
    my $args = join '&', map { "$_=" . url_encode($f{$_}) } sort keys %f;
    my $ask = sub ($from, $forwarded, $port = undef) {
        my $c = h2('127.0.0.2', $two, from => $from);
        my $r = $c->wait($c->request(GET => "/real?$args" . ($port ? "&port=$port" : ''),
            end => 1, headers => [ 'x-forwarded-for' => $forwarded ]), 5);
        $c->close;
        return addrs(JSON::PP->new->decode($r->{body}));
    };
    is($ask->('127.0.0.77', '203.0.113.5', 4000), '', 'the first one');
    is($ask->('127.0.0.77', '2001:db8::5', 4001), '203.0.113.5:4000', 'IPv6');
    is($ask->('127.0.0.78', '203.0.113.6', 4002), '203.0.113.5:4000 [2001:db8::5]:4001',
        'who is no proxy is not believed');
    is($ask->('127.0.0.77', '203.0.113.5'), '127.0.0.78:4002 203.0.113.5:4000 [2001:db8::5]:4001',
        'its own address it has');
    is($ask->('127.0.0.77', 'x, 203.0.113.5', 4000), '127.0.0.78:4002 [2001:db8::5]:4001',
        'itself is not on the list');

    # no address at all: an answer, and nobody is registered
    my $s = IO::Socket::UNIX->new(Peer => $sock) or die "$sock: $!\n";
    my $r = http_raw(undef, undef, "GET /real?$args&port=4004 HTTP/1.1\r\n"
        . "Host: t\r\nConnection: close\r\n\r\n", sock => $s)->wait(5);
    is($r->{status}, 200, 'over a Unix socket');
    is(scalar(@{ $r->json->{peers} }), 3, 'a list');
    unlike($ask->('127.0.0.77', '203.0.113.7'), qr/:4004/, 'but no place on it');
};

finish();
