package Shoal::Delay;

# Another network namespace behind a line with a delay (bench/delay.c). Has to
# be called in a namespace of one's own, as root.
#
#   my $line = delay_line(rtt_ms => 40);
#   nginx(wrap => [ $line->wrap ], ...);      # runs in there
#   $line->near, $line->far                   # addresses of both ends
#
# rate_mbit, queue_kib: as for bench/delay.

use v5.36;
use Exporter qw(import);
use Shoal::Env qw(program);
use Shoal::Process qw(run_cmd start_cmd wait_for);

our @EXPORT_OK = qw(delay_line);

my $serial = 0;

sub delay_line(%o) {
    my $n = $serial++;
    die "a namespace needs root\n" if $> != 0;
    my $self = bless { near => '198.18.' . $n . '.1', far => "198.18.$n.2" },
        __PACKAGE__;
    $self->{there} = start_cmd({ name => 'netns' }, qw(unshare -n sleep 3600))
        ->any_status;
    my $here = readlink '/proc/self/ns/net';
    my $ns = '/proc/' . $self->{there}->pid . '/ns/net';
    wait_for { (readlink($ns) // $here) ne $here } 5, 'the namespace';
    my @more = map { my $name = $_ =~ tr/_/-/r; ("--$name", $o{$_}) }
        grep { exists $o{$_} } qw(rate_mbit queue_kib);
    $self->{relay} = start_cmd({ name => 'delay' }, program('bench/delay'),
        '--near', "near$n", '--far', "far$n", '--far-netns', $ns,
        '--delay-ms', $o{rtt_ms} / 2, @more);
    wait_for { $self->{relay}->stdout =~ /^ready/ || !$self->{relay}->alive }
        5, 'the delay';
    die $self->{relay}->stderr if !$self->{relay}->alive;
    _up([], "near$n", $self->{near});
    _up([ $self->wrap ], "far$n", $self->{far});
    return $self;
}

sub _up($wrap, $device, $addr) {
    for my $args ([ qw(link set lo up) ],
        [ qw(addr add), "$addr/30", 'dev', $device ],
        [ qw(link set), $device, qw(addrgenmode none up) ])
    {
        my ($st, undef, $err) = run_cmd(@$wrap, 'ip', @$args);
        die "ip @$args: $err\n" if $st ne '0';
    }
    return;
}

sub wrap($self) { return ('nsenter', '-n', '-t', $self->{there}->pid) }
sub near($self) { return $self->{near} }
sub far($self)  { return $self->{far} }

# Packets that passed and were lost, both ways together.
sub stop($self) {
    $self->{relay}->stop;
    $self->{there}->stop;
    my %sum;
    my $text = $self->{relay}->stdout;
    while ($text =~ /passed (\d+) lost (\d+)/g) {
        $sum{passed} += $1;
        $sum{lost} += $2;
    }
    return \%sum;
}

1;
