package Shoal::Bench::Loopback;

# The path of a byte: one nginx on this machine, a file of 2 GiB to tmpfs,
# against those that only copy and the one that checks too.

use v5.36;
use Shoal::Bench qw(sized median);
use Shoal::Bench::Client qw(source_file sha256 tool alternate spread);
use Shoal::Bench::SuperPeer qw(pinned);
use Shoal::Cdn ();
use Shoal::Env qw(program tmpdir);
use Shoal::Process qw(run_cmd);
use Time::HiRes qw(time);

my $size = sized(2 << 30, 512 << 20, 8 << 20);
my $rounds = sized(7, 3, 1);

sub ids($class) {
    return qw(plain_cpu_s_per_gib verified_cpu_s_per_gib verified_wall_ratio
        memory_mib);
}

# What the memory of the file costs is the host's affair.
sub fetch($cmd, $file) {
    return Shoal::Bench::Client::fetch($cmd, $file, warm => 1);
}

sub per_gib(@runs) { return map { $_->{cpu_s} / ($size / (1 << 30)) } @runs }

# The piece layer that a client can hold: 32 bytes a block.
sub layer_kib() {
    my $block = 65536;
    $block *= 2 while $block * 16384 < $size;
    return 32 * $size / $block / 1024;
}

sub make_layer($file) {
    my $path = tmpdir('layer') . "/$file->{name}.shoal";
    my ($st, undef, $err) = run_cmd({ deadline => 120 }, program('shoal'),
        '--make-layer', $file->{path}, '-O', $path);
    die "shoal --make-layer: $err\n" if $st ne '0';
    return $path;
}

sub note($bench, $name, @runs) {
    $bench->note(sprintf '%-22s %s s/GiB, %s s, %.1f MiB', $name,
        spread('%.3f', per_gib(@runs)),
        spread('%.2f', map { $_->{seconds} } @runs),
        median(map { $_->{rss_kib} / 1024 } @runs));
    return;
}

# One run of each, and more of those that are near the best of them.
sub opponents($bench, %get) {
    my %runs = map { $_ => [ $get{$_}->() ] } sort keys %get;
    my ($best) = sort { $runs{$a}[0]{cpu_s} <=> $runs{$b}[0]{cpu_s} }
        keys %runs;
    my $limit = 1.5 * $runs{$best}[0]{cpu_s};
    for my $name (sort keys %runs) {
        next if $name eq $best || $runs{$name}[0]{cpu_s} > $limit;
        push @{ $runs{$name} }, $get{$name}->() for 2 .. sized(3, 2, 1);
    }
    note($bench, $_, @{ $runs{$_} }) for grep { $_ ne $best } sort keys %runs;
    return $best;
}

sub plain($bench, $url, $file) {
    my %get = map {
        my ($name, @more) = split ' ';
        $_ => sub { fetch([ tool($name), @more, $url ], $file) };
    } 'curl', 'wget', 'wget2', 'aria2c -x4';
    my $best = opponents($bench, %get);
    my @pairs = alternate($rounds, $get{$best},
        sub { fetch([ tool('shoal'), $url ], $file) });
    my @runs = map { $_->[1] } @pairs;
    note($bench, $best, map { $_->[0] } @pairs);
    note($bench, 'shoal', @runs);
    $bench->result('plain_cpu_s_per_gib', runs => [ per_gib(@runs) ],
        against => sprintf '%s: %.3f', $best,
            median(per_gib(map { $_->[0] } @pairs)));
    return @runs;
}

sub openssl($file) {
    my $start = time;
    my $got = sha256($file->{path});
    my $seconds = time - $start;
    die "openssl: $got\n" if $got ne $file->{sha256};
    return { seconds => $seconds };
}

# The slower of what has to be done anyway, and both ways to have the bytes
# checked, of which the dearer counts.
sub verified($bench, $url, $file) {
    my $sum = "sha-256=$file->{sha256}";
    my %way = (checksum => [ '--checksum', $sum ],
               layer => [ '--layer', make_layer($file) ]);
    note($bench, 'aria2c --checksum', fetch([ tool('aria2c'), '-x4',
        '--checksum', $sum, $url ], $file));
    my (%runs, %ratio);
    for my $round (1 .. $rounds) {
        my $curl = fetch([ tool('curl'), $url ], $file)->{seconds};
        my $openssl = openssl($file)->{seconds};
        my $slower = $curl > $openssl ? $curl : $openssl;
        for my $way (sort keys %way) {
            my $r = fetch([ tool('shoal'), @{ $way{$way} }, $url ], $file);
            push @{ $runs{$way} }, $r;
            push @{ $ratio{$way} }, $r->{seconds} / $slower;
        }
        push @{ $runs{curl} }, $curl;
        push @{ $runs{openssl} }, $openssl;
    }
    $bench->note(sprintf '%-22s %s s', $_, spread('%.2f', @{ $runs{$_} }))
        for qw(curl openssl);
    note($bench, "shoal --$_", @{ $runs{$_} }) for sort keys %way;
    my ($dear) = sort { median(per_gib(@{ $runs{$b} }))
            <=> median(per_gib(@{ $runs{$a} })) } sort keys %way;
    $bench->result('verified_cpu_s_per_gib',
        runs => [ per_gib(@{ $runs{$dear} }) ], against => "with --$dear");
    my ($slow) = sort { median(@{ $ratio{$b} }) <=> median(@{ $ratio{$a} }) }
        sort keys %way;
    $bench->result('verified_wall_ratio', runs => $ratio{$slow},
        against => 'the slower of curl and openssl dgst -sha256, '
            . "each alone; with --$slow");
    return map { @{ $runs{$_} } } keys %way;
}

sub run($class, $bench) {
    my $cdn = Shoal::Cdn::cdn(nodes => [ { wrap => [pinned()] } ]);
    my $file = source_file($cdn->node(0)->root, 'loopback.bin', $size);
    my $url = 'http://' . ($cdn->addrs)[0] . ':' . $cdn->port
        . "/$file->{name}";
    my @runs = (plain($bench, $url, $file), verified($bench, $url, $file));
    $cdn->stop;
    my ($most) = sort { $b <=> $a } map { $_->{rss_kib} } @runs;
    $bench->result('memory_mib', value => ($most - layer_kib()) / 1024,
        runs => [ map { ($_->{rss_kib} - layer_kib()) / 1024 } @runs ],
        against => 'the largest of all runs');
    return;
}

1;
