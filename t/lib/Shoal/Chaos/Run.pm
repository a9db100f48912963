package Shoal::Chaos::Run;

# Runs scenarios, each in a process of its own, and sums them up.

use v5.36;
use Exporter qw(import);
use JSON::PP;
use List::Util qw(sum0);
use Shoal::Env qw(top build_dir deadline sanitized tmpdir slurp);
use Shoal::Process;

our @EXPORT_OK = qw(run_seeds seeds report);

my $patience = 240;     # seconds a scenario may take

# "1..300", "4711", "3,5,9..12"
sub seeds($text) {
    return map {
        /^(\d+)\.\.(\d+)$/ ? ($1 .. $2) : /^(\d+)$/ ? $1
            : die "SEEDS: expected 1..300, 4711 or 3,5,9..12, got '$text'\n";
    } split /,/, $text;
}

# jobs, cost, show as in t/chaos/chaos.pl; the results, in the seeds' order.
sub run_seeds($seeds, %o) {
    my @queued = map { [ $_ ], ($o{cost} ? [ $_, 'honest' ] : ()) } @$seeds;
    my (@running, %result);
    while (@queued || @running) {
        while (@queued && @running < ($o{jobs} // 3)) {
            my ($seed, @how) = @{ shift @queued };
            push @running, [ $seed, @how ? 'honest' : 'lied', _start($seed, @how) ];
        }
        $running[0][2]->wait(0.05);
        @running = grep {
            my ($seed, $which, $p) = @$_;
            my $r = _result($seed, $p);
            if ($r) {
                $result{$seed}{$which} = $r;
                _show($r) if $o{show} && $which eq 'lied';
            }
            !$r;
        } @running;
    }
    return [ map { $result{$_} } @$seeds ];
}

sub _start($seed, @how) {
    return Shoal::Process->start(name => "chaos-$seed",
        env => { SHOAL_BUILD => build_dir(), SHOAL_SAN => sanitized() },
        cmd => [ $^X, '-I' . top() . '/t/lib', top() . '/t/chaos/one.pl',
            $seed, @how ])->any_status;
}

# undef while it runs.
sub _result($seed, $p) {
    $p->wait(0);
    if ($p->alive) {
        return undef if $p->seconds < deadline($patience);
        $p->kill9;
        return { seed => $seed, plan => "seed $seed", faults => [],
            problems => ['the scenario hangs'] };
    }
    return eval { decode_json($p->stdout) } // ($p->status eq '0'
        ? { seed => $seed, nothing => 1, problems => [] }
        : { seed => $seed, plan => "seed $seed", faults => [],
            problems => [ "the scenario's process: status " . $p->status
                . ': ' . $p->stderr ] });
}

sub _show($r) {
    my @p = @{ $r->{problems} };
    printf "%s seed %s (%.1f s)\n", @p ? 'not ok' : 'ok', $r->{seed},
        $r->{seconds} // 0;
    return if !@p;
    print map { "  $_\n" } $r->{plan}, map { s/\n/\n    /gr } @p;
    say "  again: make chaos SEEDS=$r->{seed}";
}

sub _median(@v) {
    @v = sort { $a <=> $b } @v;
    return @v ? $v[@v / 2] : undef;
}

# Seconds that lies cost, and times what it takes without: each with and
# without, where both ended well.
sub _cost($all) {
    my @pairs = grep { my ($l, $h) = @$_; $h && $h->{seconds}
        && ($l->{status} // '') eq '0' && $h->{status} eq '0' }
        map { [ @$_{qw(lied honest)} ] } @$all;
    return { lied_to => scalar @pairs,
        median_cost_s => _median(map { $_->[0]{seconds} - $_->[1]{seconds} }
            @pairs),
        median_cost_times => _median(map { $_->[0]{seconds} / $_->[1]{seconds} }
            @pairs) };
}

# Prints and returns the figures.
sub report($all) {
    my @r = map { $_->{lied} } @$all;
    my (%faults, %refused, %looked_at);
    for my $r (@r) {
        $faults{$_}++ for @{ $r->{faults} };
        $looked_at{$_} += $r->{looked_at}{$_}
            for keys %{ $r->{looked_at} // {} };
        for my $kind (keys %{ $r->{refused} // {} }) {
            $refused{$kind}{$_} += $r->{refused}{$kind}{$_}
                for qw(bytes blocks banned);
        }
    }
    my %f = (scenarios => scalar @r, faults => \%faults,
        refused => \%refused, looked_at => \%looked_at,
        wrong_files => sum0(map { $_->{wrong} // 0 } @r),
        needless_errors => sum0(map { $_->{failed} // 0 } @r),
        went_wrong => scalar(grep { @{ $_->{problems} } } @r),
        downloads_ended_well => scalar(grep { ($_->{status} // '') eq '0' } @r),
        %{ _cost($all) });
    printf "%d scenarios, %d faults:\n", $f{scenarios}, sum0(values %faults);
    printf "  %-30s %d\n", $_, $faults{$_} for sort keys %faults;
    printf "%-10s  refused: %d blocks; thrown away: %d bytes; banned: %d\n",
        $_, @{ $refused{$_} }{qw(blocks bytes banned)} for sort keys %refused;
    printf "looked at: %d %s\n", $looked_at{$_}, $_ for sort keys %looked_at;
    printf "downloads that ended well: %d\nwrong files: %d\nerrors although a "
        . "right source could be reached: %d\nscenarios that went wrong: %d\n",
        @f{qw(downloads_ended_well wrong_files needless_errors went_wrong)};
    printf "being lied to costs %.2f s, %.2f times as long (medians of %d)\n",
        @f{qw(median_cost_s median_cost_times lied_to)} if $f{lied_to};
    my @bad = map { $_->{seed} } grep { @{ $_->{problems} } } @r;
    say 'again: make chaos SEEDS=' . join ',', @bad if @bad;
    return \%f;
}

1;
