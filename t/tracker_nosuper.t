# No super peer: the answer comes at once, or after the delay.

use v5.36;
use Shoal::Agent qw(agent);
use Shoal::Test;

my $t = tracker(delay => '500ms', http => 'tracker_interval 90s;');
my %file = (url => 'http://cdn.example.com/a', size => 1000);

my $r = $t->ask(%file);
cmp_ok($r->{seconds}, '<', 0.4, 'at once');
my $j = $r->json;
like($j->{id}, qr/^[0-9a-f]{40}$/, 'id');
is_deeply($j, { id => $j->{id}, interval => 90, super => [], peers => [] },
    'an answer with nothing in it');

$t->reload(peers => 'tracker_early off;');
$r = $t->ask(%file);
cmp_ok($r->{seconds}, '>=', 0.5, 'after the delay with tracker_early off');
is($r->json->{id}, $j->{id}, 'the same id');

# tracker_superpeers_per_file 0: there is one, but it is not asked.
$t->reload(peers => 'tracker_superpeers_per_file 0;');
my $sp = agent($t);
$sp->say;
cmp_ok($t->ask(%file)->{seconds}, '<', 0.4, 'none wanted');

# One that went away is not waited for after its grace.
$t->reload(peers => '');
my $q = $sp->poll;
$t->ask(url => 'http://cdn.example.com/b', size => 1);
is(scalar($sp->told($q)), 1, 'it is there');
$q = $sp->poll;
$sp->say;
$q->close;
cmp_ok($t->ask(%file)->{seconds}, '>=', 0.5, 'waited for within its grace');
my $n = 0;
wait_for { $t->ask(url => 'http://cdn.example.com/c' . $n++, size => 1)
    ->{seconds} < 0.4 } 10, 'the grace to be over';
pass('not waited for after its grace');

# A request that is parked meanwhile is let go.
$t->reload(peers => '', delay => '60s');
$q = $sp->poll;
$sp->say;
my $asker = $t->ask_start(url => 'http://cdn.example.com/d', size => 1);
wait_for {
    my @told = $sp->told($q);
    $q = $sp->poll;
    grep { $_->{url} =~ /d$/ } @told;
} 5, 'the command';
$q->close;
ok($asker->pending, 'parked');
$r = $asker->wait(15);
ok($r, 'let go when its only super peer has not come back');
cmp_ok($r->{seconds}, '>', 3, 'which takes the grace');
is_deeply($r->json->{super}, [], 'and nobody is listed');

finish();
