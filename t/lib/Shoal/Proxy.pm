package Shoal::Proxy;

# A proxy that knows CONNECT and nothing else; one child a connection.
#
#   my $p = Shoal::Proxy->new->start;
#   shoal({ env => { https_proxy => $p->url } }, ..);
#   $p->asked                                   # 'HOST:PORT' of each CONNECT

use v5.36;
use IO::Select;
use IO::Socket::IP;
use Shoal::Env qw(tmpdir slurp);
use Shoal::Forking qw(start_forking);
use Shoal::Net qw(free_port);

my $serial = 0;

sub new($class, %o) {
    my $addr = $o{addr} // '127.0.0.60';
    return bless { %o, addr => $addr, port => free_port($addr),
        log => tmpdir('proxy') . '/' . ++$serial }, $class;
}

sub start($self) {
    $self->{process} = start_forking('proxy', $self->{addr}, $self->{port},
        sub ($c) { $self->_serve($c) });
    return $self;
}

sub url($self)   { return "http://$self->{addr}:$self->{port}" }
sub stop($self)  { return $self->{process}->kill9 }
sub asked($self) { return split /\n/, slurp($self->{log}) }

sub _serve($self, $c) {
    my $head = '';
    while ($head !~ /\r\n\r\n\z/) {
        sysread $c, $head, 1, length $head or return;
    }
    my ($host, $port) = $head =~ m{^CONNECT \[?([^\s\]]+)\]?:(\d+) HTTP/}
        or return syswrite $c,
            "HTTP/1.1 501 Only CONNECT\r\nContent-Length: 0\r\n\r\n";
    open my $log, '>>', $self->{log} or die "$self->{log}: $!\n";
    syswrite $log, "$host:$port\n";
    my $to = IO::Socket::IP->new(PeerHost => $host, PeerPort => $port)
        or return syswrite $c,
            "HTTP/1.1 502 Unreachable\r\nContent-Length: 0\r\n\r\n";
    # A header as proxies send them: none of it is the origin's.
    syswrite $c, "HTTP/1.1 200 Connection established\r\n"
        . "Content-Length: 5\r\nETag: \"proxy\"\r\n\r\n";
    _pump($c, $to);
}

# Both ways, until one side is at its end.
sub _pump($one, $two) {
    local $SIG{PIPE} = 'IGNORE';
    my $select = IO::Select->new($one, $two);
    while (1) {
        for my $from ($select->can_read) {
            my $to = $from == $one ? $two : $one;
            sysread $from, my $data, 65536 or return;
            for (my $off = 0; $off < length $data;) {
                $off += syswrite($to, $data, length $data, $off) // return;
            }
        }
    }
}

1;
