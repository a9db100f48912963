package Shoal::Netns;

# Runs the test in a network namespace of its own, with these addresses; has
# to come before all other modules. Where there can be none, the test is
# skipped.
#
#   use Shoal::Netns qw(198.18.0.1 198.18.0.2 2001:db8::1);

use v5.36;

sub import($class, @addrs) {
    return if $^C;      # perl -c
    enter() if !delete $ENV{IN_NETNS_OF_TEST};
    run(qw(ip link set lo up));
    for my $addr (@addrs) {
        my @family = $addr =~ /:/ ? ('-6') : ();
        my $len = @family ? 128 : 32;
        run('ip', @family, qw(addr add), "$addr/$len", qw(dev lo));
    }
}

# Does not come back: the test starts again in there.
sub enter() {
    if (system('unshare -n ip link set lo up 2>/dev/null') == 0) {
        $ENV{IN_NETNS_OF_TEST} = 1;
        exec 'unshare', '-n', $^X, (map { "-I$_" } @INC), $0, @ARGV
            or die "unshare: $!\n";
    }
    print "1..0 # SKIP a network namespace needs root, unshare and ip\n";
    exit 0;
}

sub run(@cmd) {
    system(@cmd) == 0 or die "@cmd: status $?\n";
}

1;
