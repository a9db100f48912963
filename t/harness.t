# The harness itself.

use v5.36;
use Shoal::Test;
use IO::Select;
use IO::Socket::IP;
use Shoal::Dns qw(dns);
use Socket ();

subtest 'run_cmd' => sub {
    my ($st, $out, $err, $s) = run_cmd('sh', '-c', 'echo a; echo b >&2; exit 3');
    is($st, 3, 'status');
    is($out, "a\n", 'stdout');
    is($err, "b\n", 'stderr');
    ($st) = run_cmd({ deadline => 0.1 }, 'sleep', '60');
    is($st, 'timeout', 'deadline');
    ok(!eval { run_cmd('/nonexistent'); 1 }, 'a missing program is an error');
    like($@, qr/nonexistent/, 'which names it');
};

subtest 'data' => sub {
    my $a = make_file(tmpdir('d') . '/a', 100_000, 1);
    my $b = make_file(tmpdir('d') . '/b', 100_000, 1);
    my $c = make_file(tmpdir('d') . '/c', 100_000, 2);
    is(-s $a, 100_000, 'size');
    same_file($a, $b, 'one seed, one content');
    isnt(sha256_file($a), sha256_file($c), 'another seed, another content');
    is(-s make_file(tmpdir('d') . '/e', 0), 0, 'empty');
};

subtest 'cdn nodes' => sub {
    my $cdn = cdn(nodes => [ {}, { bad => {} }, {} ], headers => { 'X-A' => 'b' });
    my $path = $cdn->file('sub/a.bin', 200_000, 7);
    $cdn->node(2)->file('sub/a.bin', 1000, 8);
    my @r;
    for my $n ($cdn->nodes) {
        my $r = http(GET => $cdn->url('sub/a.bin'),
            connect => $n->addr . ':' . $n->port, from => '127.0.0.9',
            headers => { Range => 'bytes=10-19' });
        is($r->{status}, 206, 'ranges');
        push @r, $r;
    }
    my $want = substr slurp($path), 10, 10;
    is($r[0]{body}, $want, 'good node');
    is($r[1]{body}, $want, 'bad node that behaves');
    isnt($r[2]{body}, $want, 'stale node');
    is($r[0]{headers}{'x-a'}, 'b', 'headers');
    is($r[1]{headers}{etag}, $r[0]{headers}{etag}, 'same ETag');
    is($r[1]{headers}{'last-modified'}, $r[0]{headers}{'last-modified'}, 'same date');
    is($r[0]{headers}{'content-range'}, 'bytes 10-19/200000', 'Content-Range');
    is($r[1]{headers}{'content-range'}, 'bytes 10-19/200000', 'Content-Range');
    for my $n ($cdn->nodes) {
        $n->wait_requests(1);
        my ($q) = $n->requests;
        is_deeply([ @$q{qw(remote method uri status bytes range)} ],
            [ '127.0.0.9', 'GET', '/sub/a.bin', 206, 10, 'bytes=10-19' ], 'log');
        is($n->bytes, 10, 'bytes');
    }
    $cdn->node(0)->set(limit_rate => '100k');
    my $r = http(GET => $cdn->url('sub/a.bin'), connect => $cdn->node(0)->addr
        . ':' . $cdn->port);
    cmp_ok($r->{seconds}, '>', 0.8, 'limit_rate');
};

subtest 'bad nodes' => sub {
    my $get = sub ($opt, $method = 'GET', %o) {
        my $cdn = cdn(nodes => [ { bad => $opt } ]);
        $cdn->file('f', 300_000, 3);
        my $q = http_start($method => $cdn->url('f'),
            connect => '127.0.0.11:' . $cdn->port, %o);
        my $r = $q->wait(0.5);
        $q->close;
        $cdn->stop;
        return $r;
    };
    my %range = (headers => { Range => 'bytes=65536-131071' });
    is($get->({ head => 'forbid' }, 'HEAD')->{status}, 403, 'HEAD forbidden');
    is($get->({ head => 'hang' }, 'HEAD'), undef, 'HEAD hangs');
    is($get->({ head => 5 }, 'HEAD')->{headers}{'content-length'}, 300_005, 'HEAD lies');
    is($get->({ ranges => 0 }, 'GET', %range)->{status}, 200, 'no ranges');
    my $r = $get->({ ranges => 0, length => 'none' });
    is($r->{headers}{'content-length'}, undef, 'no length');
    is(length $r->{body}, 300_000, 'all of it until the close');
    is(length $get->({ ranges => 0, length => 'chunked' })->{body}, 300_000, 'chunked');
    is($get->({ shift => 1 }, 'GET', %range)->{headers}{'content-range'},
        'bytes 65537-131072/300000', 'wrong Content-Range');
    $r = $get->({ truncate => 1000 });
    is(length $r->{body}, 1000, 'truncated');
    ok($r->{short}, 'and known as such');
    is($get->({ stall => 1000 }), undef, 'stalls');
    is($get->({ status => 503, retry_after => 2 })->{headers}{'retry-after'}, 2, "503 with Retry-After");
    like($get->({ redirect => 'http://other/xPATH' })->{headers}{location},
        qr{^http://other/x/f$}, 'redirect');
    is($get->({ change => { after => 0, etag => '"z"' } })->{headers}{etag}, '"z"', 'changes');
    my $good = $get->({}, 'GET', %range)->{body};
    isnt($get->({ corrupt => 1 }, 'GET', %range)->{body}, $good, 'wrong bytes');
    is($get->({ corrupt => [ 0, 65535 ] }, 'GET', %range)->{body}, $good, 'outside of it');
    my $one = $get->({ corrupt => [ 65540, 65540 ] }, 'GET', %range)->{body} ^. $good;
    is($one =~ tr/\0//c, 1, 'one wrong byte');
};

subtest 'nginx' => sub {
    my $port = free_port('127.0.0.2');
    my $text = sub ($x) { "server { listen 127.0.0.2:$port; location / { return 200 $x; } }" };
    my $n = nginx(workers => 2, http => $text->('a'));
    is(http(GET => "http://127.0.0.2:$port/")->{body}, 'a', 'serves');
    my @old = $n->worker_pids;
    is(@old, 2, 'workers');
    $n->reload(http => $text->('b'));
    is(http(GET => "http://127.0.0.2:$port/")->{body}, 'b', 'reloaded');
    $n->wait_old_workers;
    ok(!grep({ kill 0, $_ } @old), 'old workers are gone');
    $n->restart;
    is(http(GET => "http://127.0.0.2:$port/")->{body}, 'b', 'restarted');
    is($n->stop, 0, 'stopped');
    $n->start;
    $n->kill9;
    ok(!port_open('127.0.0.2', $port), 'killed');
    is(nginx_conf_test(http => 'rubbish;')->{ok}, 0, 'bad configuration');
    like(nginx_conf_test(http => 'rubbish;')->{out}, qr/unknown directive/, 'message');
    is(nginx_conf_test(http => '')->{ok}, 1, 'good configuration');
};

subtest 'requests' => sub {
    my $cdn = cdn(nodes => 1, server => 'location = /slow { limit_rate 100; root '
        . tmpdir() . '; }');
    my $url = 'http://127.0.0.11:' . $cdn->port . '/slow';
    spew(tmpdir() . '/slow', 'x' x 1000);
    my $q = http_start(GET => $url);
    ok($q->pending, 'pending');
    $q->close;
    $cdn->node(0)->wait_requests(1);
    $cdn->file('fast', 1000);
    $url =~ s/slow/fast/;
    my @r = http_wait_all(5, map { http_start(HEAD => $url) } 1 .. 3);
    is_deeply([ map { $_->{status} } @r ], [ 200, 200, 200 ], 'three at once');
    my $k = http_start(HEAD => $url, keepalive => 1)->wait(5);
    is(http(HEAD => $url, on => $k)->{status}, 200, 'keepalive');
    $cdn->stop;
    is(eval { http(GET => $url) }, undef, 'nobody listens');
};

subtest 'sanitizers' => sub {
    plan(skip_all => 'only with SHOAL_SAN=1') if !sanitized();
    for my $what (qw(shoal superpeer ngx_http_tracker_module.so)) {
        my (undef, $out) = run_cmd('nm', '-D', program($what));
        ok($out =~ /__asan_report|__asan_init/, "$what: ASan");
        ok($out =~ /__ubsan_handle/, "$what: UBSan");
    }
    my $t = tracker();
    my ($worker) = $t->worker_pids;
    like(slurp("/proc/$worker/maps"), qr/libasan/, 'libasan in nginx');
    my $source = spew(tmpdir() . '/leak.c', "#include <stdlib.h>\n"
        . "int main(int c, char **v) { volatile char *p = malloc(10);"
        . " p = 0; (void) v; return c > 9 && p; }\n");
    run_cmd('cc', '-fsanitize=address,undefined', '-o', tmpdir() . '/leak', $source);
    my ($st, undef, $err) = run_cmd({ env => { san_env() } }, tmpdir() . '/leak');
    is($st, 99, 'a leak is an error');
    my $report = Shoal::Test::reports();
    like($report, qr/LeakSanitizer/, 'and would fail the test');
    Shoal::Test::forget_reports();
};

subtest 'yaml' => sub {
    is(Shoal::SuperPeer::yaml({ a => 1, b => [ { url => 'http://x:1/', t => 's' }, 'z' ],
        c => { d => [] } }),
        "a: 1\nb:\n  - t: s\n    url: \"http://x:1/\"\n  - z\nc:\n  d: []\n", 'as expected');
};

# A query as resolvers send it; the answer's rcode, TC and addresses.
sub ask_dns($dns, $name, $type, $proto = 'udp') {
    my ($addr, $port) = $dns->address =~ /^(.*):(\d+)$/;
    my $s = IO::Socket::IP->new(PeerHost => $addr, PeerPort => $port,
        Proto => $proto) or die "dns: $@\n";
    my $q = pack('n6', 7, 0x0100, 1, 0, 0, 0)
        . join('', map { chr(length) . $_ } split /\./, $name) . "\0"
        . pack('nn', $type, 1);
    syswrite $s, $proto eq 'tcp' ? pack('n', length $q) . $q : $q;
    return 'nothing' if !IO::Select->new($s)->can_read(deadline(0.5));
    sysread $s, my $r, 4096;
    $r = substr $r, 2 if $proto eq 'tcp';
    my ($id, $flags, undef, $n) = unpack 'n4', $r;
    my $len = $type == 1 ? 4 : 16;
    my @addrs = map { Socket::inet_ntop($len == 4 ? Socket::AF_INET
        : Socket::AF_INET6, substr $r, -$_ * $len - ($_ - 1) * 12, $len) }
        reverse 1 .. $n;
    return join ' ', "id $id", 'rcode ' . ($flags & 15),
        $flags & 0x200 ? 'TC' : (), @addrs;
}

subtest 'dns' => sub {
    my $dns = dns();
    $dns->set('Two.example.com', a => [ '127.0.0.11', '127.0.0.12' ],
        aaaa => ['::1']);
    $dns->set('moves.example.com', answers => [ { a => ['127.0.0.1'] },
        { a => ['127.0.0.9'] } ]);
    $dns->set('long.example.com', a => [ map { "127.0.1.$_" } 1 .. 40 ]);
    $dns->set('half.example.com', a => ['127.0.0.1'], drop => { AAAA => 1 });
    $dns->set('bad.example.com', rcode => 'SERVFAIL');
    is(ask_dns($dns, 'two.example.com', 1),
       'id 7 rcode 0 127.0.0.11 127.0.0.12', 'addresses');
    is(ask_dns($dns, 'two.example.com', 28), 'id 7 rcode 0 ::1', 'IPv6');
    is(ask_dns($dns, 'moves.example.com', 1), "id 7 rcode 0 $_", 'by query')
        for '127.0.0.1', '127.0.0.9', '127.0.0.9';
    is(ask_dns($dns, 'none.example.com', 1), 'id 7 rcode 3', 'no such name');
    is(ask_dns($dns, 'bad.example.com', 1), 'id 7 rcode 2', 'SERVFAIL');
    is(ask_dns($dns, 'half.example.com', 28), 'nothing', 'dropped');
    is(ask_dns($dns, 'long.example.com', 1), 'id 7 rcode 0 TC', 'too long');
    like(ask_dns($dns, 'long.example.com', 1, 'tcp'), qr/ 127\.0\.1\.40$/,
        'which TCP tells whole');
    is(scalar $dns->queries(name => 'moves.example.com'), 3, 'its log');
    $dns->mute;
    is(ask_dns($dns, 'two.example.com', 1), 'nothing', 'mute');
    $dns->stop;
};

finish();
