#!/usr/bin/perl

# Where the time of a peer-list request goes: perf on the worker under the load
# of the peers part. Prints each function's own share, then those with what
# they call. usage: bench/profile.pl [/peers|/plain]

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../t/lib";
use Shoal::Bench::Peers;
use Shoal::Env qw(is_main tmpdir);
use Shoal::Process qw(run_cmd start_cmd);

END {
    if (is_main()) {
        my $status = $?;
        eval { Shoal::Process->stop_all; 1 } or print STDERR $@;
        Shoal::Env::remove_tmpdir();
        $? = $status;
    }
}

my $place = shift // '/peers';
my $store = Shoal::Bench::Peers::store(20_000);
my $data  = tmpdir() . '/perf.data';

sub report(@how) {
    my ($st, $out) = run_cmd({ deadline => 300 }, qw(perf report -i), $data,
        qw(--stdio -g none --percent-limit 0.4 -F), @how);
    print grep { /^ *\d/ && !/\b0x[0-9a-f]{16}/ } $out =~ /^.*\n/mg;
    return;
}

Shoal::Bench::Peers::cost($store, $place) for 1 .. 2;
my $perf = start_cmd(qw(perf record -q -e cpu-clock -F 1999 --call-graph),
    'dwarf,16384', '-p', $store->{tracker}->worker, '-o', $data)->any_status;
Shoal::Bench::Peers::cost($store, $place) for 1 .. 12;
$perf->stop('INT', 60);

printf "== %s: own share\n", $place;
report('overhead,sym', '--no-children');
printf "== %s: with what is called\n", $place;
report('overhead_children,overhead,sym', '--children');
