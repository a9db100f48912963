# Clients that leave while they are parked, or before, leave nothing behind.

use v5.36;
use Socket qw(SHUT_WR SOL_SOCKET SO_LINGER);
use Shoal::Agent qw(agent);
use Shoal::Test;

my $t = tracker(delay => '60s', workers => 2,
    server => 'location = /stub { stub_status; }');

sub active() {
    my ($n) = http(GET => $t->base . '/stub')->{body}
        =~ /Active connections: (\d+)/;
    return $n - 1;    # without this one
}

my $sp = agent($t);
$sp->say;
my @q = map { $t->ask_start(url => "http://cdn.example.com/$_", size => 1,
    port => 4000) } 1 .. 50;
wait_for { active() == 50 } 5, 'all to be parked';
$_->close for @q;
wait_for { active() == 0 } 5, 'all to be gone';
pass('parked and gone');

# The FIN comes in the packet of the request.
my $text = "GET /peers?url=http://cdn.example.com/fin&size=1 HTTP/1.1\r\n"
    . "Host: t\r\n\r\n";
my @cork;
for (1 .. 50) {
    my $s = IO::Socket::IP->new(PeerHost => $t->addr, PeerPort => $t->port);
    setsockopt $s, Socket::IPPROTO_TCP, Socket::TCP_CORK, 1;
    syswrite $s, $text;
    shutdown $s, SHUT_WR;
    push @cork, $s;
}
wait_for { active() == 0 } 5, 'all to be gone';
pass('gone with the request');
@cork = ();

# A reset.
for (1 .. 20) {
    my $q = $t->ask_start(url => 'http://cdn.example.com/rst', size => 1);
    setsockopt $q->{sock}, SOL_SOCKET, SO_LINGER, pack 'II', 1, 0;
    $q->close;
}
wait_for { active() == 0 } 5, 'all to be gone';
pass('reset');

# A poll: its super peer keeps its commands.
my $poll = $sp->poll;
wait_for { active() == 1 || !$poll->pending } 5, 'the poll';
$poll->close if $poll->pending;
my $n = 0;
wait_for { $n += $sp->told($sp->poll); $n >= 52 } 5, 'all commands';
is($n, 52, 'told on the next poll');

# Pipelined requests behind one that is parked, and gone.
my $q = http_raw($t->addr, $t->port, $text x 3);
wait_for { active() == 1 } 5, 'it to be parked';
$q->close;
wait_for { active() == 0 } 5, 'it to be gone';
pass('pipelined');

# In the middle of a body.
my $args = $sp->args;
$q = http_raw($t->addr, $t->port, 'POST /control?'
    . join('&', map { "$_=$args->{$_}" } keys %$args)
    . " HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer sesame\r\n"
    . "Content-Length: 1000\r\n\r\n~");
wait_for { active() == 1 } 5, 'it to be read';
$q->close;
wait_for { active() == 0 } 5, 'it to be gone';
pass('in the middle of a body');

finish();
