package Shoal::Bench::Serve;

# Serving from a warm cache, against nginx's sendfile of the same bytes from a
# plain file beside the cache.

use v5.36;
use Shoal::Bench qw(sized median);
use Shoal::Bench::SuperPeer qw(bench_super throughput);
use Shoal::Data qw(sha256_file);
use Shoal::Load qw(load);

my @connections = (1, 8, 64, 512);
my @ranges = (1 << 20, 16 << 20);

sub ids($class) {
    return map { ("serve_throughput_ratio_$_", "serve_cpu_ratio_$_") }
        @connections;
}

# All bytes once, in order, by their sum.
sub compare($server, $file) {
    my $r = load(run => $server, url => $file->{blocks}, connections => 1,
        size => $file->{size}, range => 1 << 20, sum => 1,
        requests => ($file->{size} + (1 << 20) - 1) >> 20);
    die "the super peer's bytes are not the file's\n"
        if $r->{sha256} ne sha256_file($file->{path});
    return;
}

# One pair: ratios, and the figures that they are made of.
sub pair($us, $them, $file, %o) {
    my ($speed, $cpu) = throughput($them, $file->{plain}, %o);
    my ($our_speed, $our_cpu) = throughput($us, $file->{blocks}, %o);
    return { speed => $our_speed / $speed, cpu => $our_cpu / $cpu,
             them => $speed / (1 << 30), us => $our_speed / (1 << 30),
             their_cpu => $cpu, our_cpu => $our_cpu };
}

sub worst($better, @medians) {
    my @sorted = sort { $a->{value} <=> $b->{value} } @medians;
    return $better eq 'lower' ? $sorted[-1] : $sorted[0];
}

sub run($class, $bench) {
    my $super = bench_super();
    my $file = $super->fill('serve.bin', sized(1 << 30, 256 << 20, 32 << 20));
    my $us = { server => $super->server, pid => $super->pid };
    my $them = $super->plain;
    compare($us->{server}, $file);

    my %run;
    for my $round (1 .. sized(7, 3, 1)) {
        for my $n (@connections) {
            for my $range (@ranges) {
                push @{ $run{$n}{$range} }, pair($us, $them, $file,
                    connections => $n, size => $file->{size},
                    range => $range, seed => $round,
                    seconds => sized(1, 0.4, 0.1));
            }
        }
    }
    results($bench, $_, $run{$_}) for @connections;
    return;
}

# The worse of both sizes of ranges counts.
sub results($bench, $n, $run) {
    for my $what ([ speed => 'throughput', 'higher' ], [ cpu => cpu => 'lower' ]) {
        my ($key, $name, $better) = @$what;
        my $worst = worst($better, map {
            my $range = $_;
            my @ratios = map { $_->{$key} } @{ $run->{$range} };
            { range => $range, runs => \@ratios, value => median(@ratios) };
        } keys %$run);
        $bench->result("serve_${name}_ratio_$n", runs => $worst->{runs},
            against => sprintf 'nginx\'s sendfile, ranges of %d MiB',
                $worst->{range} >> 20);
    }
    for my $range (sort { $a <=> $b } keys %$run) {
        my %m = map { my $k = $_; $k => median(map { $_->{$k} } @{ $run->{$range} }) }
            qw(them us their_cpu our_cpu);
        $bench->note(sprintf '%3d connections, %2d MiB: nginx %.2f GiB/s, '
            . '%.3f s/GiB; super peer %.2f GiB/s, %.3f s/GiB', $n,
            $range >> 20, @m{qw(them their_cpu us our_cpu)});
    }
    return;
}

1;
