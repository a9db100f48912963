package Shoal::Bench::Prefetch;

# A file from a CDN node into the cache: every byte fetched, hashed, and on
# the disk; over the slower of what has to be done anyway: curl with fsync,
# and SHA-256 of the file.

use v5.36;
use Shoal::Bench qw(sized median);
use Shoal::Bench::SuperPeer qw(bench_super);
use Shoal::Cdn ();
use Shoal::Env qw(tmpdir);
use Shoal::Process qw(run_cmd);
use Time::HiRes qw(time);

my $size = sized(2 << 30, 256 << 20, 8 << 20);

sub ids($class) { return qw(prefetch_wall_ratio) }

# Nobody pays for what another one wrote.
sub timed($what, $code) {
    my ($st, undef, $err) = run_cmd({ deadline => 300 }, 'sync');
    die "sync: $err\n" if $st ne '0';
    my $start = time;
    $code->();
    return time - $start;
}

sub command(@cmd) {
    my ($st, undef, $err) = run_cmd({ deadline => 300 }, @cmd);
    die "$cmd[0]: status $st: $err\n" if $st ne '0';
    return;
}

sub curl($cdn, $file) {
    my $out = tmpdir('curl') . '/out';
    my $seconds = timed(curl => sub {
        command('sh', '-c', 'curl -sf --resolve "$1" -o "$2" "$3" && sync "$2"',
            'sh', $cdn->resolve, $out, $file->{url});
    });
    unlink $out;
    return $seconds;
}

sub openssl($cdn, $file) {
    return timed(openssl => sub {
        command(qw(openssl dgst -sha256), $file->{path});
    });
}

# With an empty cache of its own each time.
sub prefetch($cdn, $file) {
    my $super = bench_super(cdn => $cdn, pin => 0, cache_size => '4GiB');
    my $seconds = timed(prefetch => sub {
        $super->prepare($file);
        $super->wait_held($file);
    });
    $super->sp->stop;
    $super->tracker->stop;
    unlink glob $super->sp->cache . '/*.mdb';
    return $seconds;
}

sub run($class, $bench) {
    my $cdn = Shoal::Cdn::cdn(nodes => 1);
    my $file = Shoal::Bench::SuperPeer::file({ cdn => $cdn }, 'prefetch.bin',
        $size);
    my (@ratio, @seconds);
    for my $round (1 .. sized(7, 3, 1)) {
        my @s = map { $_->($cdn, $file) } \&curl, \&openssl, \&prefetch;
        push @ratio, $s[2] / ($s[0] > $s[1] ? $s[0] : $s[1]);
        push @seconds, \@s;
    }
    $bench->note(sprintf '%d MiB: curl and fsync %.2f s, openssl %.2f s, '
        . 'prefetch %.2f s', $size >> 20,
        map { my $i = $_; median(map { $_->[$i] } @seconds) } 0 .. 2);
    $bench->result('prefetch_wall_ratio', runs => \@ratio,
        against => 'the slower of curl with fsync and openssl dgst -sha256');
    return;
}

1;
