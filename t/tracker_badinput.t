# What no client of ours sends. After each batch the tracker answers as before,
# and nothing of it stays: no connection, no file, no parked poll.

use v5.36;
use Shoal::Agent qw(agent);
use Shoal::H2 qw(h2);
use Shoal::Nginx qw(http2_conf);
use Shoal::Test;

my $two = free_port('127.0.0.2');
my $t = tracker(workers => 1, delay => '20s', connections => 1024,
    server => 'client_max_body_size 2m; location = /stub { stub_status;'
        . ' keepalive_requests 100000; }',
    http => <<"EOC");
    server {
        @{[ http2_conf("127.0.0.2:$two") ]}
        large_client_header_buffers 4 64k;
        location = /peers { tracker_peers swarm; tracker_delay 0; }
        location = /control { tracker_control swarm; tracker_register on; }
    }
EOC
my ($worker) = $t->worker_pids;
my $sp = agent($t);
$sp->say;
my $id = 'ab' x 20;
my $url = 'url=http://cdn.example.com/a';

sub files() {
    opendir my $d, "/proc/$worker/fd" or return -1;
    return scalar grep { /^\d+$/ } readdir $d;
}

# Connections but this one, which stays.
my $stub;
sub active() {
    $stub = http_start(GET => $t->base . '/stub', keepalive => 1,
        $stub ? (on => $stub) : ())->wait(5) // die "no status\n";
    return $stub->{body} =~ /Active connections: (\d+)/ ? $1 - 1 : -1;
}

wait_for { active() == 0 } 5, 'nobody to be there';
my $files = files();

sub nothing_stays($name) {
    wait_for { active() == 0 } 10, "$name: all connections to be gone";
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is(files(), $files, "$name: no file is left open");
    is($sp->call("~$id 1\n")->{status}, 200, 'the tracker answers');
}

sub control($framing, $body, %args) {
    my $args = $sp->args(%args);
    return "POST /control?" . join('&', map { "$_=$args->{$_}" } sort keys %$args)
        . " HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer sesame\r\n$framing\r\n$body";
}

# Status of the answer to these bytes, 'none' for a connection that was closed.
sub status($bytes, %o) {
    my $q = http_raw($t->addr, $o{port} // $t->port, $bytes, method => 'POST');
    my $r = $q->wait(5);
    my $body = $r ? $r->{body} =~ s/<.*//sr =~ s/\n\z//r : '';
    my $got = $r ? "$r->{status} $body" =~ s/ \z//r
            : $q->pending ? 'silence' : 'none';
    $q->close;
    return $got;
}

subtest 'framing' => sub {
    my $line = "~$id 1\n";
    my $len = length $line;
    my $chunked = "Transfer-Encoding: chunked\r\n";
    is(status(control($chunked, "x\r\n$line")), '400', 'no chunk size');
    is(status(control($chunked, "-1\r\n$line")), '400', 'a negative one');
    is(status(control($chunked, 'f' x 17 . "\r\n$line")), '400', 'beyond 2^63');
    is(status(control($chunked, "1\r\n~~~~\r\n0\r\n\r\n")), '400', 'more than its size');
    is(status(control("Content-Length: -1\r\n", $line)), '400', 'negative length');
    is(status(control("Content-Length: 9223372036854775808\r\n", $line)), '400',
        'length of 2^63');
    is(status(control("Content-Length: 9223372036854775807\r\n", $line)), '413',
        'and the one below');
    is(status(control("Content-Length: 3000000\r\n", $line)), '413', 'too long');
    my $big = 'x' x 70000;
    is(status(control($chunked, sprintf("%x\r\n%s\r\n", length $big, $big))),
        '400 line 1: too long', 'a chunk without a line feed');
    is(status(control("Content-Length: $len\r\nContent-Length: $len\r\n", $line)),
        '400', 'two lengths');
    is(status(control("Content-Length: $len\r\n$chunked", $line)), '400',
        'length and chunks');
    # what is behind the body is another request
    my $q = http_raw($t->addr, $t->port,
        control("Content-Length: $len\r\n", $line . '~~~ rubbish') . "\r\n\r\n",
        method => 'POST');
    my $text = '';
    wait_for { defined sysread($q->{sock}, $text, 4096, length $text)
        && $text =~ /<.html>/ } 5, 'two answers';
    is_deeply([ $text =~ m{^HTTP/1.1 (\d+)}mg ], [ 200, 400 ],
        'a body that is longer than its length');
    $q->close;
    nothing_stays('framing');
};

subtest 'lines' => sub {
    my $say = sub ($body, %args) {
        return status(control('Content-Length: ' . length($body)
            . "\r\nConnection: close\r\n", $body, %args));
    };
    my $root = 'cd' x 32;
    my %want = (
        "\n"                         => 'not ~, +, - or ? at its start',
        "\0"  x 5 . "\n"             => 'not ~, +, - or ? at its start',
        "\xff\xfe\n"                 => 'not ~, +, - or ? at its start',
        " ~$id 1\n"                  => 'not ~, +, - or ? at its start',
        "~$id 1\r\n"                 => 'held: not a number',
        "~$id 1\0\n"                 => 'held: not a number',
        "~$id \n"                    => 'held: not a number',
        "~$id -1\n"                  => 'held: not a number',
        "~$id 9223372036854775808\n" => 'held: not a number',
        "~$id\n"                     => 'no space after the id',
        "~$id\t1\n"                  => 'no space after the id',
        '~' . substr($id, 1) . " 1\n"        => 'id: not 40 hex digits',
        '~' . substr($id, 1) . "\0 1\n"      => 'id: not 40 hex digits',
        '-' . "$id$id\n"             => 'id: not 40 hex digits',
        "+$id cdn\n"                 => 'root: not 64 hex digits or -',
        "+$id $root\n"               => 'root: not 64 hex digits or -',
        "+$id ${root}0 cdn\n"        => 'root: not 64 hex digits or -',
        "+$id $root CDN\n"           => 'neither cdn nor copy after the root',
        "+$id $root cdn \n"          => 'neither cdn nor copy after the root',
        "?$id\n"                     => 'no space after the id',
        "?$id \n"                    => 'unknown reason',
        "?$id busy!\n"               => 'unknown reason',
        'x' x 128 . "\n"             => 'not ~, +, - or ? at its start',
        'x' x 129 . "\n"             => 'too long',
        "~$id " . '1' x 100          => 'too long',
        "~$id 1"                     => 'not ended by a line feed',
        '~'                          => 'not ended by a line feed',
    );
    for my $body (sort keys %want) {
        my $name = substr($body, 0, 60) =~ s/([^ -~])/sprintf '\x%02x', ord $1/ger;
        is($say->($body), "400 line 1: $want{$body}", $name);
        is($say->("~$id 1\n" x 300 . $body), "400 line 301: $want{$body}", 'later');
    }
    is($say->("~$id 1\n", wait_ms => 10), '400 line 1: a poll has no lines',
        'a poll with a line');
    is($say->('~', wait_ms => 10), '400 line 1: not ended by a line feed',
        'a poll with less than that');
    nothing_stays('lines');
};

subtest 'byte by byte' => sub {
    my $body = "~$id 1\n";
    for my $end ('', "\n") {
        my $text = control('Content-Length: ' . length("$body$end") . "\r\n",
            "$body$end");
        my $q = http_raw($t->addr, $t->port, '', method => 'POST');
        my $sock = $q->{sock};
        setsockopt $sock, Socket::IPPROTO_TCP(), Socket::TCP_NODELAY(), 1;
        $sock->blocking(1);
        # each byte is with nginx when it has answered somebody else
        for my $byte (split //, $text) {
            syswrite $sock, $byte;
            active();
        }
        $sock->blocking(0);
        my $r = $q->wait(5);
        is($r && $r->{status}, $end ? 400 : 200, 'answered');
        $q->close;
    }
    nothing_stays('byte by byte');
};

subtest 'methods and versions' => sub {
    for my $m (qw(GET HEAD PUT DELETE OPTIONS PATCH PROPFIND)) {
        my $bytes = control("Content-Length: 5\r\nConnection: close\r\n", '~~~~~')
            =~ s/^POST/$m/r;
        like(status($bytes), qr/^405/, $m);
    }
    is(status("GET /peers?$url&size=1&event=stopped HTTP/1.0\r\n\r\n") =~ s/ .*//sr, '200',
        'HTTP/1.0');
    is(status("GET /peers?$url&size=1 HTTP/2.0\r\nHost: t\r\n\r\n"), '505',
        'a version to come');
    is(status("BREW /peers HTTP/1.1\r\nHost: t\r\n\r\n") =~ s/ .*//sr, '405',
        'an unknown method');
    is(status(control("Content-Length: 0\r\n", '') =~ s{ HTTP/1.1\r\nHost: t}{ HTTP/1.0}r)
        =~ s/ .*//sr, '200', 'a call by HTTP/1.0');
    my $body = "~$id 1\n";
    my $expect = "Expect: 100-continue\r\nContent-Length: ";
    my $q = http_raw($t->addr, $t->port,
        control($expect . length($body) . "\r\n", ''), method => 'POST');
    wait_for { $q->{sock}->blocking(0);
        sysread $q->{sock}, $q->{buf}, 4096; $q->{buf} =~ /^HTTP\/1.1 100/ } 5, '100';
    $q->{buf} = '';
    syswrite $q->{sock}, $body;
    is($q->wait(5)->{status}, 200, 'Expect: the body follows');
    $q->close;
    is(status(control("${expect}9\r\n", '', name => '%01')) =~ s/HTTP.*//sr,
        '400 name: has a control character', 'Expect: refused');
    nothing_stays('methods and versions');
};

subtest 'long and odd requests' => sub {
    my $ask = sub ($path, $more = '', %o) {
        return status("GET $path HTTP/1.1\r\nHost: t\r\nConnection: close\r\n"
            . "$more\r\n", %o) =~ s/HTTP.*//sr;
    };
    my $x = 'x' x 9000;
    is($ask->("/peers?url=$x&size=1"), '414', 'longer than nginx takes');
    is($ask->('/peers?size=1', "Shoal-URL: $x\r\n"), '400', 'a header likewise');
    my %want = (
        "url=http://h/$x&size=1"         => "url: too long",
        "size=1&" . 'a=1&' x 10000       => 'url: missing',
        '&' x 40000 . 'size=1'           => 'url: missing',
        'size' . '=' x 40000             => 'size: too long',
        'size=' . '%31' x 60             => 'size: not a number from 0 to'
                                            . ' 9223372036854775807',
        "$url&size=1&name=%00&size=2"    => 'size: given twice',
        "url=http://h/%0d%0aX&size=1"    => 'url: has a control character',
        'size=%g1'                       => 'size: badly escaped',
        'size=%'                         => 'size: badly escaped',
        "url=http://cdn.example.com:65536/&size=1"
            => 'url: not an http or https URL to be shared',
    );
    my $c = h2('127.0.0.2', $two);
    for my $args (sort keys %want) {
        my $r = $c->wait($c->request(GET => "/peers?$args", end => 1), 5) // {};
        is("$r->{status} $r->{body}", "400 $want{$args}\n",
            length $args > 50 ? substr($args, 0, 50) . '...' : $args);
    }
    for my $value ("a\tb", "\x80\xff", ' ', '') {
        my $r = $c->wait($c->request(GET => '/peers?size=1', end => 1,
            headers => [ 'shoal-url' => "http://cdn.example.com/$value" ]), 5);
        like($r->{status}, qr/^(?:200|400)$/, 'bytes in Shoal-URL');
    }
    $c->close;
    is($ask->('/peers?size=1', "Shoal-URL: http://cdn.example.com/a\tb\r\n"),
        '400 url: has a control character', 'a tab in Shoal-URL');
    nothing_stays('long and odd requests');
};

subtest 'clients that leave' => sub {
    my $body = "~$id 1\n" x 1000;
    my @q;
    for my $n (1 .. 100) {
        my $part = substr $body, 0, 41 * $n;
        push @q, http_raw($t->addr, $t->port, $n % 2
            ? control('Content-Length: ' . length($body) . "\r\n", $part)
            : control("Transfer-Encoding: chunked\r\n",
                sprintf("%x\r\n", length $body) . $part), method => 'POST');
    }
    wait_for { active() == 100 } 5, 'all to be there';
    for my $n (0 .. $#q) {
        # half of them by a reset
        setsockopt $q[$n]{sock}, Socket::SOL_SOCKET(), Socket::SO_LINGER(),
            pack 'II', 1, 0 if $n % 4 < 2;
        $q[$n]->close;
    }
    nothing_stays('in the middle of a body');

    my @c = map { h2('127.0.0.2', $two) } 1 .. 10;
    for my $c (@c) {
        my @s = map { $c->request(POST => '/control?name=h2&port=1&seq=1'
            . "&session=00000000000000$_$_", body => substr $body, 0, $_ * 10) } 1 .. 9;
        $c->wait($c->request(GET => '/void', end => 1), 5);
        $c->reset($_) for @s[0 .. 3];
        $c->data($s[4], "~\n");
        is(($c->wait($s[4], 5) // {})->{status}, 400, 'cut where it hurts')
            if $c == $c[0];
    }
    $_->close for @c;
    nothing_stays('streams');

    # polls: those who left do not keep what is told from the next one
    $sp->told($sp->poll(wait_ms => 10));
    my @poll = map { $sp->poll } 1 .. 30;
    wait_for { active() == grep { $_->pending } @poll } 5, 'all but one to end';
    my @open = grep { $_->pending } @poll;
    is(scalar(@open), 1, 'the newest poll is parked');
    $_->close for @poll;
    nothing_stays('polls');
    my $q = $t->ask_start(url => 'http://cdn.example.com/left', size => 1);
    is(scalar($sp->told($sp->poll)), 1, 'told on the next poll');
    $q->close;
    nothing_stays('askers');
};

finish();
