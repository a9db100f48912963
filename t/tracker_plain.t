# tracker_early off; tracker_list_filling off: always the preset delay, only
# complete sets are listed.

use v5.36;
use Shoal::Agent qw(agent);
use Shoal::Test;

my $plain = 'tracker_early off; tracker_list_filling off;';
my $t = tracker(delay => '400ms', peers => $plain);
my %file = (url => 'http://cdn.example.com/a', size => 1000);
my $root = '12' x 32;

my ($a, $b) = map { agent($t) } 1, 2;
$_->say for $a, $b;

my $r = $t->ask(%file);
cmp_ok($r->{seconds}, '>=', 0.4, 'nobody has it');
my $id = $r->json->{id};

$a->say("~$id 1");
$r = $t->ask(%file);
cmp_ok($r->{seconds}, '>=', 0.4, 'filling');
is_deeply($r->json->{super}, [], 'not listed');

$_->say("+$id $root cdn") for $a, $b;
$r = $t->ask(%file);
cmp_ok($r->{seconds}, '>=', 0.4, 'complete');
is_deeply([ sort { $a cmp $b } map { "$_->{state} $_->{url}" }
    @{ $r->json->{super} } ],
    [ sort { $a cmp $b } map { 'ready ' . $_->base } $a, $b ], 'both listed');

$a->say("-$id");
$b->say("?$id failed");
$r = $t->ask(%file);
cmp_ok($r->{seconds}, '>=', 0.4, 'gone again');
is_deeply($r->json->{super}, [], 'not listed');

# The same with the defaults.
$t->reload(peers => '');
$a->say("~$id 1");
$r = $t->ask(%file);
is_deeply($r->json->{super}, [ { url => $a->base, state => 'filling' } ],
    'filling is listed by default');
is($r->json->{interval}, 2, 'and to be asked again soon');

finish();
