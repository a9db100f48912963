# `make chaos`: scenarios of random faults with real processes.
#
#   perl -It/lib t/chaos/chaos.pl [SEEDS]     # 1..300, or 4711, or 3,5,9..12
#
# SAN=1 BUILD=build/asan: with sanitizers. JOBS=n: so many at once (3).
# COST=0: without the second run that tells what being lied to costs in time.
# Exits with 1 when a scenario went wrong; its seed alone plays it again. The
# figures also go to $SHOAL_BUILD/chaos.json.

use v5.36;
use Shoal::Chaos::Run qw(run_seeds seeds report);
use Shoal::Env qw(build_dir spew);
use JSON::PP;

my $all = run_seeds([ seeds($ARGV[0] // '1..300') ],
    jobs => $ENV{JOBS} || 3, cost => $ENV{COST} // 1, show => 1);
my $figures = report($all);
spew(build_dir() . '/chaos.json',
    JSON::PP->new->canonical->pretty->encode($figures));
exit($figures->{went_wrong} ? 1 : 0);
