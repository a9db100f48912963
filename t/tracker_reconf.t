# Reloads with another configuration: super peers that are preset no more,
# registration switched off and on, no tracker at all.

use v5.36;
use Shoal::Agent qw(agent);
use Shoal::Test;

my $t = tracker(delay => '1s', workers => 2, register => 0,
    http => 'tracker_superpeer swarm p1; tracker_superpeer swarm p2;');
my $root = '4f' x 32;
my %f = (url => 'http://cdn.example.com/a', size => 1, event => 'stopped');

sub listed() {
    return join ' ', sort map { $_->{url} } @{ $t->ask(%f)->json->{super} };
}

my ($p1, $p2) = map { agent($t, name => $_) } qw(p1 p2);
$_->say for $p1, $p2;
my $id = $t->ask(%f)->json->{id};
$_->say("+$id $root cdn") for $p1, $p2;
my $both = $p1->base . ' ' . $p2->base;
is(listed(), $both, 'both are listed');
my $epoch = $p1->{epoch};

$t->reload(more => 'tracker_superpeer swarm p1;');
is($p2->call->{status}, 403, 'preset no more');
my $t0 = now;
wait_for { $p1->say; listed() eq $p1->base } 10, 'it to be off the list';
cmp_ok(now - $t0, '<', deadline(6), 'soon');

$t->reload(register => 1);
$_->say for $p1, $p2;
is(listed(), $both, 'registered: with all that it held');

$t->reload(register => 0);
is($p2->call->{status}, 403, 'registration is off');
$t->reload(more => 'tracker_superpeer swarm p2; tracker_superpeer swarm p1;');
$_->say for $p1, $p2;
is(listed(), $both, 'preset again');
is($p1->{epoch}, $epoch, 'all in one epoch');

# Without the module, and with it again: nothing is left of before.
{
    no warnings 'redefine';
    local *Shoal::Tracker::write_conf = sub ($self) {
        $self->{http} = "server { listen $self->{addr}:$self->{port};"
            . ' return 204; }';
        return Shoal::Nginx::write_conf($self);
    };
    $t->reload(module => 0);
    is(http(GET => $t->base)->{status}, 204, 'no tracker');
    $t->wait_old_workers;
}
$t->reload(module => 1);
$_->say for $p1, $p2;
isnt($p1->{epoch}, $epoch, 'another epoch');
is(listed(), '', 'nothing is known');
my @poll = map { $_->poll } $p1, $p2;
my $q = $t->ask_start(%f, event => 'started');
my @told = map { $_->[0]->told($_->[1]) } [ $p1, $poll[0] ], [ $p2, $poll[1] ];
is(@told, 2, 'told');
$_->say("+$id $root cdn") for $p1, $p2;
my $r = $q->wait(5);
is(scalar(@{ $r->json->{super} }), 2, 'and all works');
cmp_ok($r->{seconds}, '<', 0.9, 'by a wake');

finish();
