package Shoal::Unit;

# Runs a unit test program (t/unit/NAME.c, built by make) in the place of the
# .t file that names it; the program prints TAP.

use v5.36;
use Shoal::Env qw(build_dir top);

sub run($name) {
    my $program = build_dir() . "/unit/$name";
    die "$program is not built: run 'make test'\n" unless -x $program;
    $ENV{SHOAL_TOP} = top();
    exec {$program} $program or die "$program: $!\n";
}

1;
