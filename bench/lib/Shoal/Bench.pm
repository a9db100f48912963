package Shoal::Bench;

# What all benches share: the goals, the results, a table and JSON.
#
#   my $b = Shoal::Bench->new('tracker');
#   $b->part('Shoal::Bench::Peers');         # those of ONLY=peers,.. or all
#   $b->result('peers_cpu_ratio', runs => [...], against => 'return 200');
#   exit $b->finish;
#
# A part has ids(), its results, and run($b); owed(), if a look or a test gets
# fewer of them. A result's value is
# the median of its runs, or value => .. . All ids are in bench/goals.json. A
# goal that is missed is marked and no failure: a bench measures.

use v5.36;
use Exporter qw(import);
use JSON::PP ();
use Shoal::Env qw(top build_dir slurp spew);
use Shoal::Nginx;
use Shoal::Process;

our @EXPORT_OK = qw(median percentile quick tiny sized rounds slice cpus);

my $tiny  = $ENV{TINY} ? 1 : 0;
my $quick = $tiny || $ENV{QUICK} ? 1 : 0;
my %only  = map { $_ => 1 } split /,/, $ENV{ONLY} // '';

# QUICK=1: a look within three minutes, with smaller stores and fewer rounds.
sub quick() { return $quick }

# TINY=1: what a test takes to see that it works.
sub tiny() { return $tiny }

# A measurement's, a look's, and what a test takes to see that it works.
sub sized($full, $look, $test) { return $tiny ? $test : $quick ? $look : $full }

# Comparisons: many short rounds, so that both sides of one see the same
# machine. How many, and the seconds of one side.
sub rounds() { return $quick ? 7 : 21 }
sub slice()  { return $quick ? 0.4 : 0.8 }

sub cpus() { return scalar(() = slurp('/proc/cpuinfo') =~ /^processor/mg) }

sub median(@values) {
    my @sorted = sort { $a <=> $b } @values;
    die "median of nothing\n" if !@sorted;
    my $mid = int(@sorted / 2);
    return $sorted[$mid] if @sorted % 2;
    return ($sorted[$mid - 1] + $sorted[$mid]) / 2;
}

sub percentile($share, @values) {
    my @sorted = sort { $a <=> $b } @values;
    die "percentile of nothing\n" if !@sorted;
    return $sorted[ int($share * $#sorted) ];
}

sub goals($name) {
    my $all = JSON::PP->new->decode(slurp(top() . '/bench/goals.json'));
    return @{ $all->{$name} // die "no goals for $name\n" };
}

sub new($class, $name) {
    my @goals = goals($name);
    return bless { name => $name, goals => \@goals, results => {},
        missing => [], goal => { map { $_->{id} => $_ } @goals } }, $class;
}

# Runs a part of the bench; what it dies of is told, and the next one runs.
sub part($self, $class) {
    my $name = lc $class =~ s/.*:://r;
    return if %only && !$only{$name};
    my $start = time;
    $self->note("$name ...");
    my $done = eval { $class->run($self); 1 };
    print STDERR "bench: $name: $@" if !$done;
    my @owed = $class->can('owed') ? $class->owed : $class->ids;
    push @{ $self->{missing} }, grep { !$self->{results}{$_} } @owed;
    Shoal::Process->stop_all;
    $self->note(sprintf '%s: %d s', $name, time - $start);
    return;
}

sub note($self, $text) { print STDERR "  $text\n" }

# Five digits, as a number.
sub short($value) { return 0 + sprintf '%.5g', $value }

sub result($self, $id, %o) {
    my $goal = $self->{goal}{$id} // die "$id is not in bench/goals.json\n";
    my $value = $o{value} // median(@{ $o{runs} });
    my $met;
    if (defined $goal->{goal}) {
        $met = $goal->{better} eq 'lower' ? $value <= $goal->{goal}
                                          : $value >= $goal->{goal};
    }
    $self->{results}{$id} = {
        %$goal, value => short($value),
        met => defined $met ? $met ? JSON::PP::true : JSON::PP::false : undef,
        against => $o{against}, runs => [ map { short($_) } @{ $o{runs} // [$value] } ],
    };
    return;
}

sub machine() {
    my ($cpu) = slurp('/proc/cpuinfo') =~ /^model name\s*:\s*(.*)$/m;
    my ($kib) = slurp('/proc/meminfo') =~ /^MemTotal:\s*(\d+)/m;
    my $kernel = slurp('/proc/sys/kernel/osrelease') =~ s/\s+//gr;
    return sprintf '%s, %d CPUs, %d MiB, Linux %s', $cpu // 'unknown CPU',
        cpus(), ($kib // 0) / 1024, $kernel;
}

sub table($self) {
    my @rows = ([qw(id value goal unit), '', 'against']);
    for my $r (grep { $_ } map { $self->{results}{ $_->{id} } }
        @{ $self->{goals} })
    {
        my $goal = !defined $r->{goal} ? '-'
            : ($r->{better} eq 'lower' ? '<= ' : '>= ') . $r->{goal};
        my $met = !defined $r->{met} ? '' : $r->{met} ? 'ok' : 'MISSED';
        push @rows, [ @$r{qw(id value)}, $goal, $r->{unit}, $met,
                      $r->{against} // '' ];
    }
    return map { sprintf("%-28s %9s  %-8s %-8s %-6s  %s", @$_) =~ s/\s+$//r }
        @rows;
}

# Writes build/bench/NAME.json, prints the table; the exit status.
sub finish($self) {
    my $dir = build_dir() . '/bench';
    mkdir $dir;
    my @results = grep { $_ }
        map { $self->{results}{ $_->{id} } } @{ $self->{goals} };
    my %out = (name => $self->{name}, machine => machine(),
               results => \@results);
    $out{quick} = JSON::PP::true if $quick;
    $out{only} = [ sort keys %only ] if %only;
    my $path = "$dir/$self->{name}.json";
    spew($path, JSON::PP->new->canonical->pretty->encode(\%out));

    say $_ for $self->table;
    say 'QUICK=1: a look, not a measurement' if $quick;
    say "written: $path";
    my @faults = map { $_->faults } Shoal::Nginx->all_nginx;
    push @faults, "not measured: @{ $self->{missing} }"
        if @{ $self->{missing} };
    say STDERR "bench: $_" for @faults;
    return @faults ? 1 : 0;
}

1;
