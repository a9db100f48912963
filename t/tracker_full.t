# A zone that is full makes room, but not of what requests wait for.

use v5.36;
use Shoal::Agent qw(agent);
use Shoal::Test;

my $t = tracker(delay => '20s', workers => 2, zone => '1m');
my $root = 'e6' x 32;
my $sp = agent($t);
$sp->say;

my $q = $t->ask_start(url => 'http://cdn.example.com/waited', size => 1);
my ($p) = $sp->told($sp->poll);
my $old = $t->ask(url => 'http://cdn.example.com/old', size => 1,
    event => 'stopped')->json->{id};
$sp->say("+$old $root cdn");

# far more than there is room for
my $k = 0;
for (1 .. 3) {
    $sp->say(map { sprintf '~%02x%038x 1', $_ & 255, ++$k } 1 .. 8192);
}
my $r = $t->ask(url => 'http://cdn.example.com/old', size => 1,
    event => 'stopped');
is_deeply($r->json->{super}, [], 'what was used first is forgotten');
ok($q->pending, 'an asker waits');
$sp->say("+$p->{id} $root cdn");
$r = $q->wait(10);
is($r->json->{super}[0]{url}, $sp->base, 'and is answered');
cmp_ok($r->{seconds}, '<', 15, 'by a wake');

finish();
