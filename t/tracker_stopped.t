# A super peer that says it stops is away at once: it is not listed, what it
# was to prepare goes to others, and nothing late brings it back.

use v5.36;
use Shoal::Agent qw(agent);
use Shoal::Test;

my $t = tracker(delay => '20s', workers => 2, peers => 'tracker_superpeers_per_file 1;');
my $root = 'ab' x 32;
my %f = (url => 'http://cdn.example.com/f', size => 1000);
my $id = resource_id(@f{qw(url size)}, '');

sub listed(%f) {
    return join ' ', sort map { $_->{url} }
        @{ $t->ask(%f, event => 'stopped')->json->{super} };
}

my ($one, $two) = map { agent($t) } 1, 2;
for my $bad ([ event => 'gone', 'event: not stopped' ],
    [ full => 'last', 'event: not with wait_ms or full' ],
    [ wait_ms => 1, 'event: not with wait_ms or full' ])
{
    my ($name, $value, $line) = @$bad;
    my $r = $one->call('', event => 'stopped', $name => $value);
    is("$r->{status} $r->{body}", "400 $line\n", "$name: $line");
}

$one->announce("+$id $root cdn");
is(listed(%f), $one->base, 'listed');
my $late = $one->call_start('', wait_ms => 25000);
wait_for { $t->metrics->{'shoal_tracker_parked{kind="poll"}'} } 5, 'the poll';
my $r = $one->call('', event => 'stopped');
is($r->{status}, 200, 'it says that it stops');
$r = $late->wait(5);
is(scalar @{ $r->json->{prepare} }, 0, 'its poll is answered, with nothing');
is(listed(%f), '', 'and it is not listed any more');
my ($super) = grep { $_->{name} eq $one->{name} } @{ $t->status->{super} };
is($super->{state}, 'away', 'the state says so');

# What was under way when it ended comes in afterwards.
$r = $one->call("+$id $root cdn\n", seq => 1);
is($r->{status}, 200, 'a late call is answered');
$late = $one->call_start('', wait_ms => 25000, seq => 1);
is(listed(%f), '', 'and does not bring it back');
$late->close;

# It starts again: a new session, which announces.
$one->new_session;
$one->say;
is(listed(%f), '', 'in a new session it holds nothing');
$one->announce("+$id $root cdn");
is(listed(%f), $one->base, 'before it says so');

# Somebody waits for it: another one has to prepare the file.
my %p = (url => 'http://cdn.example.com/p', size => 1000);
my %poll = (one => $one->poll);
my $asker = $t->ask_start(%p);
is(scalar($one->told($poll{one})), 1, 'told to prepare');
$two->say;
$poll{two} = $two->poll;
my $begun = now;
is($one->call('', event => 'stopped')->{status}, 200, 'it stops');
my ($p) = $two->told($poll{two});
is($p->{url}, $p{url}, 'the other one is told');
cmp_ok(now - $begun, '<', deadline(2), 'at once');
$two->say("+$p->{id} $root cdn");
is_deeply($asker->wait(5)->json->{super}, [ { url => $two->base, state => 'ready' } ],
    'and listed for who has waited');

# Lines together with it are not taken.
$two->say;
$r = $two->call("+$id $root cdn\n", event => 'stopped');
is($r->{status}, 200, 'with lines');
is(listed(%p), '', 'away');

finish();
