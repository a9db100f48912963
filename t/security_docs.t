# docs/security.md names the tests that hold what it says: each is there, and
# each promise of the table has some.

use v5.36;
use Shoal::Test;

my $docs = slurp(top() . '/docs/security.md');
my %named = map { $_ => 1 } $docs =~ m{`(t/[\w/.]+)`}g;
cmp_ok(scalar keys %named, '>', 60, 'many are named');
ok(-e top() . "/$_", "$_ is there") for sort keys %named;

my ($table) = $docs =~ /^## Which test holds which promise\n(.*?)(?=^## |\z)/ms;
my @rows = grep { !/^\| (?:promise|---)/ } $table =~ /^\|.*$/mg;
cmp_ok(scalar @rows, '>', 20, 'promises');
for my $row (@rows) {
    my (undef, $promise, $tests) = split / *\| +/, $row;
    like($tests, qr{`t/\w+\.t`}, $promise);
}

finish();
