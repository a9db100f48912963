# The kept inputs through the fuzz targets of the library's parsers: what was
# found once stays mended. make fuzz-lib looks for more.

use v5.36;
use Shoal::Test;

my $program = build_dir() . '/fuzz/lib';
my $corpus = top() . '/t/fuzz/lib/corpus';

my ($st, $asan) = run_cmd('clang', '-print-file-name=libclang_rt.asan-'
    . (POSIX::uname())[4] . '.a') if grep { -x "$_/clang" } split /:/, $ENV{PATH};
skip_test('no clang, or not its sanitizers (libclang-rt-dev)')
    if !defined $st || $asan !~ m{^/};

my ($made, undef, $why) = run_cmd({ deadline => 300 }, 'make', '-s', '-C', top(),
    'BUILD=' . build_dir(), $program);
is($made, '0', 'built') or do {
    diag($why);
    finish();
    exit;
};

my ($end, undef, $words) = run_cmd($program);
is($end, '2', 'a name that is no target');
my @targets = split ' ', $words =~ s/.*there are://sr;
cmp_ok(scalar(@targets), '>=', 10, 'names those that are');
for my $target (@targets) {
    my @files = glob "$corpus/$target/*";
    cmp_ok(scalar(@files), '>', 0, "inputs for $target");
    ($st, my $out) = run_cmd({ deadline => 60 }, 'bash',
        top() . '/t/fuzz/lib.sh', 'replay', $program, $target);
    is($st, '0', "$target: nothing is found") or diag(substr $out, -4000);
    my ($runs) = $out =~ /^Done (\d+) runs/m;
    cmp_ok($runs // 0, '>=', scalar(@files), "$target: all were run");
}

finish();
