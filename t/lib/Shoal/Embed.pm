package Shoal::Embed;

# Programs with libshoal in them, built against an installed library.
#
#   my $tree = embed_install();             # a folder: include, lib, ..
#   my $get = embed($tree, 'examples/get.c');               # shared
#   my $get = embed($tree, 'examples/get.c', static => 1);
#   my $r = embed_run($program, @args);     # {status}, {stdout}, {stderr}
#   my $r = embed_run({ cwd => .., env => {}, .. }, $program, @args);

use v5.36;
use Exporter qw(import);
use Shoal::Env qw(tmpdir top build_dir sanitized san_env);
use Shoal::Process qw(run_cmd);

our @EXPORT_OK = qw(embed_install embed embed_run);

my $serial = 0;

sub _must($what, $st, $out, $err, @) {
    die "$what: status $st\n$out$err" if $st ne '0';
    return $out;
}

sub embed_install() {
    my $tree = tmpdir('installed' . ++$serial);
    _must('make install-lib', run_cmd({ deadline => 300,
        env => { MAKEFLAGS => '', MAKELEVEL => '', MFLAGS => '' } },
        'make', '-s', '-C', top(), 'BUILD=' . build_dir(), "PREFIX=$tree",
        (sanitized() ? ('SAN=1', 'CFLAGS=-O1 -g') : ()), 'install-lib'));
    return $tree;
}

sub embed($tree, $source, %o) {
    my $program = tmpdir('embed' . ++$serial) . '/program';
    my $env = { PKG_CONFIG_PATH => "$tree/lib/pkgconfig" };
    my $flags = _must('pkg-config', run_cmd({ env => $env }, 'pkg-config',
        '--cflags', '--libs', $o{static} ? '--static' : (), 'shoal'));
    _must("cc $source", run_cmd({ deadline => 60 }, $ENV{CC} // 'cc', '-Wall',
        '-Wextra', '-Werror', '-std=gnu11', '-pthread', '-o', $program,
        (sanitized() ? '-fsanitize=address,undefined' : ()),
        top() . "/$source",
        ($o{static} ? ('-l:libshoal.a', '-Wl,--as-needed')
                    : "-Wl,-rpath,$tree/lib"), split ' ', $flags));
    return $program;
}

sub embed_run(@cmd) {
    my %o = ref $cmd[0] eq 'HASH' ? %{ shift @cmd } : ();
    my %r;
    @r{qw(status stdout stderr seconds)} = run_cmd({ %o,
        env => { san_env(), %{ $o{env} // {} } } }, @cmd);
    return \%r;
}

1;
