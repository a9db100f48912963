package Shoal::Tracker;

# nginx with the tracker module.
#
#   my $t = tracker(origin => 'cdn.example.com', delay => '300ms');
#   $t->ask(url => .., size => .., from => '127.0.0.5')      # GET /peers
#   $t->ask_start(..)                                        # not yet answered
#   $t->control({ name => 'sp1', .. }, body => "+ID ..\n")   # POST /control
#
# origin (list or text); delay ('300ms'); peers, control (more directives of
# these locations); server, http (more text there); zone ('16m'); token;
# real_ip (1: X-Real-IP counts); workers (2); listen (more words of that directive, such as 'reuseport');
# register (1); locations (text instead of all of these).

use v5.36;
use parent -norequire, 'Shoal::Nginx';
use Exporter qw(import);
use Shoal::HTTP qw(http http_start http_raw url_encode);
use Shoal::Metrics qw(parse_metrics);
use Shoal::Net qw(free_port);
use Shoal::Nginx;

our @EXPORT_OK = qw(tracker);

sub tracker(%o) { return __PACKAGE__->new(%o)->start }

sub new($class, %o) {
    my $addr = $o{addr} // '127.0.0.2';
    my $self = Shoal::Nginx::new($class,
        name => 'tracker', workers => 2, module => 1, addr => $addr,
        port => $o{port} // free_port($addr), origin => 'cdn.example.com', zone => '16m',
        delay => '300ms', peers => '', control => '', server => '',
        listen => '', more => '', token => 'sesame', register => 1, %o,
        http => '', more => $o{http} // '');
    return $self;
}

sub write_conf($self) {
    my @origins = ref $self->{origin} ? @{ $self->{origin} }
                                      : $self->{origin};
    my $register = $self->{register} ? 'tracker_register on;' : '';
    my $locations = $self->{locations} // <<"EOC";
        location = /peers {
            tracker_peers swarm;
            tracker_delay $self->{delay};
            $self->{peers}
        }
        location = /control {
            if (\$http_authorization != "Bearer $self->{token}") {
                return 403;
            }
            tracker_control swarm;
            $register
            $self->{control}
        }
        location = /metrics { tracker_metrics swarm; }
        location = /status  { tracker_status swarm; }
EOC
    $self->{http} = <<"EOC";
    tracker_zone swarm:$self->{zone};
    tracker_origin swarm @origins;
    $self->{more}
    @{[ $self->{real_ip} ? 'set_real_ip_from 127.0.0.0/8; real_ip_header X-Real-IP;'
        . ' keepalive_requests 100000;' : '' ]}
    log_format shoal '\$remote_addr "\$request" \$status \$body_bytes_sent '
                     '"\$http_range" \$msec \$request_time';
    server {
        listen $self->{addr}:$self->{port} backlog=1024 $self->{listen};
        access_log $self->{dir}/access.log shoal;
        $self->{server}
$locations
    }
EOC
    return $self->SUPER::write_conf;
}

sub addr($self)  { return $self->{addr} }
sub port($self)  { return $self->{port} }
sub token($self) { return $self->{token} }
sub base($self)  { return "http://$self->{addr}:$self->{port}" }

# What shoal --tracker gets, and what a super peer's trackers: gets.
sub url($self)         { return $self->base . '/peers' }
sub control_url($self) { return $self->base . '/control' }

# What /metrics says: { 'NAME{LABELS without the zone}' => value }.
sub metrics($self) {
    return parse_metrics(http(GET => $self->base . '/metrics')->{body})
        ->{value};
}

# What /status says, of all or (url, size, .. or id) of one.
sub status($self, %args) {
    return http(GET => $self->base . '/status', args => \%args)->json;
}

sub ask_start($self, %args) {
    my %o = map { $_ => delete $args{$_} }
        grep { exists $args{$_} } qw(from headers keepalive on);
    return http_start(GET => $self->url, %o, args => \%args);
}

sub ask($self, %args) {
    my $timeout = delete $args{timeout} // 15;
    return $self->ask_start(%args)->wait($timeout)
        // die "no answer from the tracker\n";
}

# Registers many peers at once, each [ address, port, more arguments ], by the
# header that real_ip => 1 trusts; dies unless all are answered with 200.
sub crowd($self, $args, @peers) {
    while (my @some = splice @peers, 0, 500) {
        my $text = join '', map {
            my ($addr, $port, %more) = @$_;
            my %a = (%$args, port => $port, numwant => 0, %more);
            'GET /peers?' . join('&', map { "$_=" . url_encode($a{$_}) }
                sort keys %a) . " HTTP/1.1\r\nHost: t\r\nX-Real-IP: $addr\r\n"
                . ($_ == $some[-1] ? "Connection: close\r\n" : '') . "\r\n";
        } @some;
        my $q = http_raw($self->{addr}, $self->{port}, $text);
        $q->drain(60);
        my $n = () = $q->{buf} =~ m{^HTTP/1\.1 200 }mg;
        die "crowd: $n of " . @some . " answered\n" if $n != @some;
    }
}

# body, from, token as options behind the arguments
sub control_start($self, $args, %o) {
    my $token = delete $o{token} // $self->{token};
    return http_start(POST => $self->control_url, args => $args,
        body => '', %o,
        headers => { Authorization => "Bearer $token",
                     'Content-Type' => 'text/plain' });
}

sub control($self, $args, %o) {
    my $timeout = delete $o{timeout} // 15;
    return $self->control_start($args, %o)->wait($timeout)
        // die "no answer from the tracker\n";
}

1;
