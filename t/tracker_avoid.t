# Who refuses, fails, does not answer a prepare or stays away is avoided, for
# a time. The tracker's clock is put ahead.

use v5.36;
use Shoal::Agent qw(agent);
use Shoal::Test;

my $t = tracker(delay => '0', workers => 2, clock => 1,
    peers => 'tracker_superpeers_per_file 1;');
my $root = 'ab' x 32;
my ($n, $ahead) = (0, 0);
my @sp = map { agent($t) } 1 .. 6;

sub later($seconds) { $t->ahead($ahead += $seconds) }
sub file(%o) { return { url => 'http://cdn.example.com/' . ++$n, size => 1000, %o } }

# Asks; the names of those that are told upon it.
sub told($f, @who) {
    $_->say for @who;
    $t->ask(%$f);
    return [ map { $_->{name} } grep { $_->told($_->poll(wait_ms => 1)) } @who ];
}

sub agent_of($told) { return (grep { $_->{name} eq $told->[0] } @sp)[0] }
sub id($f) { return $t->ask(%$f, event => 'stopped')->json->{id} }
sub listed($f) { return scalar @{ $t->ask(%$f, event => 'stopped')->json->{super} } }

subtest 'refused' => sub {
    for my $reason (qw(failed busy origin notfound noagree toolarge private)) {
        my $f = file();
        my $told = told($f, @sp);
        is(@$told, 1, "$reason: told");
        my $first = agent_of($told);
        $first->say('?' . id($f) . " $reason");
        $told = told($f, $first);
        is_deeply($told, [], 'not again');
        later(24);
        is_deeply(told($f, $first), [], 'nor within half a minute');
        later(8);
        is_deeply(told($f, $first), [ $first->{name} ], 'but after that');
        later(10);
        $_->told($_->poll(wait_ms => 1)) for @sp;    # commands of meanwhile
    }
    my $f = file();
    my %told;
    for my $i (1 .. 4) {
        my $told = told($f, @sp);
        is(@$told, 1, 'somebody is told');
        ok(!$told{ $told->[0] }++, 'somebody else');
        agent_of($told)->say('?' . id($f) . ' failed');
    }
    is_deeply(told($f, @sp), [], 'four have refused: nobody else is asked');
    later(32);
    is(scalar(@{ told($f, @sp) }), 1, 'until they may be asked again');
};

subtest 'failed after it was complete' => sub {
    my $f = file();
    $_->say for @sp;
    my $id = id($f);
    $sp[0]->say("+$id $root cdn");
    is(listed($f), 1, 'complete: listed');
    $sp[0]->say("?$id failed");
    is(listed($f), 0, 'failed: off the list');
    my $told = told($f, @sp);
    is(@$told, 1, 'another one is told');
    isnt($told->[0], $sp[0]{name}, 'another one');
};

subtest 'no answer to a prepare' => sub {
    my $f = file();
    my $first = agent_of(told($f, @sp));
    for my $seconds (1, 60, 58) {
        later($seconds);
        is_deeply(told($f, @sp), [], 'nobody else is told for two minutes');
    }
    later(3);
    is_deeply(told($f, $first), [ $first->{name} ], 'after that once more');
    later(130);
    $first->say('~' . id($f) . ' 1');
    later(300);
    is_deeply(told($f, @sp), [], 'one that fills has all the time it needs');
};

subtest 'stays away' => sub {
    my $f = file();
    $_->say for @sp;
    my $id = id($f);
    $sp[0]->say("+$id $root cdn");
    later(4);
    is(listed($f), 1, 'within the grace');
    later(2);
    is(listed($f), 0, 'after it');
    my $told = told($f, @sp[1 .. 5]);
    is(@$told, 1, 'another one is told');
    $sp[0]->say;
    is(listed($f), 1, 'back: listed again');
    my $q = $sp[0]->poll(wait_ms => 60000);
    $sp[0]->say;
    wait_for { listed($f) } 5, 'its poll to be parked';
    later(40);
    is(listed($f), 1, 'as long as its poll is parked');
    $q->close;
    wait_for { later(6); !listed($f) } 10, 'the poll to be gone';
    pass('and off the list when it is gone');
};

subtest 'a budget is for an hour' => sub {
    $t->reload(peers => 'tracker_superpeers_per_file 1; tracker_prepare_budget 1k;');
    is(scalar(@{ told(file(), @sp) }), 1, 'told');
    is(scalar(@{ told(file(), @sp) }), 0, 'beyond it');
    later(3590);
    is(scalar(@{ told(file(), @sp) }), 0, 'not within the hour');
    later(20);
    is(scalar(@{ told(file(), @sp) }), 1, 'after the hour');
};

finish();
