# Prepare and ready cross four workers.

use v5.36;
use Shoal::Agent qw(agent);
use Shoal::Test;

# reuseport: the kernel spreads connections, however idle the machine is.
my $t = tracker(delay => '8s', workers => 4, listen => 'reuseport',
    server => 'add_header Worker $pid always;');
my $root = '34' x 32;

my @sp = map { agent($t) } 1 .. 6;
my %poll = map { $_->{name} => $_->poll } @sp;
$_->say for @sp;

# Many askers of many files, on connections of their own; super peers answer
# whatever they are told.
my %q = map { my $f = $_;
    $f => [ map { $t->ask_start(url => "http://cdn.example.com/$f",
        size => 10, from => "127.0.0.$_") } 1 .. 10 ] } 1 .. 12;

my ($told, %worker) = (0);
my $end = now + deadline(6);
while ($told < 24 && now < $end) {
    for my $sp (@sp) {
        next if $poll{$sp->{name}}->pending;
        my $r = $poll{$sp->{name}}->wait(1);
        $worker{poll}{ $r->{headers}{worker} } = 1;
        my @p = $sp->told($poll{$sp->{name}});
        $poll{$sp->{name}} = $sp->poll;
        $told += @p;
        $sp->say(map { "+$_->{id} $root cdn" } @p) if @p;
    }
    select undef, undef, undef, 0.005;
}
is($told, 24, 'two super peers for each file');

my @r = http_wait_all(5, map { @$_ } values %q);
is(scalar(grep { $_ && $_->{status} == 200 } @r), 120, 'all are answered');
is(scalar(grep { $_->{seconds} < 7 } @r), 120, 'before the delay is over');
is(scalar(grep { @{ $_->json->{super} } == 2 } @r), 120, 'with both');
$worker{ask}{ $_->{headers}{worker} } = 1 for @r;
cmp_ok(scalar(keys %{ $worker{ask} }), '>', 1, 'askers were at several workers');
cmp_ok(scalar(keys %{ $worker{poll} }), '>', 1, 'polls too');

# How long from an asker to the commands, and from ready to the answer, over
# all workers: by wakes, not by what each worker looks through once a second.
my (@ms, @told);
for my $n (1 .. 20) {
    my $t0 = now;
    my $q = $t->ask_start(url => "http://cdn.example.com/w$n", size => 10);
    my @p;
    wait_for {
        for my $sp (@sp) {
            next if $poll{$sp->{name}}->pending;
            push @p, map { [ $sp, $_->{id} ] } $sp->told($poll{$sp->{name}});
            $poll{$sp->{name}} = $sp->poll;
        }
        @p == 2;
    } 5, 'two commands';
    push @told, (now - $t0) * 1e3;
    $_->[0]->say("+$_->[1] $root cdn") for @p;
    $t0 = now;
    ok($q->wait(5), 'answered') or last;
    push @ms, (now - $t0) * 1e3;
}
for ([ 'told', @told ], [ 'answered', @ms ]) {
    my ($what, @sorted) = ($_->[0], sort { $a <=> $b } @$_[1 .. $#$_]);
    note(sprintf '%s after %.1f ms in the median, %.1f at most', $what,
        $sorted[@sorted / 2], $sorted[-1]);
    cmp_ok($sorted[@sorted / 2], '<', 1e3 * deadline(0.15), "$what by a wake");
}

finish();
