package Shoal::Bench::Memory;

# Shared memory that a peer takes, in swarms of 1,000, 100 and 10.

use v5.36;
use Shoal::Bench qw(quick);
use Shoal::Bench::Tracker qw(bench_tracker fill metrics);

my %kind = (
    bytes_per_peer => 'HTTP resources, IPv4',
    bytes_per_peer6 => 'HTTP resources, IPv6',
    torrent_bytes_per_peer => 'torrents, IPv4',
);

sub ids($class) {
    return map { my $kind = $_; map { "${kind}_$_" } 1000, 100, 10 }
        sort keys %kind;
}

sub run($class, $b) {
    my $peers = quick() ? 100_000 : 1_000_000;
    for my $id ($class->ids) {
        my ($kind, $each) = $id =~ /^(.*)_(\d+)$/;
        my $t = bench_tracker(zone => quick() ? '16m' : '128m');
        my $empty = metrics($t)->{used};
        fill($t, swarms => $peers / $each, peers => $peers,
             v6 => scalar($kind =~ /6$/),
             torrents => scalar($kind =~ /^torrent/));
        my $now = metrics($t);
        $b->result($id, value => ($now->{used} - $empty) / $now->{peers},
            against => "$kind{$kind}: $peers peers, $each a swarm");
        $t->stop;
    }
    return;
}

1;
