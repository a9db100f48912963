package Shoal::Forking;

# A small server of the harness: a process that forks for each connection.

use v5.36;
use Exporter qw(import);
use IO::Socket::IP;
use POSIX ();
use Shoal::Process;

our @EXPORT_OK = qw(start_forking);

# It listens when this returns; $serve gets each connection in a process of
# its own. Its Shoal::Process, to be ended with kill9: the whole group goes.
sub start_forking($name, $addr, $port, $serve) {
    my $listen = IO::Socket::IP->new(LocalHost => $addr, LocalPort => $port,
        Listen => 128, ReuseAddr => 1)
        or die "listen on $addr:$port: $@\n";
    my $process = Shoal::Process->start_perl($name, sub {
        local $SIG{CHLD} = 'IGNORE';
        while (1) {
            my $c = $listen->accept or next;
            my $pid = fork // next;
            if (!$pid) {
                close $listen;
                eval { $serve->($c); 1 } or print STDERR $@;
                POSIX::_exit(0);
            }
            close $c;
        }
    });
    close $listen;
    return $process;
}

1;
