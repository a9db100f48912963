package Shoal::Star;

# Hosts around one router, each in a network namespace of its own and behind a
# line with a rate, and perhaps a delay. The router is the namespace that this
# is called in: one of one's own, as root (unshare -n).
#
#   my $star = star();
#   my $n = $star->host(up => 50, down => 50);    # Mbit/s; 0: no limit
#   my $n = $star->host(up => 50, down => 50, rtt_ms => 20);
#   nginx(wrap => [ $n->wrap ], ...);             # runs in there
#   start_cmd($n->wrap, 'wget', ...);
#   $n->addr                                      # 198.18.N.2
#   $n->set(up => 10, down => 10);                # from now on
#
# A rate counts whole packets on the line (tbf), headers and all. rtt_ms is of
# the line between host and router (bench/delay): two hosts with 20 are 40 ms
# apart. What does not fit into 50 ms of the rate is lost.

use v5.36;
use Exporter qw(import);
use Shoal::Env qw(program spew);
use Shoal::Process qw(run_cmd start_cmd wait_for);

our @EXPORT_OK = qw(star);

my $queue_ms = 50;    # of each line, a router's buffer
my $burst = 65536;    # bytes that go out at once, 10 ms of 50 Mbit/s

sub star() {
    die "hosts need root\n" if $> != 0;
    die "this is the machine's own network\n"
        if readlink('/proc/self/ns/net') eq (readlink('/proc/1/ns/net') // '');
    _ip([], qw(link set lo up));
    spew('/proc/sys/net/ipv4/ip_forward', "1\n");
    return bless { hosts => [] }, __PACKAGE__;
}

sub hosts($self) { return @{ $self->{hosts} } }

sub host($self, %o) {
    my $n = 1 + @{ $self->{hosts} };
    my $h = bless { near => "star$n", far => "line$n", addr => "198.18.$n.2",
        router => "198.18.$n.1" }, 'Shoal::Star::Host';
    push @{ $self->{hosts} }, $h;
    $h->{there} = start_cmd({ name => 'netns' },
        qw(unshare -n sleep 36000))->any_status;
    my $here = readlink '/proc/self/ns/net';
    my $ns = '/proc/' . $h->{there}->pid . '/ns/net';
    wait_for { (readlink($ns) // $here) ne $here } 5, 'the namespace';
    $o{rtt_ms} ? $h->_tun($ns, $o{rtt_ms}) : $h->_veth;
    _up([], $h->{near}, $h->{router});
    _ip([ $h->wrap ], qw(link set lo up));
    _up([ $h->wrap ], $h->{far}, $h->{addr});
    _ip([ $h->wrap ], qw(route add default via), $h->{router});
    $h->set(%o);
    return $h;
}

sub _run(@cmd) {
    my ($st, undef, $err) = run_cmd(@cmd);
    die "@cmd: $err\n" if $st ne '0';
    return;
}

sub _ip($wrap, @args) { return _run(@$wrap, 'ip', @args) }

sub _up($wrap, $device, $addr) {
    _ip($wrap, qw(addr add), "$addr/30", 'dev', $device);
    _ip($wrap, qw(link set), $device, qw(addrgenmode none up));
    return;
}

sub stop($self) { $_->stop for $self->hosts }

package Shoal::Star::Host;

use v5.36;
use Shoal::Env qw(program);
use Shoal::Process qw(run_cmd start_cmd wait_for);

sub addr($self) { return $self->{addr} }
sub wrap($self) { return ('nsenter', '-n', '-t', $self->{there}->pid) }

sub _veth($self) {
    return Shoal::Star::_ip([], qw(link add), $self->{near},
        qw(type veth peer name), $self->{far}, 'netns', $self->{there}->pid);
}

sub _tun($self, $ns, $rtt_ms) {
    $self->{relay} = start_cmd({ name => 'delay' }, program('bench/delay'),
        '--near', $self->{near}, '--far', $self->{far}, '--far-netns', $ns,
        '--delay-ms', $rtt_ms / 2);
    wait_for {
        $self->{relay}->stdout =~ /^ready/ || !$self->{relay}->alive
    } 5, 'the delay';
    die $self->{relay}->stderr if !$self->{relay}->alive;
    return;
}

# up, down: Mbit/s; what is not given stays as it is.
sub set($self, %o) {
    $self->_rate([ $self->wrap ], $self->{far}, $o{up}) if exists $o{up};
    $self->_rate([], $self->{near}, $o{down}) if exists $o{down};
    return $self;
}

sub _rate($self, $wrap, $device, $mbit) {
    my @tc = (@$wrap, qw(tc qdisc));
    return Shoal::Process::run_cmd(@tc, 'del', 'dev', $device, 'root')
        if !$mbit;
    return Shoal::Star::_run(@tc, 'replace', 'dev', $device,
        qw(root tbf rate), $mbit . 'mbit', 'burst', $burst,
        'latency', $queue_ms . 'ms');
}

sub stop($self) {
    $self->{relay}->stop if $self->{relay};
    $self->{there}->stop;
    # The namespace goes when the kernel finds the time, and its line with it.
    run_cmd(qw(ip link del), $self->{near});
    return;
}

1;
