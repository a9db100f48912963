package Shoal::Net;

# Free ports, and waiting for listeners.

use v5.36;
use Exporter qw(import);
use Fcntl qw(:flock);
use IO::Socket::IP;
use Shoal::Env qw(is_main);
use Shoal::Process qw(wait_for);

our @EXPORT_OK = qw(free_port port_open wait_port);

my @locks;

# A port that is free on all given addresses. Below the kernel's ephemeral
# range, and locked, so that tests running side by side never get the same.
sub free_port(@addrs) {
    @addrs = ('127.0.0.1') if !@addrs;
    my $dir = (-d '/run/lock' && -w _ ? '/run/lock' : '/tmp')
        . "/shoal-ports.$>";
    mkdir $dir;
    for (1 .. 500) {
        my $port = 11000 + int rand 21000;
        open my $lock, '>', "$dir/$port" or die "$dir/$port: $!\n";
        next if !flock $lock, LOCK_EX | LOCK_NB;
        next if grep { !_can_bind($_, $port) } @addrs;
        push @locks, [ $lock, "$dir/$port" ];
        return $port;
    }
    die "no free port\n";
}

sub _can_bind($addr, $port) {
    my $s = IO::Socket::IP->new(LocalHost => $addr, LocalPort => $port,
                                Listen => 1, ReuseAddr => 1);
    return defined $s;
}

sub port_open($addr, $port) {
    my $s = IO::Socket::IP->new(PeerHost => $addr, PeerPort => $port,
                                Timeout => 2);
    return defined $s;
}

# Until somebody listens there; dies early when $process has ended.
sub wait_port($addr, $port, $process = undef, $seconds = 10) {
    wait_for {
        if ($process && !$process->alive) {
            die sprintf "%s ended with status %s:\n%s", $process->name,
                $process->status, $process->stderr;
        }
        port_open($addr, $port);
    } $seconds, "a listener on $addr:$port";
}

END {
    if (is_main()) {
        unlink $_->[1] for @locks;
    }
}

1;
