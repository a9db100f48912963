package Shoal::Bench::Cold;

# Serving four times as much as there is memory for, against nginx under the
# same limit.

use v5.36;
use Shoal::Bench qw(sized median);
use Shoal::Bench::Cgroup qw(cgroup drop_cache);
use Shoal::Bench::SuperPeer qw(bench_super pinned throughput);
use Shoal::Load qw(load);
use Shoal::Process qw(run_cmd);

my $memory = sized(256, 128, 32) << 20;
my $size = 4 * $memory;
my $mib = 1 << 20;

sub ids($class) { return qw(cold_ratio) }

# All of it once, in order: the first time a super peer compares every block
# of an earlier run with its hash.
sub read_all($who) {
    load(run => $who->{server}, url => $who->{url}, connections => 8,
        size => $size, range => $mib, requests => $size / $mib, discard => 1,
        timeout => 120);
    return;
}

sub measure($who) {
    drop_cache($who->{path});
    my ($speed) = throughput($who, $who->{url}, connections => 64,
        size => $size, range => $mib, seconds => sized(6, 2, 0.2));
    return $speed;
}

sub run($class, $bench) {
    my @groups = map { cgroup($_, $memory) } qw(ours theirs);
    my $super = bench_super(cache_size => int($size / $mib * 1.5) . 'MiB');
    my $file = $super->fill('cold.bin', $size);
    my $them = $super->plain(wrap => [ $groups[1]->wrap, pinned() ]);
    @$them{qw(url path)} = @$file{qw(plain path)};
    my $data = $super->sp->cache . '/data.mdb';
    $super->sp->stop;
    run_cmd({ deadline => 120 }, 'sync');
    drop_cache($data);
    drop_cache($file->{path});
    $super->sp->{wrap} = [ $groups[0]->wrap, pinned() ];
    $super->sp->start;
    my $us = { server => $super->server, pid => $super->pid,
               url => $file->{blocks}, path => $data };
    read_all($_) for $us, $them;

    my (@ratio, @speeds);
    for my $round (1 .. sized(7, 3, 1)) {
        my @speed = map { measure($_) } $them, $us;
        push @ratio, $speed[1] / $speed[0];
        push @speeds, \@speed;
    }
    $super->stop;
    $them->{nginx}->stop;
    $_->remove for @groups;
    $bench->note(sprintf '%d MiB in %d MiB of memory: nginx %.0f MiB/s, '
        . 'super peer %.0f MiB/s', $size / $mib, $memory / $mib,
        map { my $i = $_; median(map { $_->[$i] / $mib } @speeds) } 0, 1);
    $bench->result('cold_ratio', runs => \@ratio,
        against => 'nginx under the same limit of memory, 64 connections, '
        . 'ranges of 1 MiB');
    return;
}

1;
