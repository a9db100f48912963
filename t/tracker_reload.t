# Reload with requests parked: all are answered at once, and nothing that the
# tracker knows is lost.

use v5.36;
use Shoal::Agent qw(agent);
use Shoal::Test;

my $t = tracker(delay => '20s', workers => 3, connections => 1024);
my $root = '56' x 32;
my %held = (url => 'http://cdn.example.com/held', size => 1);

my @sp = map { agent($t) } 1 .. 2;
$_->say for @sp;
my $id = $t->ask(%held, event => 'stopped', port => 1)->json->{id};
$_->say("+$id $root cdn") for @sp;
$t->ask(%held, port => 4000, from => '127.0.0.7');

# Polls first take the commands, then wait for more.
my $ask = sub { map { $t->ask_start(url => "http://cdn.example.com/r$_",
    size => 10, port => 5000 + $_) } @_ };
my @q = $ask->(1 .. 60);
my @poll;
for my $sp (@sp) {
    my $n = 0;
    wait_for { $n += $sp->told($sp->poll); $n >= 60 } 10, 'commands';
    push @poll, $sp->poll;
}
push @q, $ask->(1 .. 60);
$_->say for @sp;
ok(!(grep { !$_->pending } @q, @poll), 'parked');

my $t0 = now;
$t->process->signal('HUP');
my @r = http_wait_all(5, @q);
is(scalar(grep { $_ && $_->{status} == 200 } @r), 120, 'all 120 are answered');
cmp_ok(now - $t0, '<', deadline(1), 'at once');
note(sprintf 'after %d ms', (now - $t0) * 1000);
is_deeply([ $sp[$_]->told($poll[$_]) ], [], 'polls too') for 0, 1;
$t->wait_old_workers;
cmp_ok(now - $t0, '<', deadline(3), 'old workers are gone');

@poll = map { $_->poll } @sp;
my $r = $t->ask(%held);
is(scalar(@{ $r->json->{super} }), 2, 'super peers are known');
is_deeply([ map { $_->{addr} } @{ $r->json->{peers} } ], [ '127.0.0.7:4000' ],
    'peers are known');
is($sp[0]->say->{epoch}, $sp[0]{last}{epoch}, 'the same epoch');

# What was told before the reload is said after it.
my ($q) = $ask->(61);
my @p;
push @p, $sp[$_]->told($poll[$_]) for 0, 1;
is_deeply([ map { $_->{id} } @p ], [ ($p[0]{id}) x 2 ], 'commands arrive');
$_->say("+$p[0]{id} $root cdn") for @sp;
is($q->wait(5)->{status}, 200, 'and wake the asker');

# Many reloads under way.
for my $n (1 .. 3) {
    my @q = $ask->(100 * $n .. 100 * $n + 20);
    $t->reload;
    my @r = http_wait_all(5, @q);
    is(scalar(grep { $_ && $_->{status} == 200 } @r), 21, "reload $n");
}

finish();
