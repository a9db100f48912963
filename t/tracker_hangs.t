# Super peers that hang, or are slow, delay nobody: not longer than the preset
# delay who waits for them, and not at all who does not.

use v5.36;
use Socket qw(SOL_SOCKET SO_RCVBUF);
use Shoal::Agent qw(agent);
use Shoal::Test;

my $t = tracker(delay => '400ms', workers => 1, http => 'large_client_header_buffers 4 16k;',
    server => 'location = /now { tracker_peers swarm; tracker_delay 0; }'
        . ' location = /one { tracker_peers swarm; tracker_delay 20s; tracker_superpeers_per_file 1; }');
my $root = '2e' x 32;
my $n = 0;

# As long as the last one, which super peers are told of.
sub url() { return 'http://cdn.example.com/' . ++$n . '-' . 'x' x 4000 }

my ($hung, $fine) = map { agent($t) } 1, 2;
$_->say for $hung, $fine;
my %f = (url => 'http://cdn.example.com/f', size => 10);
my $id = http(GET => $t->base . '/now', args => { %f, event => 'stopped' })->json->{id};

subtest 'one of two says nothing' => sub {
    my ($pa, $pb) = map { $_->poll } $hung, $fine;
    my $q = $t->ask_start(%f);
    is(scalar($_->[0]->told($_->[1])), 1, 'told') for [ $hung, $pa ], [ $fine, $pb ];
    $fine->say("+$id $root cdn");
    my $r = $q->wait(5);
    cmp_ok($r->{seconds}, '>=', 0.4, 'waited for');
    cmp_ok($r->{seconds}, '<', 0.4 + deadline(0.4), 'for the delay, not longer');
    is_deeply($r->json->{super}, [ { url => $fine->base, state => 'ready' } ],
        'and the other one is listed');
    $r = http(GET => $t->base . '/one', args => \%f);
    cmp_ok($r->{seconds}, '<', 5, 'where one is enough, nobody waits');
};

# Two hundred requests that wait for no super peer.
sub quick($what) {
    my (@ms, $r);
    for (1 .. 200) {
        $r = http_start(GET => $t->base . '/now', args => { %f, port => 4000 + $_ },
            keepalive => 1, $r ? (on => $r) : ())->wait(5) // last;
        push @ms, $r->{seconds} * 1e3;
    }
    is(scalar @ms, 200, "$what: all are answered");
    @ms = sort { $a <=> $b } @ms;
    note(sprintf '%s: median %.2f ms, at most %.2f', $what, $ms[100], $ms[-1]);
    cmp_ok($ms[190], '<', deadline(0.1) * 1e3, 'soon');
}

quick('nobody hangs');

subtest 'answers that are not read, bodies that do not come' => sub {
    # as many commands as there can be, for a poll whose client does not read
    my @url = map { url() } 1 .. 64;
    for my $url (@url) {
        http(GET => $t->base . '/now', args => { url => $url, size => 5 });
    }
    my @stuck;
    for my $i (1 .. 20) {
        my $s = IO::Socket::IP->new(PeerHost => $t->addr, PeerPort => $t->port,
            LocalHost => $hung->{from}) or die "connect: $@\n";
        setsockopt $s, SOL_SOCKET, SO_RCVBUF, 2048;
        my $args = $hung->args(wait_ms => 20000, cursor => 0);
        syswrite $s, 'POST /control?' . join('&', map { "$_=$args->{$_}" } keys %$args)
            . " HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer sesame\r\nContent-Length: 0\r\n\r\n";
        push @stuck, $s;
    }
    # calls that stop in the middle of a line
    for my $i (1 .. 20) {
        my $args = $fine->args;
        push @stuck, http_raw($t->addr, $t->port, 'POST /control?'
            . join('&', map { "$_=$args->{$_}" } keys %$args)
            . " HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer sesame\r\n"
            . "Content-Length: 100000\r\n\r\n" . "~$id 1\n" x 100 . '~ab', method => 'POST',
            from => $fine->{from});
    }
    quick('twenty of each');
    my $q = $t->ask_start(%f, size => 11);
    my $r = $q->wait(5);
    cmp_ok($r->{seconds}, '<', 0.4 + deadline(0.4), 'who waits does so for the delay');
    $_->close for @stuck;
    @stuck = ();
    wait_for { !grep { $_ } $t->metrics->@{map { "shoal_tracker_parked{kind=\"$_\"}" } qw(peers poll)} }
        5, 'nothing to be parked';
};

$fine->say("+$id $root cdn");
is($t->ask(%f, event => 'stopped')->json->{super}[0]{state}, 'ready', 'and all goes on');

finish();
