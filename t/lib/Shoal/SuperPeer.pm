package Shoal::SuperPeer;

# A super peer with its YAML file.
#
#   my $sp = superpeer(name => 'sp1', addr => '127.0.0.21',
#       trackers => [ $tracker ], cdn => $cdn);
#
# trackers: Shoal::Tracker objects or { url, token }; cdn: adds resolve: and
# origins: for it; cache_size ('1GiB'), cache_pin (cache.pin); origins, resolve (lists); settings
# (hash: more of the YAML file, replaces what is there by key); env (hash: of
# its process), wrap (words of a command that starts it: taskset, nsenter).

use v5.36;
use Exporter qw(import);
use JSON::PP;
use Shoal::Env qw(tmpdir program san_env spew);
use Shoal::HTTP qw(http);
use Shoal::Net qw(free_port port_open);
use Shoal::Process qw(wait_for run_cmd);

our @EXPORT_OK = qw(superpeer);

my $serial = 0;

sub superpeer(%o) { return __PACKAGE__->new(%o)->start }

sub new($class, %o) {
    my $addr = $o{addr} // '127.0.0.' . (21 + $serial);
    $serial++;
    my $self = bless { name => "sp$serial", addr => $addr,
        port => $o{port} // free_port($addr), status_port => free_port('127.0.0.1'),
        cache_size => '1GiB', trackers => [], origins => [], resolve => [],
        settings => {}, wrap => [], %o }, $class;
    $self->{dir}   = tmpdir("superpeer/$self->{name}-$serial");
    $self->{cache} //= tmpdir("superpeer/$self->{name}-$serial/cache");
    return $self;
}

sub name($self)    { return $self->{name} }
sub addr($self)    { return $self->{addr} }
sub port($self)    { return $self->{port} }
sub base($self)    { return 'http://' . $self->authority }
# ADDR:PORT, IPv6 in brackets.
sub authority($self) {
    my $addr = $self->{addr} =~ /:/ ? "[$self->{addr}]" : $self->{addr};
    return "$addr:$self->{port}";
}

sub process($self) { return $self->{process} }
sub pid($self)     { return $self->{process}->pid }
sub alive($self)   { return $self->{process} && $self->{process}->alive }
sub conf($self)    { return "$self->{dir}/superpeer.yaml" }
sub cache($self)   { return $self->{cache} }
sub stderr($self)  { return $self->{process}->stderr }

sub config($self) {
    my (@origins, @resolve);
    if (my $cdn = $self->{cdn}) {
        @origins = ('http://' . $cdn->host . ':' . $cdn->port);
        @resolve = ($cdn->resolve);
    }
    my @trackers = map {
        ref $_ eq 'HASH' ? $_ : { url => $_->control_url, token => $_->token }
    } @{ $self->{trackers} };
    return {
        name            => $self->{name},
        listen          => $self->authority,
        bind_address    => $self->{addr},
        status_listen   => "127.0.0.1:$self->{status_port}",
        trackers        => \@trackers,
        cache           => { path => $self->{cache},
                             size => $self->{cache_size},
                             pin  => $self->{cache_pin} },
        origins         => [ @origins, @{ $self->{origins} } ],
        allow_addresses => ['127.0.0.0/8'],
        resolve         => [ @resolve, @{ $self->{resolve} } ],
        %{ $self->{settings} },
    };
}

sub yaml($value, $indent = 0) {
    my $pad = ' ' x $indent;
    if (ref $value eq 'HASH') {
        return join '', map {
            my $v = $value->{$_};
            !defined $v ? ''
                : ref $v && !(ref $v eq 'ARRAY' && !@$v)
                ? "$pad$_:\n" . yaml($v, $indent + 2)
                : "$pad$_: " . _scalar($v) . "\n";
        } sort keys %$value;
    }
    return join '', map {
        ref $_ eq 'HASH' ? yaml($_, $indent + 2) =~ s/^ {$indent}  /$pad- /r
                         : "$pad- " . _scalar($_) . "\n";
    } @$value;
}

sub _scalar($v) {
    return '[]' if ref $v;
    return $v =~ /^[A-Za-z0-9.\/_-]+$/ ? $v : '"' . $v =~ s/(["\\])/\\$1/gr . '"';
}

sub write_conf($self) { return spew($self->conf, yaml($self->config)) }

sub _start($self) {
    $self->{process} = Shoal::Process->start(name => $self->{name},
        env => { san_env(), %{ $self->{env} // {} } },
        cmd => [ @{ $self->{wrap} }, program('superpeer'), '-c',
                 $self->conf ]);
}

sub start($self) {
    $self->write_conf;
    $self->_start;
    wait_for {
        if (!$self->alive) {
            die sprintf "%s ended with status %s:\n%s", $self->{name},
                $self->process->status, $self->stderr;
        }
        port_open('127.0.0.1', $self->{status_port})
            && eval { http(GET => $self->status_url('/healthz'),
                           timeout => 2)->{status} == 200 }
            && port_open($self->{addr}, $self->{port});
    } 10, "$self->{name} to be healthy";
    return $self;
}

sub status_url($self, $path) {
    return "http://127.0.0.1:$self->{status_port}$path";
}

sub status($self) {
    return http(GET => $self->status_url('/status'))->json;
}

# The set it has of this URL: { id, size, version, state, .. }; undef.
sub set($self, $url) {
    my ($set) = grep { $_->{url} =~ /(?:^|\/)\Q$url\E$/ || $_->{url} eq $url }
        @{ $self->status->{sets} };
    return $set;
}

sub holds($self, $url) {
    my $set = $self->set($url) or return 0;
    return $set->{state} eq 'complete';
}

# Until its long polls are open.
sub wait_connected($self, $seconds = 10) {
    wait_for {
        my @t = @{ $self->status->{trackers} };
        @t == grep { $_->{connected} } @t;
    } $seconds, "$self->{name} to reach its trackers";
    return $self;
}

# Runs it with a configuration that it must refuse: run_cmd()'s values.
sub run_bad($self, @args) {
    $self->write_conf if !-e $self->conf;
    return run_cmd({ env => { san_env() }, deadline => 10,
        name => 'superpeer' }, program('superpeer'), '-c', $self->conf,
        @args);
}

sub stop($self, $sig = 'TERM') { return $self->{process}->stop($sig) }
sub kill9($self)               { return $self->{process}->kill9 }
sub restart($self)             { $self->stop; return $self->start }

1;
