# Many that wait for the same are answered in batches, in several turns of the
# event loop: others of that worker get their answers in between. What came
# between what is in the order of the log.

use v5.36;
use Shoal::Agent qw(agent);
use Shoal::Test;

my $many = 700;
my $log = tmpdir('logs') . '/order.log';
my $t = tracker(delay => '20s', workers => 1, connections => 4096,
    http => 'log_format order "$uri $arg_round $tracker_reason"; keepalive_requests 1000000;',
    server => "access_log $log order; location = /ping { return 200 x; }"
        . 'location = /soon { tracker_peers swarm; tracker_delay 800ms; tracker_early off; }');
my $root = '4d' x 32;
my $sp = agent($t);
$sp->say;

# Two others, always with a request under way.
my @ping = map { Shoal::Process->start_perl("ping$_", sub {
    my $end = 0;
    local $SIG{TERM} = sub { $end = 1 };
    my $q;
    while (!$end) {
        $q = http_start(GET => $t->base . '/ping', keepalive => 1,
            $q ? (on => $q->{answer}) : ());
        $q->wait(10) or die "no answer\n";
    }
}) } 1, 2;

my $round = 0;
my $offset = 0;

# How many others were answered between the first and the last of the round.
sub between($path) {
    my @uri;
    wait_for {
        @uri = slurp($log) =~ m{^(/\S+ \S+) }mg;
        (grep { $_ eq "$path $round" } @uri) == $many;
    } 10, 'the log';
    my @at = grep { $uri[$_] eq "$path $round" } 0 .. $#uri;
    return $at[-1] - $at[0] + 1 - $many;
}

sub asks($path) {
    ++$round;
    return map { http_start(GET => $t->base . $path, args => { round => $round,
        url => "http://cdn.example.com/$round", size => 1, port => 1000 + $_ }) } 1 .. $many;
}

sub answered(@q) {
    return scalar grep { $_ && $_->{status} == 200 } http_wait_all(15, @q);
}

# Where nothing else had its turn for so long, it may be that nothing else
# could run: then once more.
sub tries($what, $code) {
    my $between = 0;
    for (1 .. 4) {
        $between = $code->();
        last if $between;
    }
    cmp_ok($between, '>', 0, "$what: others in between");
}

tries('a wake', sub {
    my @q = asks('/peers');
    my ($p) = $sp->told($sp->poll);
    is(scalar(grep { !$_->pending } @q), 0, 'all wait');
    $sp->say("+$p->{id} $root cdn");
    is(answered(@q), $many, 'all are answered');
    return between('/peers');
});

# a hold-up at their deadline makes all of them due at once
tries('a deadline', sub {
    my @q = asks('/soon');
    $sp->told($sp->poll(wait_ms => 1));
    my ($pid) = $t->worker_pids;
    kill STOP => $pid;
    select undef, undef, undef, 1.0;
    kill CONT => $pid;
    is(answered(@q), $many, 'all are answered');
    return between('/soon');
});

$_->stop for @ping;
finish();
