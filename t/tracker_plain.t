# tracker_early off; tracker_list_filling off: always the preset delay, only
# complete sets are listed.

use v5.36;
use Shoal::Agent qw(agent);
use Shoal::Test;

my $plain = 'tracker_early off; tracker_list_filling off;';
my $t = tracker(delay => '400ms', peers => $plain);
my %file = (url => 'http://cdn.example.com/a', size => 1000);
my $root = '12' x 32;

my ($one, $two) = map { agent($t) } 1, 2;
$_->say for $one, $two;

my $r = $t->ask(%file);
cmp_ok($r->{seconds}, '>=', 0.4, 'nobody has it');
my $id = $r->json->{id};

$one->say("~$id 1");
$r = $t->ask(%file);
cmp_ok($r->{seconds}, '>=', 0.4, 'filling');
is_deeply($r->json->{super}, [], 'not listed');

$_->say("+$id $root cdn") for $one, $two;
$r = $t->ask(%file);
cmp_ok($r->{seconds}, '>=', 0.4, 'complete');
is_deeply([ sort map { "$_->{state} $_->{url}" }
    @{ $r->json->{super} } ],
    [ sort map { 'ready ' . $_->base } $one, $two ], 'both listed');

$one->say("-$id");
$two->say("?$id failed");
$r = $t->ask(%file);
cmp_ok($r->{seconds}, '>=', 0.4, 'gone again');
is_deeply($r->json->{super}, [], 'not listed');

# The same with the defaults.
$t->reload(peers => '');
$one->say("~$id 1");
$r = $t->ask(%file);
is_deeply($r->json->{super}, [ { url => $one->base, state => 'filling' } ],
    'filling is listed by default');
is($r->json->{interval}, 2, 'and to be asked again soon');

# Beside a location with another setting: what wakes one does not cut short
# the other's delay.
my $both = tracker(delay => '20s', workers => 1, server =>
    'location = /whole { tracker_peers swarm; tracker_delay 500ms; tracker_early off; }');
my $sp = agent($both);
$sp->say;
my $whole = http_start(GET => $both->base . '/whole', args => \%file);
my $early = $both->ask_start(%file);
my ($p) = $sp->told($sp->poll);
$sp->say("+$p->{id} $root cdn");
is($early->wait(5)->{status}, 200, 'woken');
ok($whole->pending, 'the other one waits on');
$r = $whole->wait(5);
cmp_ok($r->{seconds}, '>=', 0.5, 'for all of its delay');
is($r->json->{super}[0]{state}, 'ready', 'with what there is by then');

finish();
