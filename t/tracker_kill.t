# A worker is killed with requests parked: only its own are lost.

use v5.36;
use Shoal::Agent qw(agent);
use Shoal::Test;

my $t = tracker(delay => '20s', workers => 3,
    server => 'add_header Worker $pid always;');
$t->allow_log(qr/worker process \d+ exited on signal 9/);
my $root = '9a' x 32;

my @sp = map { agent($t) } 1 .. 2;
my @poll = map { $_->poll } @sp;
$_->say for @sp;

my ($round, $lost) = (0, 0);
for $round (1 .. 4) {
    my @q = map { $t->ask_start(url => "http://cdn.example.com/k$round",
        size => 1) } 1 .. 30;
    my %id;
    for my $i (0, 1) {
        my @p;
        wait_for {
            if (!$poll[$i]->pending) {
                my $r = $poll[$i]->wait(1);
                @p = $sp[$i]->told($poll[$i]) if $r;    # else it was killed
                $poll[$i] = $sp[$i]->poll;
            }
            @p > 0;
        } 10, 'the command';
        $id{ $_->{id} } = 1 for @p;
    }
    is(scalar(keys %id), 1, 'told');
    # every worker has taken what was sent to it
    $sp[0]->say for 1 .. 6;

    my ($victim) = $t->worker_pids;
    kill 'KILL', $victim;
    wait_for { $t->worker_pids == 3 && !grep { $_ == $victim } $t->worker_pids }
        10, 'another worker';
    my ($id) = keys %id;
    $_->say("+$id $root cdn") for @sp;
    my @r = http_wait_all(5, @q);
    my @ok = grep { $_ && $_->{status} == 200 } @r;
    my @open = grep { $_->pending } @q;
    is(@open, 0, 'nobody hangs');
    is(scalar(grep { $_->{headers}{worker} == $victim } @ok), 0, 'the dead are silent');
    is(scalar(grep { @{ $_->json->{super} } == 2 } @ok), scalar(@ok),
        'the others have their answer');
    $lost += 30 - @ok;
}
note("$lost of 120 were at a worker that was killed");
cmp_ok($lost, '<', 120, 'not all');

is(scalar(@{ $t->ask(url => 'http://cdn.example.com/k1', size => 1)
    ->json->{super} }), 2, 'what was known is known');

finish();
