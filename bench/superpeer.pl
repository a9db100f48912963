#!/usr/bin/perl

# The super peer's figures: docs/benchmarks.md. QUICK=1 for a look,
# ONLY=serve,.. for some of the parts.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../t/lib";

# In a network namespace of its own, where there can be one: a part has a line
# with a delay in it.
BEGIN {
    if (!$^C && !delete $ENV{IN_NETNS_OF_BENCH}
        && system('unshare -n ip link set lo up 2>/dev/null') == 0)
    {
        $ENV{IN_NETNS_OF_BENCH} = 1;
        exec 'unshare', '-n', 'sh', '-c', 'ip link set lo up && exec "$@"',
            'sh', $^X, $0, @ARGV or die "unshare: $!\n";
    }
}

use Shoal::Bench;
use Shoal::Bench::Cold;
use Shoal::Bench::Connections;
use Shoal::Bench::FirstBlock;
use Shoal::Bench::Prefetch;
use Shoal::Bench::Serve;
use Shoal::Bench::Turnover;
use Shoal::Program;

my $bench = Shoal::Bench->new('superpeer');

$bench->part("Shoal::Bench::$_") for qw(Serve Prefetch Connections
    Turnover FirstBlock Cold);

exit $bench->finish;
