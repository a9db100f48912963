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
use Shoal::Env qw(is_main);
use Shoal::Process;

END {
    if (is_main()) {
        my $status = $?;
        eval { Shoal::Process->stop_all; 1 } or print STDERR $@;
        Shoal::Env::remove_tmpdir();
        $? = $status;
    }
}

my $bench = Shoal::Bench->new('tracker');

$bench->part("Shoal::Bench::$_") for qw(Peers Announce Memory
    Parking);

exit $bench->finish;
