# The kept inputs through the fuzz target of the tracker's parsers: what was
# found once stays mended. make fuzz looks for more.

use v5.36;
use Shoal::Test;

my $fuzz = top() . '/t/fuzz';
my $dir = build_dir() . '/fuzz';

# Status and what was printed.
sub replay(@inputs) {
    my ($st, $out, $err) = run_cmd({ deadline => 60 }, 'bash',
        "$fuzz/fuzz.sh", 'replay', $dir, @inputs);
    return ($st, $out . $err);
}

my ($st, $asan) = run_cmd('clang', '-print-file-name=libclang_rt.asan-'
    . (POSIX::uname())[4] . '.so') if grep { -x "$_/clang" } split /:/, $ENV{PATH};
skip_test('no clang, or not its sanitizers (libclang-rt-dev)')
    if !defined $st || $asan !~ m{^/};

my ($made, undef, $why) = run_cmd({ deadline => 300 }, 'make', '-s', '-C', top(),
    'BUILD=' . build_dir(), 'fuzz-target');
is($made, '0', 'built') or do {
    diag($why);
    finish();
    exit;
};

($st, my $out) = replay();
my @files = map { glob "$fuzz/$_/*" } qw(corpus found);
my ($runs) = $out =~ /^Done (\d+) runs/m;
is($st, '0', 'nothing is found') or diag(substr $out, -6000);
cmp_ok(scalar(@files), '>', 100, 'inputs');
cmp_ok($runs // 0, '>=', scalar(@files), 'all of them were run');
my ($cov) = $out =~ /INITED cov: (\d+)/;
cmp_ok($cov // 0, '>', 500, 'and reach the code');

spew(tmpdir() . '/canary', '!canary');
($st, $out) = replay(tmpdir() . '/canary');
isnt($st, '0', 'a byte too many');
like($out, qr/heap-buffer-overflow.*fuzz_canary/s, 'is found')
    and Shoal::Test::forget_reports();

finish();
