# One prepare for each file and chosen super peer, however many askers there
# are at however many workers.

use v5.36;
use Shoal::Agent qw(agent);
use Shoal::Test;

my ($rounds, $askers, $chosen) = (10, 100, 2);

my $t = tracker(delay => '0', workers => 4, connections => 1024,
    listen => 'reuseport', peers => "tracker_superpeers_per_file $chosen;");
my @sp = map { agent($t) } 1 .. 6;
my %poll = map { $_->{name} => $_->poll } @sp;
$_->say for @sp;

# What super peers are told, until the tracker has no more for any of them.
my (%told, %first);

sub drain($file) {
    my $more = 1;
    while ($more) {
        $more = 0;
        for my $sp (@sp) {
            my $q = $poll{ $sp->{name} };
            next if $q->pending;
            my @p = $sp->told($q);
            $told{$file}{ $sp->{name} } += @p;
            $poll{ $sp->{name} } = $sp->poll;
            $more = 1;
        }
    }
}

# A command that comes up late: each poll ends with what there is by then.
sub settle($file) {
    for my $sp (@sp) {
        drain($file);
        my $old = $poll{ $sp->{name} };
        my @p = $sp->told($sp->poll(wait_ms => 50));
        # another worker may have come to the old one later: then again
        push @p, $sp->told($sp->poll(wait_ms => 50)) while $old->pending;
        push @p, $sp->told($old);
        $told{$file}{ $sp->{name} } += @p if @p;
        $poll{ $sp->{name} } = $sp->poll;
    }
    drain($file);
}

my @conn;
for my $round (1 .. $rounds) {
    my $n = 0;
    my @q;
    for my $i (0 .. $askers - 1) {
        push @q, $t->ask_start(url => "http://cdn.example.com/$round", size => 5,
            keepalive => 1, from => '127.0.0.' . (1 + $i),
            $conn[$i] ? (on => $conn[$i]) : ());
        drain($round) if $i % 10 == 9;
    }
    @conn = http_wait_all(10, @q);
    is(scalar(grep { $_ && $_->{status} == 200 } @conn), $askers, 'answered');
    settle($round);
    my %who = map { $_ => $told{$round}{$_} } grep { $told{$round}{$_} }
        keys %{ $told{$round} };
    is_deeply([ values %who ], [ (1) x $chosen ],
        "$chosen super peers were told of file $round, once each")
        or diag(explain \%who);
}

finish();
