# A restart loses everything, says so by its epoch, and learns it again from
# full announcements.

use v5.36;
use Shoal::Agent qw(agent);
use Shoal::Test;

my $t = tracker(delay => '5s');
my $root = '78' x 32;
my @f = map { { url => "http://cdn.example.com/$_", size => $_ } } 1 .. 3;
my $supers = sub ($f) { scalar @{ $t->ask(%$f, event => 'stopped')->json->{super} } };

my $sp = agent($t);
$sp->say;
my @id = map { $t->ask(%$_, event => 'stopped')->json->{id} } @f;
$sp->announce(map { "+$_ $root cdn" } @id);
is_deeply([ map { $supers->($_) } @f ], [ 1, 1, 1 ], 'announced');
my $epoch = $sp->{epoch};

my $poll = $sp->poll;
$sp->say;
my $kill = $t->process;
$t->restart;
is($poll->wait(1), undef, 'a parked poll ends without an answer');

is_deeply([ map { $supers->($_) } @f ], [ 0, 0, 0 ], 'nothing is known');
my $r = $t->ask(%{ $f[0] });
cmp_ok($r->{seconds}, '<', 3, 'nobody to wait for');

$sp->say;
isnt($sp->{epoch}, $epoch, 'another epoch');
$r = $sp->poll(epoch => $epoch)->wait(5);
is($r && $r->json->{epoch}, $sp->{epoch}, 'a poll is told at once');
$sp->announce("+$id[0] $root cdn", "~$id[1] 5", "+$id[2] $root copy");
is_deeply([ map { $supers->($_) } @f ], [ 1, 1, 1 ], 'known again, without URLs');
$r = $t->ask(%{ $f[0] });
cmp_ok($r->{seconds}, '<', 3, 'ready at once');
is_deeply($r->json->{digest}, { root => $root, votes => 1 }, 'with its root');

# The record is completed by an asker: others can be told to prepare it.
my $other = agent($t);
$other->say;
$poll = $other->poll;
my $q = $t->ask_start(%{ $f[2] });
my ($p) = $other->told($poll);
is_deeply($p, { id => $id[2], %{ $f[2] }, version => '', provider => '',
    super => [ $sp->base ] }, 'told');
$other->say("+$id[2] $root cdn");
is(scalar(@{ $q->wait(5)->json->{super} }), 2, 'both');

# A zone of another size is a restart too.
$t->reload(zone => '32m');
$sp->say;
isnt($sp->{epoch}, $epoch, 'another epoch');
is_deeply([ map { $supers->($_) } @f ], [ 0, 0, 0 ], 'nothing is known');

finish();
