# A zone that is full makes room, but not of what requests wait for; where there
# is none to be made an asker is not registered, and gets its list.

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

subtest 'one file fills its stripe' => sub {
    my $z = tracker(delay => '0', workers => 3, zone => '1m', real_ip => 1);
    my %f = (url => 'http://cdn.example.com/crowd', size => 1);
    my $crowd = sub ($net) {
        $z->crowd(\%f, map { [ sprintf('%s.%d.%d', $net, $_ / 250, $_ % 250 + 1), 4000 ] } 1 .. 8000);
    };
    $crowd->("198.18");
    $crowd->("198.19");
    my $m = $z->metrics;
    cmp_ok($m->{shoal_tracker_refused_peers_total}, '>', 1000, 'there is no room for all');
    my $known = $m->{'shoal_tracker_peers{family="ipv4",state="incomplete"}'};
    cmp_ok($known, '>', 1000, 'but for as many as there is');
    my @conn = map { $z->ask_start(%f, port => 1, numwant => 200,
        headers => { 'X-Real-IP' => "192.0.2.$_" }) } 1 .. 30;
    my @r = http_wait_all(5, @conn);
    is(scalar(grep { @{ $_->json->{peers} } == 200 } @r), 30, 'who is not registered has a list');
    is($z->metrics->{'shoal_tracker_peers{family="ipv4",state="incomplete"}'}, $known,
        'nobody is registered, nobody is lost');
    is(scalar(() = $z->error_log =~ /zone "swarm" is full, answers are degraded/g), 1,
        'one line in the log, of all workers');
    $z->crowd({ %f, event => 'stopped' }, map { [ "198.18.0.$_", 4000 ] } 2 .. 251);
    is($z->ask(%f, port => 1, headers => { 'X-Real-IP' => '192.0.2.99' })->{status}, 200,
        'when some have left');
    is($z->metrics->{'shoal_tracker_peers{family="ipv4",state="incomplete"}'}, $known - 249 + 1,
        'others have their room');
};

finish();
