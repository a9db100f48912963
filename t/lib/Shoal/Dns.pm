package Shoal::Dns;

# A DNS server for tests: UDP, and TCP for what is too long for it.
#
#   my $dns = dns();
#   $dns->set('cdn.example.com', a => ['127.0.0.11'], aaaa => ['::1']);
#   $dns->set('moves.example.com', answers => [ { a => ['127.0.0.11'] },
#       { a => ['127.0.0.9'] } ], ttl => 0);   # by query; the last one stays
#   superpeer(settings => { resolver => { servers => [ $dns->address ] } }, ..)
#   $dns->queries(name => 'cdn.example.com', type => 'A')
#
# Of a name: a, aaaa (lists), cname (followed where the server knows the
# target), ttl (60), delay (seconds before the answer), rcode ('SERVFAIL',
# 'NXDOMAIN', 'REFUSED'), drop (1: no answer), truncate (1: only TCP tells),
# answers (a list of such: the first for the first query of a type, and so
# on). drop, delay and rcode can be by type: drop => { AAAA => 1 }. Names that
# are not set do not exist. mute(1): nothing is answered at all.

use v5.36;
use Exporter qw(import);
use Fcntl qw(:flock);
use IO::Select;
use IO::Socket::IP;
use JSON::PP;
use POSIX ();
use Socket qw(AF_INET AF_INET6 inet_pton);
use Time::HiRes qw(sleep time);
use Shoal::Env qw(tmpdir slurp spew);
use Shoal::Net qw(free_port);
use Shoal::Process;

our @EXPORT_OK = qw(dns);

my $serial = 0;
my %rcodes = (NOERROR => 0, SERVFAIL => 2, NXDOMAIN => 3, REFUSED => 5);
my %types  = (A => 1, CNAME => 5, AAAA => 28);
my %names  = reverse %types;
my $udp_max = 512; # bytes; RFC 1035, without EDNS

sub dns(%o) {
    my $self = bless { addr => '127.0.0.2', zone => {}, %o,
        dir => tmpdir('dns/' . ++$serial) }, __PACKAGE__;
    spew("$self->{dir}/log", '');
    $self->_store;
    return $self->start;
}

# Both sockets on one port.
sub _bind($self) {
    for (1 .. 50) {
        my $port = $self->{port} // free_port($self->{addr});
        my %at = (LocalHost => $self->{addr}, LocalPort => $port);
        my $udp = IO::Socket::IP->new(%at, Proto => 'udp') or next;
        my $tcp = IO::Socket::IP->new(%at, Listen => 64, ReuseAddr => 1)
            or next;
        $self->{port} = $port;
        return ($udp, $tcp);
    }
    die "no port for a DNS server\n";
}

sub start($self) {
    my ($udp, $tcp) = $self->_bind;
    $self->{process} = Shoal::Process->start_perl('dns', sub {
        local $SIG{CHLD} = 'IGNORE';
        my $select = IO::Select->new($udp, $tcp);
        while (1) {
            for my $s ($select->can_read) {
                $s == $udp ? $self->_udp($udp) : $self->_tcp($tcp, $udp);
            }
        }
    });
    close $_ for $udp, $tcp;
    return $self;
}

sub stop($self) { return $self->{process}->kill9 }

# ADDR:PORT
sub address($self) {
    my $addr = $self->{addr} =~ /:/ ? "[$self->{addr}]" : $self->{addr};
    return "$addr:$self->{port}";
}

sub set($self, $name, %o) {
    $self->{zone}{lc $name} = \%o;
    return $self->_store;
}

sub mute($self, $on = 1) {
    $self->{mute} = $on;
    return $self->_store;
}

# Renamed into its place: a query never finds half of it.
sub _store($self) {
    spew("$self->{dir}/zone.new", encode_json({ names => $self->{zone},
        mute => $self->{mute} // 0 }));
    rename "$self->{dir}/zone.new", "$self->{dir}/zone" or die "zone: $!\n";
    return $self;
}

# What it was asked: { name, type, over ('udp', 'tcp'), time }.
sub queries($self, %only) {
    my @q = map { decode_json($_) } split /\n/, slurp("$self->{dir}/log");
    for my $key (keys %only) {
        @q = grep { $_->{$key} eq $only{$key} } @q;
    }
    return @q;
}

sub clear_log($self) { spew("$self->{dir}/log", '') }

# ---- in its process ----

sub _udp($self, $udp) {
    my $from = recv $udp, my $query, 4096, 0;
    return if !defined $from;
    my $pid = fork;
    return if !defined $pid || $pid;
    my $answer = eval { $self->_answer($query, 'udp') };
    send $udp, $answer, 0, $from if defined $answer;
    print STDERR $@ if $@;
    POSIX::_exit(0);
}

sub _read($c, $n) {
    my $buf = '';
    while (length $buf < $n) {
        sysread $c, $buf, $n - length $buf, length $buf or return undef;
    }
    return $buf;
}

sub _tcp($self, $tcp, $udp) {
    my $c = $tcp->accept or return;
    my $pid = fork;
    return if !defined $pid || $pid;
    close $_ for $tcp, $udp;
    while (defined(my $len = _read($c, 2))) {
        my $query = _read($c, unpack 'n', $len) // last;
        my $answer = $self->_answer($query, 'tcp');
        syswrite $c, pack('n', length $answer) . $answer if defined $answer;
    }
    POSIX::_exit(0);
}

# How many queries of that name and type came before.
sub _count($self, %q) {
    open my $f, '+<', "$self->{dir}/log" or die "log: $!\n";
    flock $f, LOCK_EX;
    my @same = grep { $_->{name} eq $q{name} && $_->{type} eq $q{type} }
        map { decode_json($_) } readline $f;
    syswrite $f, encode_json({ %q, time => time }) . "\n";
    close $f;
    return scalar @same;
}

sub _question($query) {
    my ($at, @labels) = (12);
    while ((my $len = unpack "x${at}C", $query)) {
        push @labels, substr $query, $at + 1, $len;
        $at += 1 + $len;
    }
    my $type = unpack 'n', substr $query, $at + 1, 2;
    return (lc join('.', @labels), $names{$type} // "TYPE$type",
        substr $query, 12, $at + 5 - 12);
}

sub _name($name) {
    return join('', map { chr(length) . $_ } split /\./, $name) . "\0";
}

sub _record($owner, $type, $ttl, $data) {
    return $owner . pack('nnNn', $types{$type}, 1, $ttl, length $data)
        . $data;
}

# By type where it is a hash.
sub _of($value, $type) {
    return ref $value eq 'HASH' ? $value->{$type} : $value;
}

# The records of a name, its aliases first.
sub _records($zone, $name, $type, $entry) {
    my ($owner, @records) = ("\xc0\x0c");
    for (1 .. 8) {
        my $ttl = $entry->{ttl} // 60;
        if (defined(my $to = $entry->{cname})) {
            push @records, _record($owner, 'CNAME', $ttl, _name($to));
            ($owner, $entry) = (_name($to), $zone->{lc $to} // {});
            next;
        }
        my $family = $type eq 'A' ? AF_INET : AF_INET6;
        push @records, map { _record($owner, $type, $ttl,
            inet_pton($family, $_)) } @{ $entry->{lc $type} // [] }
            if $type eq 'A' || $type eq 'AAAA';
        last;
    }
    return @records;
}

# The answer's bytes, or undef where none is given.
sub _answer($self, $query, $over) {
    my ($name, $type, $question) = _question($query);
    my $before = $self->_count(name => $name, type => $type, over => $over);
    my $all   = decode_json(slurp("$self->{dir}/zone"));
    my $entry = $all->{names}{$name};
    return undef if $all->{mute};
    my $rcode = $entry ? 'NOERROR' : 'NXDOMAIN';
    $entry //= {};
    if (my $list = $entry->{answers}) {
        $entry = { %$entry, %{ $list->[ $before < @$list ? $before : -1 ] } };
    }
    my $delay = _of($entry->{delay}, $type);
    sleep $delay if $delay;
    return undef if _of($entry->{drop}, $type);
    $rcode = _of($entry->{rcode}, $type) // $rcode;
    my @records = $rcode eq 'NOERROR'
        ? _records($all->{names}, $name, $type, $entry) : ();
    my $body = join '', @records;
    my $cut = $over eq 'udp'
        && ($entry->{truncate} || 12 + length("$question$body") > $udp_max);
    my $flags = 0x8580 | ($cut ? 0x0200 : 0) | $rcodes{$rcode};
    return substr($query, 0, 2)
        . pack('n5', $flags, 1, $cut ? 0 : scalar @records, 0, 0)
        . $question . ($cut ? '' : $body);
}

1;
