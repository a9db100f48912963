package Shoal::Bench::Failing;

# Four mirrors of which one fails after two seconds: its line falls to 1
# Mbit/s, it stands still, or it is killed. Time over what the lines could
# have carried, beside aria2; also at 40 ms.

use v5.36;
use Shoal::Bench qw(quick sized);
use Shoal::Bench::Client qw(fetch_end spread);
use Shoal::Bench::MirrorSet qw(mirror_set);
use Time::HiRes qw(sleep clock_gettime CLOCK_MONOTONIC);

my $size = sized(512 << 20, 160 << 20, 8 << 20);
my $mbit = 200;
my $after = sized(2, 0.7, 0.05);    # seconds

# What happens to a mirror, what is left of its rate, what undoes it.
my %fail = (
    slow => { fail => sub ($set) { $set->host(3)->set(up => 1) }, mbit => 1,
        undo => sub ($set) { $set->host(3)->set(up => $mbit) } },
    stalled => { fail => sub ($set) { workers($set, 'STOP') }, mbit => 0,
        undo => sub ($set) { workers($set, 'CONT') } },
    killed => { fail => sub ($set) { $set->node(3)->kill9 }, mbit => 0,
        undo => sub ($set) { $set->node(3)->start } },
);

sub workers($set, $signal) {
    kill $signal, $set->node(3)->worker_pids;
    return;
}

my @names = qw(slow stalled killed);

sub ids($class) {
    return map { ("mirror_$_", "mirror_${_}_worst", "mirror_${_}_40ms") }
        @names;
}

# A look is not at 40 ms.
sub round_trips() { return quick() ? 0 : (0, 40) }

sub owed($class) {
    return grep { !quick() || !/_40ms$/ } $class->ids;
}

# The fluid bound: four lines until it happens, then three and what is left.
sub ratio($set, $how, $name, @args) {
    my $get = $set->start($name, @args);
    my $start = clock_gettime(CLOCK_MONOTONIC);
    sleep $after;
    $how->{fail}->($set);
    my $at = clock_gettime(CLOCK_MONOTONIC) - $start;
    my $r = eval { fetch_end($get) };
    my $why = $@;
    $how->{undo}->($set);
    die $why if !$r;
    my @left = (($mbit) x 3, $how->{mbit});
    my $best = $at + $set->seconds($size - $set->bytes($at), @left);
    return $r->{seconds} / $best;
}

sub measure($bench, $set, $name, $suffix, $rounds, $opponents) {
    my $how = $fail{$name};
    my (@aria, @runs);
    for my $round (1 .. $rounds) {
        push @aria, ratio($set, $how, 'aria2c', '-k1M')
            if $round <= $opponents;
        push @runs, ratio($set, $how, 'shoal');
    }
    my $id = "mirror_$name$suffix";
    my $beside = @aria ? 'aria2c -k1M ' . spread('%.3f', @aria) : 'alone';
    $bench->note(sprintf '%-20s %s; shoal %s', $id, $beside,
        spread('%.3f', @runs));
    my $against = "what the lines could carry; $beside";
    $bench->result($id, runs => \@runs, against => $against);
    my ($worst) = sort { $b <=> $a } @runs;
    $bench->result("${id}_worst", value => $worst, runs => \@runs,
        against => $against) if $suffix eq '';
    return;
}

sub run($class, $bench) {
    for my $rtt (round_trips()) {
        my $set = mirror_set([ ($mbit) x 4 ], 'failing.bin', $size,
            rtt_ms => $rtt);
        for my $name (@names) {
            $rtt ? measure($bench, $set, $name, '_40ms', 3, 1)
                 : measure($bench, $set, $name, '', sized(5, 1, 1),
                     sized(3, 1, 0));
        }
        $set->stop;
    }
    return;
}

1;
