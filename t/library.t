# libshoal as it is installed: shared and static library, header, pkg-config
# file; the example of an embedding program; and nothing but shoal_* to be
# seen from outside.

use v5.36;
use Shoal::Embed qw(embed_install embed embed_run);
use Shoal::Test;

my $tree = embed_install();
my $soname = 'libshoal.so.0';
ok(-f "$tree/$_", "installed: $_")
    for 'include/shoal.h', 'lib/libshoal.a', "lib/$soname",
    'lib/pkgconfig/shoal.pc';
is(readlink "$tree/lib/libshoal.so", $soname, 'what the linker looks for');

my $header = slurp("$tree/include/shoal.h");
my ($version) = $header =~ /SHOAL_VERSION "([^"]+)"/;
my %declared = map { $_ => 1 } $header =~ /^[a-z][^;{]*?\b(shoal_\w+)\(/mg;
delete $declared{$_} for grep { /_fn$/ } keys %declared;
cmp_ok(scalar keys %declared, '>', 10, 'functions are declared');
is_deeply([ grep { !/^(stddef|stdint)\.h$/ }
            $header =~ /#include\s+[<"]([^>"]+)/g ], [],
    'the header includes none of another library');

sub names($what, @nm) {
    my ($st, $out, $err) = run_cmd('nm', '--defined-only', '-P', @nm);
    is($st, '0', "$what: read") or diag($err);
    return { map { $_ => 1 } grep { !/^__(?:asan|odr|sanitizer)/ }
             map { /^([A-Za-z_]\w*) [A-Za-z] / ? $1 : () } split /\n/, $out };
}

is_deeply(names('shared', '-D', "$tree/lib/$soname"), \%declared,
    'the shared library shows what the header declares, and no more');
is_deeply(names('static', '-g', "$tree/lib/libshoal.a"), \%declared,
    'so does the static one');

my ($st, $out) = run_cmd({ env => {
    PKG_CONFIG_PATH => "$tree/lib/pkgconfig" } },
    'pkg-config', '--modversion', 'shoal');
is($out, "$version\n", 'version');

for my $std ('c99', 'c++11') {
    my $language = $std =~ /\+/ ? 'c++' : 'c';
    my ($st, $out, $err) = run_cmd($language eq 'c' ? 'cc' : 'c++', '-x',
        $language, "-std=$std", qw(-Wall -Wextra -pedantic -Werror
        -fsyntax-only), "$tree/include/shoal.h");
    is($st, '0', "the header is $std") or diag($err);
}

# The client uses the same, by its header and by what it is linked with.
my %own = map { s{.*/}{}r => 1 } glob(top() . '/client/*.h');
my @others;
for my $file (glob(top() . '/client/*.[ch]')) {
    push @others, map { "$file: $_" } grep { !$own{$_} && $_ ne 'shoal.h' }
        slurp($file) =~ /^#include "([^"]+)"/mg;
}
is_deeply(\@others, [], 'client/ includes nothing else of the library');

# What the documentation says of settings and functions.
my $doc = slurp(top() . '/docs/library.md');
my $driver = embed($tree, 't/library/driver.c');
my $table = embed_run($driver, 'settings')->{stdout};
is(substr($doc, index $doc, "\n### Files\n"), $table,
    'docs/library.md has the settings (`make docs` writes them)');
like($doc, qr/`\Q$_\E\(/, "docs/library.md has $_") for sort keys %declared;

# The example.
my $example = 'examples/get.c';
my @lines = split /\n/, slurp(top() . "/$example");
cmp_ok(scalar @lines, '<', 60, 'the example is short');
my $s = stage(nodes => 2, superpeers => 0, no_tracker => 1);
my $path = $s->cdn->file('file.bin', 3_000_000, 1);
my $resolve = 'resolve=' . $s->cdn->resolve;
my $dir = tmpdir('out');
for my $static (0, 1) {
    my $how = $static ? 'static' : 'shared';
    my $get = embed($tree, $example, static => $static);
    ($st, $out) = run_cmd('ldd', $get);
    is(scalar($out =~ /libshoal/), $static ? '' : 1, "$how: linked so");
    my $r = embed_run($get, $s->cdn->url('file.bin'), "$dir/$how", $resolve);
    is($r->{status}, '0', "$how: status") or diag($r->{stderr});
    same_file("$dir/$how", $path, "$how: content");
    is($r->{stdout}, '', "$how: the library prints nothing");
    like($r->{stderr}, qr/100 %.*\ndone\n\z/, "$how: progress");
    $r = embed_run($get, $s->cdn->url('none'), "$dir/none", $resolve);
    is($r->{status}, '1', "$how: a file that is not there");
    like($r->{stderr}, qr/HTTP 404/, "$how: why");
}

finish();
