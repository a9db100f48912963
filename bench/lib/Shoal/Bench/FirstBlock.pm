package Shoal::Bench::FirstBlock;

# From prepare to the first block that can be had, through a line with a round
# trip of 40 ms, over a cold curl of the same block through the same line.

use v5.36;
use Shoal::Bench qw(sized median);
use Shoal::Bench::SuperPeer qw(bench_super);
use Shoal::Cdn ();
use Shoal::Delay qw(delay_line);
use Shoal::HTTP qw(http_start);
use Shoal::Process qw(run_cmd wait_for);
use Time::HiRes qw(sleep time);

my $rtt_ms = 40;
my $block = 65536;

sub ids($class) { return qw(first_block_extra_rtt) }

# The first block that it has, and when.
sub first_block($super, $file) {
    my $end = time + 20;
    my $q;
    while (time < $end) {
        $q = http_start(GET => $super->sp->base . "$file->{blocks}/have",
            keepalive => 1, on => $q);
        my $r = $q->wait(5) // die "no answer\n";
        my $at = time;
        my $first = $r->{status} == 200 ? index unpack('B*', $r->{body}), '1'
                                        : -1;
        return ($first, $at) if $first >= 0;
        sleep 0.001;
    }
    die "no block\n";
}

# Seconds, of the connection's begin too.
sub curl($super, $file, $first) {
    my $last = $first * $block + $block - 1;
    my ($st, $out, $err) = run_cmd('curl', '-sf', '-o', '/dev/null', '-r',
        $first * $block . "-$last", '-w', '%{time_connect} %{time_total}',
        '--resolve', $super->cdn->resolve, $file->{url});
    die "curl: status $st: $err\n" if $st ne '0';
    return split ' ', $out;
}

sub run($class, $bench) {
    my $line = delay_line(rtt_ms => $rtt_ms);
    my $cdn = Shoal::Cdn::cdn(port => 8080, nodes => [ { addr => $line->far,
        wrap => [ $line->wrap ] } ]);
    my $super = bench_super(cdn => $cdn, pin => 0, settings =>
        { allow_addresses => [ '127.0.0.0/8', '198.18.0.0/15' ],
          bind_address => undef });
    my (@extra, @trip, @curl);
    for my $round (1 .. sized(15, 5, 1)) {
        my $file = $super->prepare($super->file("first$round.bin", sized(16, 16, 2) << 20));
        my ($first, $at) = first_block($super, $file);
        my $took = $at - $super->tracker->told_at($file->{id});
        $super->wait_held($file);
        my ($trip, $curl) = curl($super, $file, $first);
        push @trip, $trip;
        push @curl, $curl;
        push @extra, ($took - $curl) / $trip;
    }
    my $lost = $line->stop->{lost};
    die "the line lost $lost packets\n" if $lost;
    $bench->note(sprintf 'a round trip %.1f ms, curl %.1f ms, '
        . 'the first block %.2f round trips later', 1e3 * median(@trip),
        1e3 * median(@curl), median(@extra));
    $bench->result('first_block_extra_rtt', runs => \@extra,
        against => 'curl -r of the block, cold');
    return;
}

1;
