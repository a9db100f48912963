# The preset delay: kept in full, or cut short once all chosen have answered.

use v5.36;
use Shoal::Agent qw(agent);
use Shoal::Test;

my $t = tracker(delay => '600ms');

my $url  = 'http://cdn.example.com/';
my $root = 'ab' x 32;

my @sp = map { agent($t) } 1 .. 2;
my @poll = map { $_->poll } @sp;

# Both have to be known before the first asker comes.
$_->say for @sp;

subtest 'cut short' => sub {
    my $q = $t->ask_start(url => $url . 'a', size => 1000);
    my @id;
    for my $i (0, 1) {
        my ($p) = $sp[$i]->told($poll[$i]);
        is($p->{url}, 'http://cdn.example.com/a', 'told to prepare');
        is($p->{size}, 1000, 'size');
        push @id, $p->{id};
        $poll[$i] = $sp[$i]->poll;
    }
    is($id[0], $id[1], 'the same to both');
    ok($q->pending, 'parked');
    $sp[0]->say("+$id[0] $root cdn");
    ok($q->pending, 'one of two is not enough');
    $sp[1]->say("?$id[0] busy");
    my $r = $q->wait(5);
    is($r->{status}, 200, 'answered');
    cmp_ok($r->{seconds}, '<', 0.5, 'before the delay is over');
    my $j = $r->json;
    is($j->{id}, $id[0], 'id');
    is_deeply($j->{super}, [ { url => $sp[0]->base, state => 'ready' } ],
        'who is ready');
    is_deeply($j->{digest}, { root => $root, votes => 1 }, 'digest');
    is($j->{interval}, 60, 'interval');
};

subtest 'held' => sub {
    my $r = $t->ask(url => $url . 'b', size => 1000);
    cmp_ok($r->{seconds}, '>=', 0.6, 'never early');
    cmp_ok($r->{seconds}, '<', 0.6 + deadline(0.4), 'nor much later');
    is_deeply($r->json->{super}, [], 'nobody is ready');
    is($r->json->{interval}, 2, 'ask again soon');
    for my $i (0, 1) {
        $sp[$i]->told($poll[$i]);
        $poll[$i] = $sp[$i]->poll;
    }
};

# A poll that is parked for sure: of two, one ends the other.
sub parked($sp) {
    my @q = map { $sp->poll } 1 .. 2;
    my @open;
    wait_for { @open = grep { $_->pending } @q; @open == 1 } 5, 'one poll';
    return $open[0];
}

subtest 'early off' => sub {
    @poll = map { parked($_) } @sp;
    $t->reload(peers => 'tracker_early off;');
    for my $i (0, 1) {
        is_deeply([ $sp[$i]->told($poll[$i]) ], [], 'polls end at the reload');
        $poll[$i] = $sp[$i]->poll;
    }
    my @q = map { $t->ask_start(url => $url . "c$_", size => 1000) } 1 .. 30;
    my @done = ({}, {});
    while (my @more = grep { keys %{ $done[$_] } < 30 } 0, 1) {
        for my $i (@more) {
            for my $p ($sp[$i]->told($poll[$i])) {
                $done[$i]{ $p->{id} } = 1;
                $sp[$i]->say("+$p->{id} $root cdn");
            }
            $poll[$i] = $sp[$i]->poll;
        }
    }
    my @r = http_wait_all(5, @q);
    my @early = grep { $_->{seconds} < 0.6 } @r;
    is(@r, 30, 'all are answered');
    is(@early, 0, 'none before the delay is over');
    is(scalar(grep { @{ $_->json->{super} } == 2 } @r), 30,
        'with all that are ready');
};

finish();
