package Shoal::Cdn;

# Several CDN nodes behind one host name, each a server of its own.
#
#   my $cdn = cdn(nodes => 3);
#   my $cdn = cdn(nodes => [ {}, { bad => { head => 'hang' } }, {} ]);
#   $cdn->file('a.bin', $size, $seed);       # on all nodes, the same
#   $cdn->node(0)->file('a.bin', $n, $s2);   # stale: only there
#   $cdn->url('a.bin'), $cdn->resolve, $cdn->client_args
#
# host; nodes (number, or a list of options by node); limit_rate ('1m');
# headers => {..}; server, location (text of nginx's configuration there);
# the last four also by node.

use v5.36;
use Exporter qw(import);
use Shoal::BadNode;
use Shoal::Env qw(tmpdir);
use Shoal::Net qw(free_port);
use Shoal::Nginx;

our @EXPORT_OK = qw(cdn);

my $serial = 0;

sub cdn(%o) { return __PACKAGE__->new(%o)->start }

sub new($class, %o) {
    my @list = ref $o{nodes} ? @{ $o{nodes} } : ({}) x ($o{nodes} // 3);
    my $name = 'cdn' . ++$serial;
    my @addrs = map { $list[$_]{addr} // '127.0.0.' . (11 + $_) } 0 .. $#list;
    my $self = bless { host => $o{host} // 'cdn.example.com',
        port => $o{port} // free_port(@addrs), addrs => \@addrs }, $class;
    my %common = map { $_ => $o{$_} }
        grep { exists $o{$_} } qw(limit_rate headers server location);
    for my $i (0 .. $#list) {
        my %n = (%common, %{ $list[$i] }, addr => $addrs[$i],
            port => $self->{port}, root => tmpdir("$name/node$i"));
        my $bad = delete $n{bad};
        push @{ $self->{nodes} }, $bad ? Shoal::BadNode->new(%n, %$bad)
                                       : Shoal::GoodNode->new(%n);
    }
    return $self;
}

sub start($self) { $_->start for $self->nodes; return $self }
sub stop($self)  { $_->stop for $self->nodes }

sub host($self)     { return $self->{host} }
sub port($self)     { return $self->{port} }
sub nodes($self)    { return @{ $self->{nodes} } }
sub node($self, $i) { return $self->{nodes}[$i] }
sub addrs($self)    { return @{ $self->{addrs} } }

sub url($self, $name) {
    return "http://$self->{host}:$self->{port}/$name";
}

# HOST:PORT:ADDR,ADDR.. as --resolve and resolve: take it. @order: indexes
# of the nodes, when not all or in another order.
sub resolve($self, @order) {
    my @a = @order ? @{ $self->{addrs} }[@order] : $self->addrs;
    return "$self->{host}:$self->{port}:" . join ',', @a;
}

sub client_args($self, @order) {
    return ('--resolve', $self->resolve(@order));
}

# On every node; returns the path on the first.
sub file($self, $name, $size, $seed = 1, %o) {
    my ($first, @rest) = $self->nodes;
    my $path = $first->file($name, $size, $seed, %o);
    $_->link_file($path, $name) for @rest;
    return $path;
}

# A file that exists already, on every node.
sub link_file($self, $from, $name) {
    $_->link_file($from, $name) for $self->nodes;
}

# Body bytes that all nodes have sent.
sub bytes($self, %only) {
    my $sum = 0;
    $sum += $_->bytes(%only) for $self->nodes;
    return $sum;
}

sub clear_logs($self) { $_->clear_log for $self->nodes }

# New settings for every good node, by reload.
sub set($self, %o) {
    $_->set(%o) for $self->nodes;
}

package Shoal::GoodNode;

use v5.36;
use parent -norequire, 'Shoal::Nginx', 'Shoal::Node';
use Shoal::Node;

sub new($class, %o) {
    my $self = Shoal::Nginx::new($class, name => 'node', headers => {},
        server => '', location => '', %o);
    $self->{access} = "$self->{dir}/access.log";
    return $self;
}

sub write_conf($self) {
    my %h = %{ $self->{headers} };
    my $headers = join '', map { "add_header $_ '$h{$_}';\n" } sort keys %h;
    my $addr = $self->{addr} =~ /:/ ? "[$self->{addr}]" : $self->{addr};
    my $rate = $self->{limit_rate} ? "limit_rate $self->{limit_rate};" : '';
    $self->{http} = <<"EOC";
    log_format shoal '\$remote_addr "\$request" \$status \$body_bytes_sent '
                     '"\$http_range" \$msec \$request_time';
    sendfile on;
    server {
        listen $addr:$self->{port};
        access_log $self->{access} shoal;
        root $self->{root};
        $rate
        $headers
        $self->{server}
        location / {
            $self->{location}
        }
    }
EOC
    return $self->SUPER::write_conf;
}

# limit_rate, headers, server, location: by reload.
sub set($self, %o) { return $self->reload(%o) }

1;
