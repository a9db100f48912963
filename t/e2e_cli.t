# The command line, the environment and configuration files: what is taken,
# which one counts, and what is said of what is wrong.

use v5.36;
use Shoal::Test;

my $cdn = cdn(nodes => 1);
my $path = $cdn->file('f.bin', 70_000, 1);
my @res = $cdn->client_args;
my $url = $cdn->url('f.bin');
my $etc = tmpdir('etc') . '/shoal.yaml';
my $xdg = tmpdir('xdg');
my $user = tmpdir('xdg/shoal') . '/config.yaml';
my %files = (SHOAL_SYSTEM_CONFIG => $etc, XDG_CONFIG_HOME => $xdg);

# Where the file ends up, in a new folder.
sub saved_in($env, @args) {
    my $r = shoal({ env => { %files, %$env } }, @res, @args, $url);
    is($r->{status}, 0, "status with @args") or diag($r->{stderr});
    return join ' ', map { s{^\Q$r->{dir}/}{}r }
        glob "$r->{dir}/*.bin $r->{dir}/*/*.bin";
}

# Each source outweighs the one before.
my %no = ();
is(saved_in(\%no), 'f.bin', 'no file is there');
spew($etc, "directory-prefix: system\nquiet: yes\n");
is(saved_in(\%no), 'system/f.bin', "the system's");
spew($user, "# mine\ndirectory-prefix: user\n");
is(saved_in(\%no), 'user/f.bin', "the user's");
my $home = tmpdir('home2/.config/shoal');
spew("$home/config.yaml", "directory-prefix: home\n");
is(saved_in({ XDG_CONFIG_HOME => undef, HOME => tmpdir('home2') }),
    'home/f.bin', 'in the home folder');
is(saved_in({ XDG_CONFIG_HOME => 'relative' }), 'system/f.bin',
    'a relative XDG_CONFIG_HOME is none');
my %env = (SHOAL_DIRECTORY_PREFIX => 'environment');
is(saved_in(\%env), 'environment/f.bin', 'the environment');
is(saved_in(\%env, '-P', 'arg'), 'arg/f.bin', 'the command line');
is(saved_in({ SHOAL_DIRECTORY_PREFIX => '' }), 'user/f.bin',
    'an empty variable is none');
my $other = spew(tmpdir() . '/other.yaml', "directory-prefix: other\n");
is(saved_in(\%no, "--config=$other"), 'other/f.bin', '--config');
is(saved_in({ SHOAL_CONFIG => $other }), 'other/f.bin', 'SHOAL_CONFIG');
is(saved_in(\%no, '--no-config'), 'f.bin', '--no-config');
is(saved_in({ SHOAL_NO_CONFIG => 1 }), 'f.bin', 'SHOAL_NO_CONFIG');
is(saved_in({ SHOAL_NO_CONFIG => 1 }, "--config=$other"), 'other/f.bin',
    '--config outweighs it');
is(saved_in(\%no, "--config=$other", '--no-config'), 'f.bin',
    'the last one counts');

# A list of more weight replaces one of less; a line is a value.
spew($user, "resolve: [ 'cdn.example.com:1:127.0.0.99' ]\n");
is(saved_in(\%no), 'system/f.bin', 'a list outweighed by arguments');
my ($resolve) = grep { /:/ } @res;
spew($user, "resolve:\n  - cdn.example.com:1:127.0.0.99\n  - $resolve\n");
my $r = shoal({ env => \%files }, '-P', '.', $url);
download_ok($r, $path, 'a list in a file');
$r = shoal({ env => { %files,
    SHOAL_RESOLVE => "x.example.com:1:127.0.0.99\n\n$resolve\n" } },
    '-P', '.', $url);
download_ok($r, $path, 'a list in the environment');

# What takes back what weighs less, and what contradicts.
spew($user, "listen-port: " . free_port() . "\n");
is(saved_in(\%no, '--no-upload'), 'system/f.bin', '--no-upload against a file');
spew($user, "no-upload: on\n");
is(saved_in(\%no, '--upload', '--listen-port', free_port()), 'system/f.bin',
    'and taken back');

# Flags, letters, long names cut short.
spew($user, "directory-prefix: .\nquiet: no\n");
for my $case ([ '-q', qr/^$/ ], [ '-qv', qr/saved/ ], [ '-vq', qr/^$/ ],
    [ '-nv', qr/^\S+ \S+ URL:\S+ \[70000\/70000\] -> "\.\/f\.bin"$/ ],
    [ '-nvc', qr/^\S+ \S+ URL/ ], [ '-ncv', qr/^\S+ \S+ URL/ ],
    [ '-qnv', qr/^\S+ \S+ URL/ ], [ '--quie', qr/^$/ ],
    [ '--quiet=no', qr/saved/ ], [ '--no-quiet', qr/saved/ ],
    [ '--quiet=yes', qr/^$/ ])
{
    $r = shoal({ env => { %files, SHOAL_DIRECTORY_PREFIX => '.' } }, @res,
        $case->[0], $url);
    is($r->{status}, 0, $case->[0]);
    like($r->{stderr}, $case->[1], "$case->[0]: what is said");
}

# Errors name what and where.
sub fails($what, $status, $why, $env, @args) {
    my $got = shoal({ env => { %files, %$env } }, @args);
    is($got->{status}, $status, "$what: status");
    like($got->{stderr}, $why, "$what: why") if defined $why;
    is(join(' ', glob "$got->{dir}/*"), '', "$what: no file");
}
spew($user, '');
spew($etc, '');
for my $case (
    [ "tries: 5\ntries: 6\n", qr/:2: tries: given twice$/m ],
    [ "quiet: yes\n\ntries: many\n",
      qr/:3: tries: expected a number .* got 'many'$/m ],
    [ "no-such-thing: 1\n", qr/:1: no-such-thing: there is no such option$/m ],
    [ "tries: [ 1, 2 ]\n", qr/:1: tries: expected one value, got a list$/m ],
    [ "tries: { a: 1 }\n", qr/:1: tries: expected a value, got a mapping$/m ],
    [ "tries:\n", qr/:1: tries: expected a value, got none$/m ],
    [ "tracker:\n - http://x/\n - ftp://y/\n",
      qr/:3: tracker: expected .*got 'ftp:\/\/y\/'$/m ],
    [ "quiet: perhaps\n", qr/:1: quiet: expected yes or no, got 'perhaps'$/m ],
    [ "config: /x\n", qr/:1: config: is for the command line only$/m ],
    [ "help: yes\n", qr/:1: help: is for the command line only$/m ],
    [ "a: 'b\n", qr/:\d: not YAML: /m ],
    [ "just words\n", qr/:1: expected lines of `option: value`$/m ])
{
    spew($user, $case->[0]);
    fails("config: $case->[0]", 2, qr/^shoal: \Q$user\E$case->[1]/m, {}, $url);
}
my ($st, $out) = run_cmd({ env => \%files }, program('shoal'), '--help');
is($st, 0, '--help works in spite of it');
like($out, qr/^Usage: shoal/, 'and helps');
($st, $out) = run_cmd({ env => \%files }, program('shoal'), '-V');
like($out, qr/^shoal \d/, '-V');
spew($user, '');

fails('--config of no file', 2, qr{^shoal: /none: No such file}m, {},
    '--config=/none', $url);
fails('an unreadable file', 2, qr{^shoal: \Q$xdg\E:\d: not YAML}m,
    { SHOAL_SYSTEM_CONFIG => $xdg }, $url);
fails('the environment', 2, qr/^shoal: SHOAL_TRIES: expected .* got 'x'$/m,
    { SHOAL_TRIES => 'x' }, $url);
fails('a list there', 2, qr/^shoal: SHOAL_TRACKER: expected .*'ftp:/m,
    { SHOAL_TRACKER => "http://x/\nftp://y/" }, $url);
fails('a secret is not repeated', 2, qr/^shoal: --password: expected(?!.*geheim)/m,
    {}, "--password=\ngeheim", $url);
for my $case ([ '--tries=x', qr/--tries: expected .* got 'x'/ ],
    [ '-T', qr/-T: needs an argument/, 1 ],
    [ '--timeout', qr/--timeout: needs an argument/, 1 ],
    [ '--nix', qr/--nix: unknown option/ ], [ '-Z', qr/-Z: unknown option/ ],
    [ '-nz', qr/-nz: unknown option/ ], [ '-n', qr/-n: unknown option/ ],
    [ '--help=x', qr/--help: expected yes or no/ ],
    [ '--no-continue=1', qr/--no-continue=1: takes no argument/ ],
    [ '--co', qr/--co: unknown option/ ],
    [ '--progress=line', qr/--progress: expected bar, .* got 'line'/ ],
    [ '--completion=sh', qr/--completion: expected bash/ ],
    [ '--report=', qr/--report: expected json or a file name/ ],
    [ "--tries=\e[2J", qr/--tries: expected .* got '\\033\[2J'/ ])
{
    my ($arg, $why, $last) = @$case;
    fails($arg, 2, qr/^shoal: $why/m, {}, $last ? ($url, $arg) : ($arg, $url));
}
my $several = '-O FILE with several URLs: a file is written in any order, '
    . 'and named when it is right; -O - gives them in a row';
for my $case ([ [], 'missing URL' ],
    [ [ '-O', 'x', $url, $url ], $several ],
    [ [ '-O', 'x', '-i', '/dev/null' ], $several ],
    [ [ '--checksum=md5=' . 'a' x 32, $url, $url ],
      '--checksum=ALG=HEX with several URLs' ],
    [ [ '--mirror', $url, $url, $url ], '--mirror with several URLs' ],
    [ [ '--layer=x', $url, $url ], '--layer=URL|FILE with several URLs' ],
    [ [ '--make-layer', 'x', $url ], '--make-layer takes no URL' ],
    [ [ '--report=json', '-O', '-', $url ],
      '--report=json and -O - are both for standard output; '
      . '--report=FILE writes to a file' ])
{
    fails($case->[1], 2, qr/^shoal: \Q$case->[1]\E$/m, {}, $case->[0]->@*);
}

finish();
