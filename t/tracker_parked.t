# How many requests a worker holds: tracker_max_parked, or a quarter of its
# connections, never all but an eighth; beyond that answers come at once. Many
# with one deadline.

use v5.36;
use Shoal::Agent qw(agent);
use Shoal::Test;

my $t = tracker(delay => '60s', workers => 1, connections => 256,
    peers => 'tracker_max_parked 10;');
my $sp = agent($t);
$sp->say;
my $n = 0;

# So many asks: ([ parked ], how many were answered at once).
sub asks($count) {
    my @q = map { $t->ask_start(url => 'http://cdn.example.com/a', size => 1,
        port => 4000 + $n++) } 1 .. $count;
    # the last one's connection is accepted last
    wait_for { $t->ask(url => 'http://cdn.example.com/a', size => 1,
        event => 'stopped') } 5, 'the tracker to come by';
    my @parked = grep { $_->pending } @q;
    for my $q (@q) {
        next if $q->pending;
        my $r = $q->wait(1);
        die "$r->{status}" if $r->{status} != 200;
    }
    return (\@parked, $count - @parked);
}

my ($q, $now) = asks(15);
is(scalar(@$q), 10, 'so many are parked');
is($now, 5, 'the others are answered at once');
$_->close for splice @$q, 0, 3;
my ($more) = ([]);
wait_for { my ($p) = asks(1); push @$more, @$p; @$more == 3 } 5,
    'room of those that left to be taken';
pass('who leaves makes room');
is(scalar(@{ (asks(2))[0] }), 0, 'and no more than that');

my $poll = $sp->poll;
$sp->told($poll);
$poll = $sp->poll;
ok($poll->pending, 'polls do not count');

$t->reload(peers => '');
$_->wait(5) for @$q, @$more;
($q, $now) = asks(80);
is(scalar(@$q), 64, 'a quarter of the connections');
is($now, 16, 'the others are answered at once');
$_->close for @$q;

# an eighth of the connections is kept for others, whatever the number
$t->reload(peers => 'tracker_max_parked 1000;');
$sp->told($poll);
$sp->say;
($q, $now) = asks(240);
cmp_ok(scalar(@$q), '>', 200, 'more than a quarter');
cmp_ok(scalar(@$q), '<=', 256 - 32, 'but an eighth is kept for others');
is(@$q + $now, 240, 'the others are answered at once');
$_->close for @$q;

# in one turn of the loop 64 are answered, the next ones in the next
$t->reload(delay => '700ms', peers => 'tracker_max_parked 250;');
my @r = map { $_->wait(5) } map { $t->ask_start(
    url => 'http://cdn.example.com/b', size => 1) } 1 .. 200;
is(scalar(grep { $_ && $_->{status} == 200 } @r), 200, 'one deadline');
is(scalar(grep { $_->{seconds} < 0.7 } @r), 0, 'none is early');

finish();
