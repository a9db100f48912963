# A body cut in two at any byte says the same: with a length, in chunks, over
# HTTP/2, over TLS. The second piece goes when the first one is read.

use v5.36;
use IPC::Open2 qw(open2);
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Shoal::Agent qw(agent);
use Shoal::H2 qw(h2);
use Shoal::Nginx qw(http2_conf);
use Shoal::Test;

my ($two, $tls) = map { free_port('127.0.0.2') } 1, 2;
my $dir = tmpdir('ca');
my ($made) = run_cmd({ cwd => $dir }, qw(openssl req -x509 -newkey rsa:2048
    -nodes -days 2 -subj /CN=t -keyout key.pem -out cert.pem));
die "no certificate\n" if $made ne '0';

my $locations = <<'EOC';
        location = /peers { tracker_peers swarm; tracker_delay 0; }
        location = /control { tracker_control swarm; tracker_register on; }
        location = /stub { stub_status; }
EOC
my $t = tracker(workers => 1, locations => $locations, http => <<"EOC");
    keepalive_requests 10000;
    server {
        @{[ http2_conf("127.0.0.2:$two") ]}
$locations
    }
    server {
        listen 127.0.0.2:$tls ssl;
        ssl_certificate $dir/cert.pem;
        ssl_certificate_key $dir/key.pem;
$locations
    }
EOC

my $sp = agent($t);
my @file = map { { url => "http://cdn.example.com/$_", size => 1000 } } 0, 1;
my @id = map { $t->ask(%$_, event => 'stopped')->json->{id} } @file;

sub supers() {
    return join ' ', map { scalar @{ $t->ask(%$_, event => 'stopped')
        ->json->{super} } } @file;
}

# Requests that nginx is at work on.
my $stub;
sub at_work() {
    $stub = http_start(GET => $t->base . '/stub', keepalive => 1,
        $stub ? (on => $stub) : ())->wait(5) // die "no status\n";
    return $stub->{body} =~ /Writing: (\d+)/ ? $1 - 1 : -1;
}

sub read_first() {
    wait_for { at_work() == 1 } 5, 'the first piece to be read';
}

sub path() {
    my $args = $sp->args;
    return '/control?' . join '&', map { "$_=" . url_encode($args->{$_}) }
        sort keys %$args;
}

sub head($framing) {
    return 'POST ' . path() . " HTTP/1.1\r\nHost: t\r\n$framing\r\n\r\n";
}

# Each: status of a call with this body in these two pieces.
my %send;

my $answer;
sub one($addr_port, $head, $first, $rest) {
    my $q = http_raw('127.0.0.2', $addr_port, $head . $first, method => 'POST',
        $answer ? (sock => $answer->{sock}) : ());
    my $sock = $q->{sock};
    setsockopt $sock, IPPROTO_TCP, TCP_NODELAY, 1;
    read_first();
    $sock->blocking(1);
    syswrite $sock, $rest;
    $sock->blocking(0);
    $answer = $q->wait(5) // return 'none';
    return $answer->{status};
}

$send{length} = sub ($first, $rest) {
    return one($t->port, head('Content-Length: ' . length "$first$rest"),
        $first, $rest);
};

$send{chunks} = sub ($first, $rest) {
    my @chunk = map { length $_ ? sprintf("%x\r\n%s\r\n", length $_, $_) : '' }
        $first, $rest;
    return one($t->port, head('Transfer-Encoding: chunked'), $chunk[0],
        "$chunk[1]0\r\n\r\n");
};

my $h2;
$send{'HTTP/2'} = sub ($first, $rest) {
    $h2 //= h2('127.0.0.2', $two);
    my $s = $h2->request(POST => path(), body => $first);
    read_first();
    $h2->data($s, $rest, 1);
    my $r = $h2->wait($s, 5) // return 'none';
    return $r->{status};
};

my ($out, $in, $pid);
END { kill TERM => $pid if $pid }
$send{TLS} = sub ($first, $rest) {
    $pid //= open2($out, $in, 'exec openssl s_client -quiet'
        . " -connect 127.0.0.2:$tls -CAfile $dir/cert.pem 2>/dev/null");
    print {$in} head('Content-Length: ' . length "$first$rest") . $first;
    $in->flush;
    read_first();
    print {$in} $rest;
    $in->flush;
    my ($text, $len) = ('', 0);
    wait_for {
        sysread $out, $text, 4096, length $text or return 1;
        $text =~ /^Content-Length: (\d+)\r\n.*?\r\n\r\n(.*)/ms
            && length $2 >= $1;
    } 5, 'an answer';
    return $text =~ m{^HTTP/1\.1 (\d+)} ? $1 : 'none';
};

my $root = '7a' x 32;
my @body = ("+$id[0] $root cdn\n-$id[1]\n", "-$id[0]\n+$id[1] $root copy\n");
my @holders = ('1 0', '0 1');

for my $how (sort keys %send) {
    my (@bad, $n);
    $answer = undef;
    for my $cut (0 .. length $body[0]) {
        # s_client's second piece waits for a delayed ACK
        next if $how eq 'TLS' && $cut % 6;
        my $i = $n++ % 2;
        my $status = $send{$how}->(substr($body[$i], 0, $cut),
            substr($body[$i], $cut));
        push @bad, "$cut: $status" if $status ne '200';
        my $got = supers();
        push @bad, "$cut: held by $got" if $got ne $holders[$i];
        last if @bad;
    }
    is("@bad", '', "$how: $n cuts") or last;
}

# Bodies that break off, at each byte: answered with an error or not at all,
# and nothing of them stays.
my $active = sub () {
    at_work();
    return $stub->{body} =~ /Active connections: (\d+)/ ? $1 : -1;
};
$_->{sock} && close $_->{sock} for grep { $_ } $answer;
$h2->close;
close $in;
close $out;
kill TERM => $pid;
waitpid $pid, 0;
$pid = undef;
wait_for { $active->() == 1 } 5, 'all to be gone';

my @q = map { http_raw('127.0.0.2', $t->port,
    head('Content-Length: ' . length $body[0]) . substr($body[0], 0, $_)) }
    0 .. length($body[0]) - 1;
wait_for { at_work() == @q } 5, 'all to be read';
$_->close for @q;
wait_for { $active->() == 1 } 5, 'all to be gone';

@q = map { http_raw('127.0.0.2', $t->port,
    head('Transfer-Encoding: chunked') . sprintf("%x\r\n", length $body[0])
        . substr($body[0], 0, $_)) } 0 .. length($body[0]) - 1;
wait_for { at_work() == @q } 5, 'all to be read';
$_->close for @q;
wait_for { $active->() == 1 } 5, 'all to be gone';
pass('broken off');

finish();
