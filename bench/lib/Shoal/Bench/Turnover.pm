package Shoal::Bench::Turnover;

# Serving while the cache is full and turns over: files come in at 50 MiB/s,
# each of which drives others out; over serving the same alone. To hash and
# store a GiB takes two to four CPU seconds, on the CPU that serves too: at a
# higher rate that is all that would be measured.

use v5.36;
use Shoal::Bench qw(sized median);
use Shoal::Bench::SuperPeer qw(bench_super throughput);
use Shoal::Load qw(load);
use Shoal::Process qw(wait_for);

my $mib = 1 << 20;
my $cache = sized(1024, 256, 128);       # MiB
my $hot = $cache / 4;
my $cold = $cache / 4;
my $step = sized(16, 16, 4);
my $rate = 50;                          # MiB a second

sub ids($class) { return qw(turnover_ratio) }

# Two addresses have read it, so it is not the first to go.
sub prove($super, $file) {
    load(run => $super->server, url => $file->{blocks}, connections => 2,
        requests => 2, size => $file->{size}, range => 65536,
        from => '127.0.1.1,2');
    return $file;
}

# Files of the same bytes: new ones at any time, at no cost.
sub feed($super, $model, $n) {
    state $serial = 0;
    return map {
        my $name = 'turn' . ++$serial . '.bin';
        $super->cdn->link_file($model->{path}, $name);
        $super->prepare({ %$model, name => $name,
                          url => $super->cdn->url($name) });
    } 1 .. $n;
}

sub deleted($super) {
    return scalar(() = $super->sp->stderr =~ /cache: deleted/g);
}

sub measure($super, $file, $seconds) {
    my ($speed) = throughput({ server => $super->server, pid => $super->pid },
        $file->{blocks}, connections => 64, size => $file->{size},
        range => $mib, seconds => $seconds);
    return $speed;
}

sub run($class, $bench) {
    my $super = bench_super(cache_size => "${cache}MiB", cache_pin => '0s',
        limits => { origin_rate => "${rate}MiB", prefetch_queue => 4096 });
    my $file = prove($super, $super->fill('hot.bin', $hot * $mib));
    for my $i (1 .. (0.8 * $cache - $hot) / $cold) {
        prove($super, $super->fill("cold$i.bin", $cold * $mib, 1 + $i));
    }
    my $model = $super->file('model.bin', $step * $mib);
    my $seconds = sized(3, 1, 0.2);
    my (@ratio, @speeds, $last);
    for my $round (1 .. sized(7, 3, 1)) {
        my $alone = measure($super, $file, $seconds);
        my $before = deleted($super);
        my @new = feed($super, $model, 2 + 3 * $seconds * $rate / $step);
        $super->wait_held($new[0]);
        my $beside = measure($super, $file, $seconds);
        my $gone = deleted($super) - $before;
        die "nothing was driven out\n" if $round > 1 && !$gone;
        $super->wait_held($_) for @new[-5 .. -1];
        push @ratio, $beside / $alone;
        push @speeds, [ $alone, $beside, $gone ];
        $super->tracker->clear;
    }
    my ($alone, $beside, $gone) = map { my $i = $_;
        median(map { $_->[$i] } @speeds) } 0 .. 2;
    $bench->note(sprintf '%.2f GiB/s alone, %.2f GiB/s beside %d MiB/s '
        . 'coming in, which drove out %d sets a round', $alone / (1 << 30),
        $beside / (1 << 30), $rate, $gone);
    $bench->result('turnover_ratio', runs => \@ratio,
        against => '64 connections, ranges of 1 MiB, nothing comes in');
    return;
}

1;
