package Shoal::Bench::Mirrors;

# Four mirrors at once, uneven and equal: time over that of the sum of their
# rates, beside aria2.

use v5.36;
use Shoal::Bench qw(sized median);
use Shoal::Bench::Client qw(alternate spread);
use Shoal::Bench::MirrorSet qw(mirror_set);

my $size = sized(256 << 20, 64 << 20, 2 << 20);

my %rates = (mirrors_uneven => [ 200, 100, 50, 25 ],
             mirrors_equal => [ (100) x 4 ]);

sub ids($class) { return sort keys %rates }

sub measure($bench, $id) {
    my $set = mirror_set($rates{$id}, "$id.bin", $size);
    my $best = $set->seconds($size);
    my $ratio = sub ($name, @args) {
        $set->fetch($name, @args)->{seconds} / $best };
    my $plain = $ratio->('aria2c');
    my @pairs = alternate(sized(3, 2, 1), sub { $ratio->(qw(aria2c -k1M)) },
        sub { $ratio->('shoal') });
    $set->stop;
    my @aria = map { $_->[0] } @pairs;
    my @runs = map { $_->[1] } @pairs;
    $bench->note(sprintf '%-16s aria2c -s4 %.3f, -k1M %s; shoal %s', $id,
        $plain, spread('%.3f', @aria), spread('%.3f', @runs));
    $bench->result($id, runs => \@runs, against => sprintf
        'the sum of the rates; aria2c -k1M %.3f, -s4 alone %.3f',
        median(@aria), $plain);
    return;
}

sub run($class, $bench) {
    measure($bench, $_) for $class->ids;
    return;
}

1;
