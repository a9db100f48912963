#!/usr/bin/perl

# The client's figures: docs/benchmarks.md. QUICK=1 for a look,
# ONLY=loopback,.. for some of the parts.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../t/lib";

# In a network namespace of its own, with its files in memory: a disk is
# slower than what is measured, and not always alike.
BEGIN {
    if (!$^C && !delete $ENV{IN_NETNS_OF_BENCH}
        && system('unshare -n ip link set lo up 2>/dev/null') == 0)
    {
        $ENV{IN_NETNS_OF_BENCH} = 1;
        exec 'unshare', '-n', 'sh', '-c', 'ip link set lo up && exec "$@"',
            'sh', $^X, $0, @ARGV or die "unshare: $!\n";
    }
    $ENV{TMPDIR} = '/dev/shm' if -d '/dev/shm' && -w _;
}

use Shoal::Bench;
use Shoal::Bench::Crowd;
use Shoal::Bench::CrowdSuper;
use Shoal::Bench::Failing;
use Shoal::Bench::Loopback;
use Shoal::Bench::Mirrors;
use Shoal::Bench::Simulator;
use Shoal::Bench::Wget;
use Shoal::Program;

my $bench = Shoal::Bench->new('client');

$bench->part("Shoal::Bench::$_") for qw(Wget Loopback Mirrors
    Failing Crowd CrowdSuper Simulator);

exit $bench->finish;
