package Shoal::Bench::CrowdSuper;

# The crowd of eight with a super peer that starts empty and is told of the
# file by the first one who asks; nobody publishes a piece layer.

use v5.36;
use Shoal::Bench qw(quick sized median);
use Shoal::Bench::Client qw(spread);
use Shoal::Bench::Crowd;
use Shoal::Bench::Swarm qw(swarm);

my @sizes = map { $_ << 20 } sized(32, 16, 1), quick() ? () : 64;

sub ids($class) { return qw(superpeer_ratio superpeer_copies) }

sub run($class, $bench) {
    my (%ratio, %copies);
    for my $size (@sizes) {
        my $swarm = swarm(clients => Shoal::Bench::Crowd::even(8, 50),
            size => $size, superpeer => 200);
        for my $round (1 .. sized(3, 1, 1)) {
            my $r = $swarm->shoal;
            push @{ $ratio{$size} }, $r->{last} / $swarm->bound;
            push @{ $copies{$size} }, $r->{copies};
        }
        $swarm->stop;
        $bench->note(sprintf '%d MiB, a super peer of 200 Mbit/s: %s at %s '
            . 'copies', $size >> 20, spread('%.3f', @{ $ratio{$size} }),
            spread('%.3f', @{ $copies{$size} }));
    }
    for my $what ([ superpeer_ratio => \%ratio ],
        [ superpeer_copies => \%copies ])
    {
        my ($id, $by_size) = @$what;
        my ($worst) = sort { median(@{ $by_size->{$b} })
            <=> median(@{ $by_size->{$a} }) } @sizes;
        $bench->result($id, runs => $by_size->{$worst},
            against => sprintf 'the fluid bound, %d MiB', $worst >> 20);
    }
    return;
}

1;
