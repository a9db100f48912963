# The store's sets of peers against a simple model; MODEL_SEEDS=1000 tries more.

use v5.36;
use Shoal::Test;

my $program = build_dir() . '/model/peerset';
die "$program is not built: run 'make test'\n" if !-x $program;

my $first = $ENV{MODEL_SEEDS} ? 1 : 1 + int rand 1e6;
for my $seed ($first .. $first + ($ENV{MODEL_SEEDS} // 3) - 1) {
    my ($st, $out, $err) = run_cmd({ deadline => 60 }, $program, $seed, 10000);
    is($out, "ok\n", "seed $seed") or diag("$st $err");
}

finish();
