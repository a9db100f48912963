package Shoal::Bench::Crowd;

# Crowds of clients that trade one file: the last one's time over the bound of
# Kumar and Ross, and what the CDN had to give, beside tuned libtorrent,
# aria2's BitTorrent and plain HTTP; also at 40 ms.

use v5.36;
use Shoal::Bench qw(quick tiny sized median);
use Shoal::Bench::Client qw(spread);
use Shoal::Bench::Swarm qw(swarm);
use List::Util qw(max);

my $mib = sized(32, 16, 1);     # of most; what is told of 64 has twice that

sub even($n, $up) { return [ map { { up => $up, down => 50 } } 1 .. $n ] }

# What is measured (last client's time, or the mean one's), and how the crowd
# differs from eight equal ones that start together and stay. What runs beside
# it: in turn (all rounds) and once.
my @crowds = (
    [ swarm32 => {}, 'last', ['libtorrent'], [qw(aria2 plain)] ],
    [ swarm64 => { size => 2 * $mib << 20 }, 'last', ['libtorrent'],
        ['aria2'] ],
    [ swarm_leave => { killed => 2, killed_at => sized(2.5, 0.6, 0.1) },
        'last', [], ['libtorrent'] ],
    [ swarm16 => { clients => even(16, 50) }, 'last', [], ['libtorrent'] ],
    [ swarm_uneven => { clients => [ map { { up => $_ % 2 ? 10 : 90,
        down => 50 } } 1 .. 8 ] }, 'last', [], ['libtorrent'] ],
    [ swarm_up25 => { clients => even(8, 25) }, 'last', [], ['libtorrent'] ],
    [ swarm_join => { starts => [ map { $_ * sized(10, 2.5, 0.3) / 7 }
        0 .. 7 ] }, 'mean', [], [qw(libtorrent leaving)] ],
);

my @copies = qw(swarm32 swarm64);   # of which the worse counts

sub ids($class) {
    my @ids = ((map { $_->[0] } @crowds), 'swarm_copies', 'swarm_join_copies');
    return map { ($_, "${_}_40ms") } @ids;
}

# A look is not at 40 ms; a test has one crowd.
sub round_trips() { return quick() ? 0 : (0, 40) }
sub measured() { return tiny() ? $crowds[0] : @crowds }

sub owed($class) {
    return qw(swarm32 swarm_copies) if tiny();
    return quick() ? grep { !/_40ms$/ } $class->ids : $class->ids;
}

sub told($what, @runs) {
    return sprintf '%.3f at %.2f copies', map { my $k = $_;
        median(map { $_->{$k} } @runs) } $what, 'copies';
}

# One run: its times over the bound.
sub ratio($swarm, $who) {
    my $r = $swarm->$who;
    $r->{$_} /= $swarm->bound for qw(last mean);
    return $r;
}

# What runs beside it: nothing at 40 ms, and in a look beside the first only.
sub opponents($name, $rtt, $turns, $once) {
    return ([], []) if $rtt || (quick() && $name ne 'swarm32');
    return ($turns, tiny() ? [] : $once);
}

sub measure($bench, $crowd, $rtt) {
    my ($name, $o, $what, @others) = @$crowd;
    my ($turns, $once) = opponents($name, $rtt, @others);
    my $swarm = swarm(clients => even(8, 50), size => $mib << 20, %$o,
        rtt_ms => $rtt);
    my $rounds = $rtt ? 1 : sized(3, 1, 1);
    my %runs = map { $_ => [ ratio($swarm, $_) ] } @$once;
    for my $round (1 .. $rounds) {
        push @{ $runs{$_} }, ratio($swarm, $_)
            for $round % 2 ? (@$turns, 'shoal') : ('shoal', @$turns);
    }
    $swarm->stop;
    my @runs = @{ delete $runs{shoal} };
    my @beside = map { "$_ " . told($what, @{ $runs{$_} }) } sort keys %runs;
    my $id = $name . ($rtt ? "_${rtt}ms" : '');
    $bench->note(join '; ', sprintf('%-18s last client %s, mean client %s, '
        . '%s copies', $id, map { my $k = $_;
            spread('%.3f', map { $_->{$k} } @runs) } qw(last mean copies)),
        @beside);
    $bench->result($id, runs => [ map { $_->{$what} } @runs ],
        against => join '; ', 'the fluid bound', @beside);
    return [ map { $_->{copies} } @runs ];
}

sub run($class, $bench) {
    for my $rtt (round_trips()) {
        my $suffix = $rtt ? "_${rtt}ms" : '';
        my %copies = map { $_->[0] => measure($bench, $_, $rtt) } measured();
        my ($worst) = sort { median(@{ $copies{$b} })
            <=> median(@{ $copies{$a} }) } grep { $copies{$_} } @copies;
        $bench->result("swarm_copies$suffix", runs => $copies{$worst},
            against => $worst);
        $bench->result("swarm_join_copies$suffix",
            runs => $copies{swarm_join}, against => 'swarm_join')
            if $copies{swarm_join};
    }
    return;
}

1;
