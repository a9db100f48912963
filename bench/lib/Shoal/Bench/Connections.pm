package Shoal::Bench::Connections;

# Memory of connections that do nothing: idle between two requests, or
# stalled in the middle of an answer that nobody reads.

use v5.36;
use Shoal::Bench qw(sized);
use Shoal::Bench::SuperPeer qw(bench_super);
use Shoal::Load qw(load_start load_line load rss_kib);

my $idle = sized(5000, 5000, 100);
my $stalled = sized(500, 500, 20);

sub ids($class) { return qw(idle_conn_kib stalled_conn_kib) }

# KiB a connection of the super peer's memory; %o: how they are held.
sub held($super, $file, $n, %o) {
    # threads and their arenas are there before
    load(run => $super->server, url => $file->{blocks}, connections => sized(64, 64, 4),
        size => $file->{size}, range => 65536, requests => 1000);
    my $before = rss_kib($super->pid);
    my $p = load_start(hold => $super->server, url => $file->{blocks},
        connections => $n, size => $file->{size}, from => '127.0.1.1,250',
        seconds => 600, %o)->any_status;
    my $r = load_line($p);
    die "$r->{standing} of $n connections stand\n" if $r->{standing} != $n;
    my $kib = (rss_kib($super->pid) - $before) / $n;
    $p->stop;
    return $kib;
}

sub run($class, $bench) {
    my (@idle, @stalled);
    for my $round (1 .. sized(3, 1, 1)) {
        my $super = bench_super();
        my $file = $super->fill('held.bin', 64 << 20);
        push @idle, held($super, $file, $idle, range => 65536);
        $super->stop;
        # another process: what idle ones had would be used again
        $super = bench_super();
        $file = $super->fill('held.bin', 64 << 20);
        push @stalled, held($super, $file, $stalled, range => 16 << 20,
            unread => 1, rcvbuf => 65536);
        $super->stop;
    }
    my $what = 'resident memory of the process';
    $bench->result('idle_conn_kib', runs => \@idle,
        against => "$what, $idle idle keepalive connections");
    $bench->result('stalled_conn_kib', runs => \@stalled,
        against => "$what, $stalled that read nothing of 16 MiB");
    return;
}

1;
