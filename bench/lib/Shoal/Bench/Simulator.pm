package Shoal::Bench::Simulator;

# The client's schedule in a simulated crowd of 10 to 10,000: the last client's
# time over the bound of Kumar and Ross, what the CDN gave, and how the
# simulator's own time grows.

use v5.36;
use JSON::PP ();
use Shoal::Bench qw(sized median);
use Shoal::Env qw(program);
use Shoal::Process qw(run_cmd);

my @clients = sized([ 10, 100, 1000, 10_000 ], [ 10, 100, 1000 ], [ 10, 100 ])->@*;
my $mib = sized(32, 32, 2);

sub ids($class) { return qw(sim_10000 sim_copies sim_growth) }

sub owed($class) { return $clients[-1] == 10_000 ? $class->ids : () }

sub simulate($clients, $seed) {
    my ($st, $out, $err) = run_cmd({ deadline => 900 }, program('bench/sim'),
        '--clients', $clients, '--size', $mib, '--seed', $seed, '--json');
    die "sim: status $st: $err\n" if $st ne '0';
    return JSON::PP->new->decode($out);
}

# How much more time than n log n, from each number to the next; the worst.
sub growth(%runs) {
    my @steps;
    for my $i (1 .. $#clients) {
        my ($from, $to) = @clients[ $i - 1, $i ];
        my @seconds = map { median(map { $_->{seconds} } $runs{$_}->@*) }
            $from, $to;
        next if $seconds[0] < 0.05;     # too short to be measured
        push @steps, $seconds[1] / $seconds[0]
            / ($to * log($to) / ($from * log($from)));
    }
    my ($worst) = sort { $b <=> $a } @steps;
    return $worst;
}

sub run($class, $bench) {
    my %runs;
    for my $n (@clients) {
        $runs{$n} = [ map { simulate($n, $_) }
            1 .. ($n < 10_000 ? sized(3, 3, 1) : 1) ];
        my %m = map { my $k = $_; $k => median(map { $_->{$k} } $runs{$n}->@*) }
            qw(ratio p50_s p90_s p99_s bound_s copies waste seconds);
        $bench->note(sprintf '%5d clients: last %.3f of the bound; half %.2f, '
            . '90 %% %.2f, 99 %% %.2f s of %.2f; %.3f copies, waste %.4f; '
            . 'in %.2f s', $n,
            @m{qw(ratio p50_s p90_s p99_s bound_s copies waste seconds)});
    }
    return if $clients[-1] != 10_000;
    my @last = $runs{10_000}->@*;
    $bench->result('sim_10000', runs => [ map { $_->{ratio} } @last ],
        against => 'the fluid bound');
    $bench->result('sim_copies', runs => [ map { $_->{copies} } @last ],
        against => 'size of the file');
    $bench->result('sim_growth', value => growth(%runs),
        against => 'n log n, the worst step');
    return;
}

1;
