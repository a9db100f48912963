# The tracker among nginx's other modules, beside what tracker_front.t has in
# front of it: limits on connections, real addresses on one connection,
# redirects, subrequests, filters, pipelining, logs.

use v5.36;
use Shoal::Agent qw(agent);
use Shoal::Test;

my $dir = tmpdir('www');
my $back = free_port('127.0.0.2');
my $ask = 'url=http://cdn.example.com/f&size=10';
spew("$dir/page.html", qq(<!--#include virtual="/now?$ask" -->|)
    . qq(<!--#include virtual="/peers?$ask" -->|)
    . '<!--#include virtual="/now?size=10" -->');

my $t = tracker(workers => 2, delay => '20s', http => <<"EOC", server => <<"EOS");
    limit_conn_zone \$binary_remote_addr zone=conn:1m;
    server {
        listen 127.0.0.2:$back;
        location / {
            add_header X-Accel-Redirect /now?$ask;
            return 204;
        }
    }
EOC
        set_real_ip_from 127.0.0.1;
        real_ip_header X-Forwarded-For;
        root $dir;
        location = /now { tracker_peers swarm; tracker_delay 0; }
        location = /soon { tracker_peers swarm; tracker_delay 200ms; }
        location = /conn {
            limit_conn conn 2;
            tracker_peers swarm;
            tracker_delay 20s;
        }
        location = /rewritten { rewrite ^ /now last; }
        location = /tried { try_files /none /now?\$args; }
        location = /failed { error_page 404 = /now?\$args; root $dir/none; }
        location = /accel { proxy_pass http://127.0.0.2:$back; }
        location = /forever { rewrite ^ /forever last; }
        location = /moved { return 307 /now\$is_args\$args; }
        location = /page.html { ssi on; }
        location = /added {
            addition_types *;
            add_after_body /asking;
            return 200 before;
        }
        location = /asking { rewrite ^ /now?$ask last; }
        location = /zipped {
            gzip on;
            gzip_types application/json;
            gzip_min_length 1;
            charset utf-8;
            charset_types application/json;
            tracker_peers swarm;
            tracker_delay 0;
        }
        location = /stub { stub_status; }
EOS

sub get($path, %o) { return http(GET => $t->base . $path, %o) }
sub peers($file) {
    return join ' ', sort map { $_->{addr} } @{ get(
        "/now?url=http://cdn.example.com/$file&size=10")->json->{peers} };
}

my $sp = agent($t);
$sp->say;

subtest 'limit_conn' => sub {
    my %me = (from => '127.0.0.41');
    my @q = map { http_start(GET => $t->base . "/conn?$ask", %me) } 1, 2;
    wait_for { $t->metrics->{'shoal_tracker_parked{kind="peers"}'} == 2 } 5,
        'both to be parked';
    is(get("/conn?$ask", %me)->{status}, 503, 'who is parked counts');
    $_->close for @q;
    wait_for { get("/conn?$ask&event=stopped", %me)->{status} == 200 } 5,
        'who left not to count';
};

subtest 'real addresses' => sub {
    my $add = sub ($from, $port, $for) {
        is(get("/now?url=http://cdn.example.com/r&size=10&port=$port",
            from => $from, headers => { 'X-Forwarded-For' => $for })
            ->{status}, 200, "$from for $for");
    };
    $add->('127.0.0.1', 4001, '203.0.113.9');
    $add->('127.0.0.1', 4002, '2001:db8::9');
    $add->('127.0.0.1', 4003, '198.51.100.1, 203.0.113.10');
    $add->('127.0.0.5', 4004, '203.0.113.11');
    $add->('127.0.0.1', 4005, 'rubbish');
    is(peers('r'), '127.0.0.1:4005 127.0.0.5:4004 203.0.113.10:4003'
        . ' 203.0.113.9:4001 [2001:db8::9]:4002', 'as nginx has them');

    # another one in each request of a connection, parked
    my $request = sub ($port, $for) {
        return "GET /soon?url=http://cdn.example.com/k&size=10&port=$port"
            . " HTTP/1.1\r\nHost: t\r\n$for\r\n";
    };
    my $q = http_raw($t->addr, $t->port, $request->(1, "X-Forwarded-For: 203.0.113.1\r\n")
        . $request->(2, "X-Forwarded-For: 203.0.113.2\r\n")
        . $request->(3, "Connection: close\r\n"), from => '127.0.0.1');
    wait_for { peers('k') =~ /:3/ } 5, 'the last one to be registered';
    is(peers('k'), '127.0.0.1:3 203.0.113.1:1 203.0.113.2:2', 'each its own');

    # a super peer behind a proxy is where its calls come from
    my $r = http(POST => $t->control_url, args => { %{ $sp->args },
        name => 'far', session => '00000000000000cd', port => 7 }, body => '',
        from => '127.0.0.1', headers => { Authorization => 'Bearer sesame',
        'X-Forwarded-For' => '203.0.113.77' });
    is($r->{status}, 200, 'a call');
    my $id = get("/now?url=http://cdn.example.com/s&size=10")->json->{id};
    http(POST => $t->control_url, args => { %{ $sp->args }, seq => 1000,
        name => 'far', session => '00000000000000cd', port => 7 },
        body => "+$id - cdn\n", from => '127.0.0.1', headers => {
        Authorization => 'Bearer sesame', 'X-Forwarded-For' => '203.0.113.77' });
    is(get("/now?url=http://cdn.example.com/s&size=10")->json->{super}[0]{url},
        'http://203.0.113.77:7', 'its address');

};

subtest 'redirects and subrequests' => sub {
    my $id = get("/now?$ask")->json->{id};
    is(get("/$_?$ask")->json->{id}, $id, $_)
        for qw(rewritten tried failed accel);
    is(get('/failed')->{body}, "url: missing\n", 'refused there');
    is(get("/forever?$ask")->{status}, 500, 'round and round');
    is(get("/moved?$ask")->{headers}{location} =~ s{.*/now}{/now}r,
        "/now?$ask", 'return');
    my $r = get("/page.html");
    like($r->{body}, qr/^\{"id":"$id".*\}\n?\|\{"id":"$id".*\}\n?\|url: missing\n$/s,
        'SSI, neither parked nor refused as a page');
    cmp_ok($r->{seconds}, '<', 10, 'at once');
    $r = get("/added?$ask");
    like($r->{body}, qr/^before\{"id":"$id"/, 'added behind another body');
};

subtest 'filters' => sub {
    my $plain = get("/now?$ask")->{body};
    my $r = get("/zipped?$ask", headers => { 'Accept-Encoding' => 'gzip' });
    is($r->{headers}{'content-encoding'}, 'gzip', 'gzip');
    spew("$dir/out.gz", $r->{body});
    my ($st, $out) = run_cmd('gzip', '-dc', "$dir/out.gz");
    is($out, $plain, 'what it holds');
    is(get("/zipped?$ask")->{headers}{'content-type'},
        'application/json; charset=utf-8', 'charset');
    $r = get("/now?$ask", headers => { Range => 'bytes=0-3' });
    is("$r->{status} $r->{body}", "200 $plain", 'no ranges');
    $r = get("/now?$ask", headers => { 'If-None-Match' => '*',
        'If-Modified-Since' => 'Mon, 01 Jan 2035 00:00:00 GMT' });
    is($r->{status}, 200, 'nothing to be not modified');
};

subtest 'connections' => sub {
    my $head = "GET /soon?$ask HTTP/1.1\r\nHost: t\r\n";
    my $t0 = now;
    my $q = http_raw($t->addr, $t->port, "$head\r\n" x 2
        . "HEAD /soon?$ask HTTP/1.1\r\nHost: t\r\n\r\n"
        . "GET /stub HTTP/1.1\r\nHost: t\r\n\r\n"
        . "${head}Connection: close\r\n\r\n");
    my $text = '';
    wait_for { !defined sysread($q->{sock}, $text, 65536, length $text)
        ? 0 : $text =~ /Connection: close/ && $text =~ /\}\n?\z/ } 5, 'all';
    is(scalar(() = $text =~ m{^HTTP/1\.1 200}mg), 5, 'pipelined and parked');
    like($text, qr/"id".*"id".*Active.*"id"/s, 'in their order');
    cmp_ok(now - $t0, '>=', 0.8, 'each with its delay');
    $q = http_raw($t->addr, $t->port, "GET /soon?$ask HTTP/1.0\r\n\r\n");
    is($q->wait(5)->{status}, 200, 'HTTP/1.0');
    ok(!$q->pending, 'and its end');
    my $r;
    for (1 .. 3) {
        $r = http_start(GET => $t->base . "/soon?$ask", keepalive => 1,
            $r ? (on => $r) : ())->wait(5) // last;
    }
    is($r && $r->{status}, 200, 'keepalive');
    my ($line) = slurp($t->dir . '/access.log') =~ m{.*"GET /soon.* (\S+)\n\z}s;
    cmp_ok($line, '>=', 0.199, '$request_time has the delay');
    cmp_ok($line, '<', 5, 'and not more');
};

finish();
