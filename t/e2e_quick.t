# A small file costs no more than it does with other programs: nothing waits
# for a timer. Medians, and a second try, since other processes run too.

use v5.36;
use Shoal::Test;

my $cdn = cdn(nodes => 1);
my $url = 'http://' . $cdn->node(0)->addr . ':' . $cdn->port;
my $runs = 11;

sub median(@cmd) {
    my @seconds;
    for my $i (1 .. $runs) {
        my $dir = tmpdir("quick/$i");
        my ($st, undef, $err, $seconds) = run_cmd({ cwd => $dir,
            env => { san_env() } }, @cmd);
        die "@cmd: $st: $err\n" if $st;
        push @seconds, $seconds;
        unlink "$dir/f";
    }
    return (sort { $a <=> $b } @seconds)[ $runs / 2 ];
}

for my $size (1000, 1 << 20) {
    $cdn->file('f', $size, $size);
    my ($shoal, $curl);
    for my $try (1 .. 3) {
        $shoal = median(program('shoal'), '-q', $cdn->client_args,
            $cdn->url('f'));
        $curl = median('curl', '-sSfo', 'f', "$url/f");
        last if $shoal < deadline(0.5) && $shoal < 8 * $curl;
    }
    cmp_ok($shoal, '<', deadline(0.5), "$size bytes: soon");
    # Sanitizers make the start of a program slow.
    cmp_ok($shoal, '<', deadline(8) * $curl, 'as others do');
    note(sprintf '%d bytes: shoal %.1f ms, curl %.1f ms', $size,
        1000 * $shoal, 1000 * $curl);
}

finish();
