package Shoal::Program;

# For what uses the harness and is no test (benches, demo): at the end all
# that it started is stopped, and its folder removed.

use v5.36;
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

1;
