package Shoal::Trap;

# An address that nobody may connect to.
#
#   my $trap = Shoal::Trap->new(addr => '127.0.0.9');
#   $trap->port, $trap->url('x')      # http://127.0.0.9:PORT/x
#   is($trap->touched, 0, 'nobody came');

use v5.36;
use IO::Socket::IP;
use Shoal::Net qw(free_port);

sub new($class, %o) {
    my $addr = $o{addr} // '127.0.0.9';
    my $port = $o{port} // free_port($addr);
    my $socket = IO::Socket::IP->new(LocalHost => $addr, LocalPort => $port,
        Listen => 64, ReuseAddr => 1) or die "trap: $@\n";
    $socket->blocking(0);
    return bless { addr => $addr, port => $port, socket => $socket,
        touched => 0 }, $class;
}

sub addr($self) { return $self->{addr} }
sub port($self) { return $self->{port} }

sub url($self, $path = '') {
    my $host = $self->{addr} =~ /:/ ? "[$self->{addr}]" : $self->{addr};
    return "http://$host:$self->{port}/$path";
}

# How many connections there were, those that are over too.
sub touched($self) {
    while (my $c = $self->{socket}->accept) {
        $self->{touched}++;
    }
    return $self->{touched};
}

1;
