# Requests that are not as they should be, by the byte: what is answered, and
# that the connection is closed where it is unclear what comes next.

use v5.36;
use IO::Select;
use IO::Socket::IP;
use Shoal::Test;
use Shoal::FakeTracker qw(fake_tracker);
use Shoal::HTTP qw(http_raw);

my $cdn = cdn(nodes => 1);
my $size = 100_000;
my $data = slurp($cdn->file('a.bin', $size));
my $t = fake_tracker();
my $sp = superpeer(trackers => [ $t->conf ], cdn => $cdn, settings => {
    limits => { header_timeout => '1500ms', idle_timeout => '4s' } });
my $id = $t->prepare($cdn->url('a.bin'), $size);
$t->wait_line(qr/^\+$id /);
my $blocks = "/blocks/$id";
my $host = "Host: x\r\nConnection: close\r\n";
my $range = "Range: bytes=0-9\r\n";

# All that comes until the server closes.
sub raw($bytes) {
    my $q = http_raw($sp->addr, $sp->port, $bytes);
    $q->drain(15);
    return $q->{buf};
}

# What is said to one request, as `STATUS:BYTES OF THE BODY`.
sub said($bytes) {
    my $text = raw($bytes);
    return 'nothing' if $text eq '';
    $text =~ s{^HTTP/1\.1 100 Continue\r\n\r\n}{};
    my ($head, $body) = split /\r\n\r\n/, $text, 2;
    my ($status) = $head =~ m{^HTTP/1\.1 (\d+) } or return 'no HTTP';
    return $status if $status !~ /^20/;
    return "$status:" . length($body) . ($body eq substr($data, 0, length $body)
        ? '' : ' wrong bytes');
}

my $long = 'a' x 100_000;
my @requests = (
    # name, bytes, what is said
    [ 'a good one', "GET $blocks HTTP/1.1\r\n$host$range\r\n", '206:10' ],
    [ 'line feeds alone', "GET $blocks HTTP/1.1\nHost: x\nConnection: close\n"
        . "Range: bytes=0-9\n\n", '206:10' ],
    [ 'empty lines before', "\r\n\r\nGET $blocks HTTP/1.1\r\n$host$range\r\n",
        '206:10' ],

    [ 'HTTP/1.0: closed after it', "GET $blocks HTTP/1.0\r\n$range\r\n",
        '206:10' ],
    [ 'HTTP/1.1 without Host', "GET $blocks HTTP/1.1\r\nConnection: close\r\n"
        . "$range\r\n", '400' ],
    [ 'HTTP/0.9', "GET $blocks\r\n\r\n", '400' ],
    [ 'HTTP/2', "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", '505' ],
    [ 'another protocol', "GET $blocks FTP/1.1\r\n$host\r\n", '400' ],
    [ 'TLS', "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" . 'x' x 200 . "\r\n\r\n",
        'nothing' ],

    [ 'a huge request line', "GET /$long HTTP/1.1\r\n$host\r\n", '414' ],
    [ 'a huge header', "GET $blocks HTTP/1.1\r\n${host}X: $long\r\n\r\n", '431' ],
    [ 'many headers', "GET $blocks HTTP/1.1\r\n$host" . "X: a\r\n" x 5000
        . "\r\n", '431' ],

    [ 'HEAD', "HEAD $blocks HTTP/1.1\r\n$host$range\r\n", '206:0' ],
    [ 'an unknown method', "BREW $blocks HTTP/1.1\r\n$host\r\n", '405' ],
    [ 'methods know cases', "get $blocks HTTP/1.1\r\n$host\r\n", '405' ],
    [ 'OPTIONS', "OPTIONS * HTTP/1.1\r\n$host\r\n", '405' ],
    [ 'CONNECT', "CONNECT 127.0.0.1:1 HTTP/1.1\r\n$host\r\n", '405' ],
    [ 'TRACE', "TRACE $blocks HTTP/1.1\r\n$host\r\n", '405' ],
    [ 'an absolute URL', "GET http://x$blocks HTTP/1.1\r\n$host\r\n", '404' ],

    [ 'Expect', "GET $blocks HTTP/1.1\r\n$host${range}Expect: 100-continue\r\n"
        . "\r\n", '206:10' ],
    [ 'Expect of something else', "GET $blocks HTTP/1.1\r\n$host${range}"
        . "Expect: miracles\r\n\r\n", '206:10' ],
    [ 'Expect and a body to come', "GET $blocks HTTP/1.1\r\n$host${range}"
        . "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n", '413' ],
    [ 'a body of no bytes', "GET $blocks HTTP/1.1\r\n$host${range}"
        . "Content-Length: 0\r\n\r\n", '206:10' ],
    [ 'a body', "GET $blocks HTTP/1.1\r\n$host${range}Content-Length: 5\r\n"
        . "\r\nhello", '413' ],
    [ 'a body in chunks', "GET $blocks HTTP/1.1\r\n$host${range}"
        . "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", '413' ],
    [ 'both lengths', "GET $blocks HTTP/1.1\r\n$host${range}Content-Length: 5\r\n"
        . "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", '413' ],
    [ 'two lengths', "GET $blocks HTTP/1.1\r\n$host${range}Content-Length: 5\r\n"
        . "Content-Length: 6\r\n\r\nhello", '413' ],
    [ 'a negative length', "GET $blocks HTTP/1.1\r\n$host${range}"
        . "Content-Length: -5\r\n\r\nhello", '400' ],
    [ 'a length beyond numbers', "GET $blocks HTTP/1.1\r\n$host${range}"
        . "Content-Length: 99999999999999999999999\r\n\r\nhello", '413' ],

    [ '%-encoded letters', "GET /%62locks/$id HTTP/1.1\r\n$host$range\r\n",
        '206:10' ],
    [ 'a % alone', "GET $blocks% HTTP/1.1\r\n$host$range\r\n", '404' ],
    [ '% and no digits', "GET $blocks%zz HTTP/1.1\r\n$host$range\r\n", '404' ],
    [ '%00 behind the id', "GET $blocks%00 HTTP/1.1\r\n$host$range\r\n", '404' ],
    [ '%00 in the path', "GET $blocks%00/have HTTP/1.1\r\n$host\r\n", '404' ],
    [ 'dots', "GET /x/..$blocks HTTP/1.1\r\n$host$range\r\n", '404' ],
    [ 'a NUL ends a path', "GET $blocks\0/have HTTP/1.1\r\n$host$range\r\n",
        '206:10' ],
    [ 'a NUL in a header\'s name', "GET $blocks HTTP/1.1\r\n${host}Ra\0nge: 1\r\n"
        . "\r\n", '400' ],

    [ 'two Range headers', "GET $blocks HTTP/1.1\r\n$host$range$range\r\n",
        "200:$size" ],
    [ 'Range over two lines', "GET $blocks HTTP/1.1\r\n${host}Range: bytes=0-9\r\n"
        . "  ,20-30\r\n\r\n", "200:$size" ],
);
is(said($_->[1]), $_->[2], $_->[0]) for @requests;

my @ranges = (
    [ 'bytes=0-0',                          '206:1' ],
    [ 'BYTES=0-9',                          '206:10' ],
    [ 'bytes= 0-9 ',                        '206:10' ],
    [ 'bytes=0-99999999999999999999999999', "206:$size" ],
    [ 'bytes=0-18446744073709551615',       "206:$size" ],
    [ 'bytes=-99999999999999999999999999',  "206:$size" ],
    [ 'bytes=99999999999999999999999999-',  '416' ],
    [ 'bytes=18446744073709551616-18446744073709551617', '416' ],
    [ "bytes=$size-",                       '416' ],
    [ 'bytes=-0',                           '416' ],
    [ 'bytes=9-5',                          "200:$size" ],
    [ 'bytes=--5',                          "200:$size" ],
    [ 'bytes=-5-9',                         "200:$size" ],
    [ 'bytes=-',                            "200:$size" ],
    [ 'bytes=',                             "200:$size" ],
    [ 'bytes',                              "200:$size" ],
    [ 'bytes=+0-9',                         "200:$size" ],
    [ 'bytes=0x0-0x9',                      "200:$size" ],
    [ 'bytes=0-9;q=1',                      "200:$size" ],
    [ 'bytes 0-9',                          "200:$size" ],
    [ 'bytes =0-9',                         "200:$size" ],
    [ 'items=0-9',                          "200:$size" ],
    [ 'bytes=0-9,',                         "200:$size" ],
    [ 'bytes=0-0,5-6',                      "200:$size" ],
    [ 'bytes=' . join(',', map { "$_-$_" } 1 .. 900), "200:$size" ],
);
for (@ranges) {
    my ($value, $want) = @$_;
    is(said("GET $blocks HTTP/1.1\r\n${host}Range: $value\r\n\r\n"), $want,
       length $value < 60 ? "Range: $value" : 'many ranges');
}

# Pipelining: in their order, whatever they are.
my $text = raw(join '',
    "GET $blocks HTTP/1.1\r\nHost: x\r\nRange: bytes=0-2\r\n\r\n",
    "HEAD $blocks HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /none HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET $blocks/hashes HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET $blocks HTTP/1.1\r\n${host}Range: bytes=5-6\r\n\r\n");
my @status = $text =~ m{HTTP/1\.1 (\d+) }g;
is("@status", '206 200 404 200 206', 'pipelined: in order');
is(substr($text, -2), substr($data, 5, 2), 'the last one\'s bytes');

# A body is no request.
$text = raw("GET $blocks HTTP/1.1\r\nHost: x\r\n${range}Content-Length: 60\r\n\r\n"
    . "GET /smuggled HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
is(() = $text =~ m{HTTP/1\.1 \d}g, 1, 'one answer to what hides in a body');

# HTTP/1.0 with keepalive, twice over one connection.
$text = raw("GET $blocks HTTP/1.0\r\nConnection: keep-alive\r\n$range\r\n"
    . "GET $blocks HTTP/1.0\r\n$range\r\n");
is(() = $text =~ m{HTTP/1\.1 206 }g, 2, 'HTTP/1.0 with keepalive');

# Slowloris, a hundred of them: others are served meanwhile, and all are
# ended in time, however slowly they go on.
sub rss() {
    return slurp('/proc/' . $sp->pid . '/status') =~ /^VmRSS:\s+(\d+)/m ? $1 : 0;
}
my $before = rss();
my @slow = map { IO::Socket::IP->new(PeerHost => $sp->addr,
    PeerPort => $sp->port) or die "connect: $@" } 1 .. 100;
syswrite $_, "GET $blocks HTTP/1.1\r\nHost: x\r\n" for @slow;
my $begun = now;
my ($served, $alive) = (0, 100);
$SIG{PIPE} = 'IGNORE';
while ($alive && now - $begun < deadline(10)) {
    syswrite $_, 'X' for @slow;
    $served++ if http(GET => $sp->base . $blocks,
        headers => { Range => 'bytes=0-9' })->{status} == 206;
    my @ended = IO::Select->new(@slow)->can_read(0.05);
    $alive = @slow - @ended;
}
is($alive, 0, 'slowloris: all are ended');
cmp_ok(now - $begun, '>', 1, 'not before their time');
cmp_ok($served, '>', 5, 'others are served meanwhile');
close $_ for @slow;

# Memory, while a hundred send what never ends.
my @big = map { IO::Socket::IP->new(PeerHost => $sp->addr,
    PeerPort => $sp->port) or die "connect: $@" } 1 .. 100;
$_->blocking(0) for @big;
for (1 .. 20) { syswrite $_, 'X' x 65536 for @big }
my $grown = rss() - $before;
cmp_ok($grown, '<', 100 * 64 * (sanitized() ? 10 : 1), "memory: $grown KiB for all");
close $_ for @big;

finish();
