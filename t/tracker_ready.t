# Who holds the set already is chosen first, and nobody waits for it.

use v5.36;
use Shoal::Agent qw(agent);
use Shoal::Test;

my $t = tracker(delay => '3s', workers => 4,
    peers => 'tracker_superpeers_per_file 1;');
my %file = (url => 'http://cdn.example.com/a', size => 1000);
my $root = '12' x 32;

# The asker's id, without telling anybody to prepare.
my $id = $t->ask(%file, event => 'stopped')->json->{id};

my @sp = map { agent($t) } 1 .. 8;
my %poll = map { $_->{name} => $_->poll } @sp;
$_->say for @sp;

my $holder = $sp[5];
$holder->say("+$id $root cdn");
my $r = $t->ask(%file);
cmp_ok($r->{seconds}, '<', 2, 'at once');
is_deeply($r->json->{super}, [ { url => $holder->base, state => 'ready' } ],
    'listed');
is($r->json->{digest}{votes}, 1, 'vote');
ok(!(grep { !$_->pending } values %poll), 'nobody was told to prepare');

# A set that a super peer knows and the tracker has forgotten: it says so.
my $q = $t->ask_start(url => 'http://cdn.example.com/b', size => 1);
my ($told);
wait_for { ($told) = grep { !$poll{$_->{name}}->pending } @sp } 5, 'prepare';
my ($p) = $told->told($poll{$told->{name}});
$told->say("+$p->{id} $root copy");
$r = $q->wait(5);
cmp_ok($r->{seconds}, '<', 2, 'ready at once');
is_deeply($r->json->{super}, [ { url => $told->base, state => 'ready' } ],
    'listed');
is($r->json->{digest}, undef, 'a copy is no vote');

# A stable choice: everybody is sent to the same one.
my %who;
for my $n (1 .. 10) {
    my $q = $t->ask_start(url => 'http://cdn.example.com/c', size => 1,
        from => "127.0.0.$n");
    if ($n == 1) {
        $poll{$told->{name}} = $told->poll;
        wait_for { ($told) = grep { !$poll{$_->{name}}->pending } @sp } 5,
            'prepare';
        my ($p) = $told->told($poll{$told->{name}});
        $poll{$told->{name}} = $told->poll;
        $told->say("+$p->{id} $root cdn");
    }
    $who{ $_->{url} }++ for @{ $q->wait(5)->json->{super} };
}
is_deeply(\%who, { $told->base => 10 }, 'one for all');

# A refusal: the next one is asked, the first not again.
my %asked;
$q = $t->ask_start(url => 'http://cdn.example.com/d', size => 1);
for (1 .. 3) {
    wait_for { ($told) = grep { !$poll{$_->{name}}->pending } @sp } 5,
        'prepare';
    ($p) = $told->told($poll{$told->{name}});
    $poll{$told->{name}} = $told->poll;
    ok(!$asked{ $told->{name} }++, 'somebody else');
    $told->say("?$p->{id} busy") if $_ < 3;
}
ok($q->pending, 'parked all the while');
$told->say("+$p->{id} $root cdn");
is_deeply($q->wait(5)->json->{super},
    [ { url => $told->base, state => 'ready' } ], 'the third one has it');

finish();
