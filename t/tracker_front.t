# What nginx has in front of the tracker: auth_request, secure_link, limit_req,
# the real address of a client, over HTTP/1.1 and HTTP/2. What they refuse
# leaves no trace; what they let pass is parked and woken as ever.

use v5.36;
use Digest::MD5 qw(md5_base64);
use IO::Socket::UNIX;
use Shoal::Agent qw(agent);
use Shoal::H2 qw(h2);
use Shoal::Nginx qw(http2_conf);
use Shoal::Test;
use Shoal::Torrent qw(bt_query info_hash);

my ($two, $proxied) = map { free_port('127.0.0.2') } 1, 2;
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
        location = /linked {
            secure_link $arg_md5,$arg_expires;
            secure_link_md5 "$arg_expires $remote_addr secret";
            if ($secure_link = "") { return 403; }
            if ($secure_link = "0") { return 410; }
            tracker_peers swarm;
            tracker_delay 0;
        }
        location = /limited {
            limit_req zone=few burst=1;
            limit_req_status 429;
            tracker_peers swarm;
            tracker_delay 300ms;
        }
        location = /real { tracker_peers swarm; tracker_delay 0; }
        location = /metrics { tracker_metrics swarm; }
EOC

my $t = tracker(workers => 2, http => <<"EOC", locations => $locations);
    limit_req_zone \$arg_who zone=few:1m rate=2r/s;
    server {
        @{[ http2_conf("127.0.0.2:$two") ]}
        set_real_ip_from 127.0.0.77;
        real_ip_header X-Forwarded-For;
        real_ip_recursive on;
$locations
    }
    server {
        listen 127.0.0.2:$proxied proxy_protocol;
        listen unix:$sock;
        set_real_ip_from 127.0.0.77;
        real_ip_header proxy_protocol;
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

subtest 'secure_link' => sub {
    my $get = sub ($expires, $addr, $secret = 'secret') {
        my $md5 = md5_base64("$expires $addr $secret") =~ tr{+/}{-_}r;
        return http(GET => $t->base . '/linked', from => '127.0.0.9',
            args => { file(), md5 => $md5, expires => $expires });
    };
    my $before = swarms();
    is($get->(time + 60, '127.0.0.9', 'guess')->{status}, 403, 'not signed');
    is($get->(time + 60, '127.0.0.8')->{status}, 403, 'for another address');
    is($get->(time - 60, '127.0.0.9')->{status}, 410, 'too late');
    is(swarms(), $before, 'no trace');
    my $r = $get->(time + 60, '127.0.0.9');
    is($r->{status}, 200, 'signed');
    like($r->json->{id}, qr/^[0-9a-f]{40}$/, 'answered');
};

subtest 'limit_req' => sub {
    my @q = map { http_start(GET => $t->base . '/limited', args => { file(),
        who => 'a', port => 5000 + $_ }) } 1 .. 6;
    my @r = http_wait_all(10, @q);
    my @ok = grep { $_->{status} == 200 } @r;
    is(@ok, 2, 'one, and one that has to wait');
    is(scalar(grep { $_->{status} == 429 } @r), 4, 'the others are refused');
    is(scalar(grep { $_->{seconds} < 0.3 } @ok), 0, 'none is early');
    my $last = (sort { $b <=> $a } map { $_->{seconds} } @ok)[0];
    cmp_ok($last, '>=', 0.3 + 0.4, 'both waits add up');
    is($t->metrics->{'shoal_tracker_answers_total{kind="peers",reason="limited"}'}, 4, 'counted');
    is(http(GET => $t->base . '/limited', args => { file(), who => 'b' })->{status}, 200,
        'somebody else');
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
    is($ask->('127.0.0.77', '203.0.113.5', 4000), '', 'by a proxy');
    is($ask->('127.0.0.77', '2001:db8::5', 4001), '203.0.113.5:4000', 'IPv6');
    is($ask->('127.0.0.78', '203.0.113.6', 4002), '203.0.113.5:4000 [2001:db8::5]:4001',
        'who is no proxy is not believed');
    is($ask->('127.0.0.77', '203.0.113.5'), '127.0.0.78:4002 203.0.113.5:4000 [2001:db8::5]:4001',
        'its own address it has');
    is($ask->('127.0.0.77', 'x, 203.0.113.5', 4000), '127.0.0.78:4002 [2001:db8::5]:4001',
        'itself is not on the list');

    my $raw = sub ($proxy) {
        my $q = http_raw('127.0.0.2', $proxied, "$proxy\r\nGET /real?$args&port=4003 HTTP/1.1\r\n"
            . "Host: t\r\nConnection: close\r\n\r\n", from => '127.0.0.77');
        return $q->wait(5);
    };
    is($raw->('PROXY TCP4 203.0.113.9 127.0.0.2 1000 80')->{status}, 200, 'PROXY protocol');
    like($ask->('127.0.0.77', '203.0.113.7'), qr/\b203\.0\.113\.9:4003\b/, 'listed');

    # no address at all: an answer, and nobody is registered
    my $s = IO::Socket::UNIX->new(Peer => $sock) or die "$sock: $!\n";
    my $r = http_raw(undef, undef, "GET /real?$args&port=4004 HTTP/1.1\r\n"
        . "Host: t\r\nConnection: close\r\n\r\n", sock => $s)->wait(5);
    is($r->{status}, 200, 'over a Unix socket');
    is(scalar(@{ $r->json->{peers} }), 4, 'a list');
    unlike($ask->('127.0.0.77', '203.0.113.7'), qr/:4004/, 'but no place on it');
};

finish();
