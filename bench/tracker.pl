#!/usr/bin/perl

# The tracker's figures: docs/benchmarks.md. QUICK=1 for a look, ONLY=peers,..
# for some of the parts.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../t/lib";
use Shoal::Bench;
use Shoal::Bench::Announce;
use Shoal::Bench::Memory;
use Shoal::Bench::Parking;
use Shoal::Bench::Peers;
use Shoal::Program;

my $bench = Shoal::Bench->new('tracker');

$bench->part("Shoal::Bench::$_") for qw(Peers Announce Memory
    Parking);

exit $bench->finish;
