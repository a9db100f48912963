# The tracker reloads, restarts, is gone for a while: the super peer comes
# back soon, and what it holds is known again.

use v5.36;
use Shoal::Test;

my $s = stage(nodes => 1, superpeers => 1, delay => '2s');
my ($t, $sp, $cdn) = ($s->tracker, $s->sp(0), $s->cdn);

# ask(), which is answered early when the super peer is ready.
sub ready_within($name, $seconds, $what) {
    my $begun = now;
    my $answer = $s->ask($name);
    my $states = join ' ', map { $_->{state} } @{ $answer->{super} };
    is($states, 'ready', "$what: ready");
    cmp_ok(now - $begun, '<', deadline($seconds), "$what: soon");
}

$cdn->file('a.bin', 300_000, 1);
ready_within('a.bin', 1, 'at first');

for my $i (1 .. 3) {
    $cdn->file("r$i.bin", 300_000, $i);
    $t->reload;
    ready_within("r$i.bin", 1, "after reload $i");
}

$t->restart;
wait_for { grep { $_->{epoch} && $_->{connected} }
    @{ $sp->status->{trackers} } } 10, 'the super peer';
wait_for { $sp->stderr =~ /announced 4 sets: no error/ } 10, 'all announced';
my @before = $cdn->node(0)->requests;
ready_within('a.bin', 1, 'after a restart');
is(scalar $cdn->node(0)->requests, scalar @before, 'without a fetch');
$cdn->file('new.bin', 300_000, 7);
ready_within('new.bin', 1, 'and a new one');

# Gone for some seconds.
$t->stop;
wait_for { grep { !$_->{connected} } @{ $sp->status->{trackers} } } 5,
    'the super peer to notice';
select undef, undef, undef, 2;
ok($sp->alive, 'the super peer goes on');
is(http(GET => $sp->base . '/blocks/' . $sp->status->{sets}[0]{id})->{status},
   200, 'and serves');
$t->start;
$sp->wait_connected(12);
wait_for { $sp->stderr =~ /announced 5 sets: no error/ } 10, 'all announced';
ready_within('new.bin', 1, 'after it was gone');
my @warnings = $sp->stderr =~ / warn - tracker /g;
cmp_ok(scalar @warnings, '<=', 12, 'few words about it');

finish();
