# What documents the options comes from the table, or knows every row of it:
# --help, the manual page, completion, the example of a configuration.

use v5.36;
use Shoal::Test;

my $shoal = program('shoal');
my ($st, $help, $err) = run_cmd($shoal, '--help');
is("$st $err", '0 ', '--help');
is((grep { length > 79 } split /\n/, $help), 0, 'fits into 80 columns');
my %letters = reverse $help =~ /^  -(\w+), +--([a-z0-9-]+)/mg;
my %argument = map { @$_ } map { [ /^--([a-z0-9-]+)(?:=(\S+))?/ ] }
    $help =~ /^ {2}.{4} (--\S+)/mg;
cmp_ok(scalar(keys %argument), '>', 50, 'many options');
is($argument{'output-document'}, 'FILE', 'an argument');
is($letters{'no-clobber'}, 'nc', 'letters');

# The manual page has them all, and no others, with their letters.
my $page = slurp(top() . '/docs/shoal.1') =~ s/\\-/-/gr;
$page =~ s/\\f[BIR]/ /g;
my ($options) = $page =~ /^\.SH OPTIONS\n(.*?)^\.SH /ms;
my @tags = $options =~ /^\.TP\n\.\w+ (.*)$/mg;
my %documented;
for my $tag (@tags) {
    my @names = $tag =~ /--([a-z0-9-]*[a-z0-9])/g;
    $documented{$_} = $tag for @names;
}
is(join(' ', sort keys %documented), join(' ', sort keys %argument),
    'each option has its paragraph');
like($documented{$_} // '', qr/(?<!-)-$letters{$_}\b/, "-$letters{$_}")
    for sort keys %letters;
for my $name (sort grep { defined $argument{$_} } keys %argument) {
    next if $argument{$name} =~ /^[A-Z]+\[?$/;
    my @words = grep { !/[A-Z]/ } split /\|/, $argument{$name};
    like($options, qr/\b$_\b/, "--$name: $_") for @words;
}
($st, undef, $err) = run_cmd('man', '-l', '--warnings', '-Tutf8', top() . '/docs/shoal.1');
SKIP: {
    skip 'man is not here', 1 if $st == 127 || $err =~ /not found|minimized/;
    is($err, '', 'man has nothing to complain of');
}

# bash completes with what is built.
my $script = build_dir() . '/shoal.bash';
my ($same, $text) = run_cmd($shoal, '--completion=bash');
is(slurp($script), $text, 'the script that is installed');
my $dir = tmpdir('complete');
spew("$dir/file one", '');
mkdir "$dir/folder";

sub complete(@words) {
    my ($status, $out, $why) = run_cmd({ cwd => $dir }, 'bash', '--norc', '-c',
        'source "$0" && COMP_WORDS=("$@") && COMP_CWORD=$(($# - 1)) && _shoal'
        . ' && printf "%s\n" "${COMPREPLY[@]}"', $script, @words);
    is("$status $why", '0 ', "completion of @words");
    return [ sort split /\n/, $out ];
}

is_deeply([ grep { /^--/ } complete('shoal', '--')->@* ],
    [ sort map { "--$_" . (defined $argument{$_} ? '=' : '') } keys %argument ],
    'all names');
is_deeply(complete('shoal', '--limit'), ['--limit-rate='], 'one of them');
ok((grep { $_ eq '-nc' } complete('shoal', '-')->@*), 'letters');
is_deeply(complete('shoal', '--progress', '=', ''), [qw(bar dot none)], 'words');
is_deeply(complete('shoal', '--progress', '='), [qw(bar dot none)], 'after =');
is_deeply(complete('shoal', '--progress', '=', 'd'), ['dot'], 'a word begun');
is_deeply(complete('shoal', '-O', 'f'), [ 'file one', 'folder' ], 'files');
is_deeply(complete('shoal', '-P', ''), ['folder'], 'folders');
is_deeply(complete('shoal', '--layer', '=', ''), [ 'auto', 'file one', 'folder' ],
    'words and files');
my ($in) = run_cmd('bash', '--norc', '-c',
    'source "$0" && complete -p shoal', $script);
is($in, 0, 'it is registered');

# The example of a configuration is one.
my $cdn = cdn(nodes => 1, host => 'other.example.org'); # of no tracker there
my $path = $cdn->file('f.bin', 1000);
my $r = shoal($cdn->client_args, '--config', top() . '/conf-examples/shoal.yaml',
    $cdn->url('f.bin'));
download_ok($r, $path, 'conf-examples/shoal.yaml');

finish();
