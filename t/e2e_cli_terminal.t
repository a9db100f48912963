# On a terminal: the bar, its width, and what signals do.

use v5.36;
use Shoal::Pty qw(on_terminal);
use Shoal::Test;

my $cdn = cdn(nodes => 2, limit_rate => '1m');
my $path = $cdn->file('name.bin', 2_500_000, 1);
my @cmd = (program('shoal'), $cdn->client_args);
my $url = $cdn->url('name.bin');
my %san = san_env();
my $n = 0;

sub start($o, @args) {
    my $dir = tmpdir('tty/' . ++$n);
    my $t = on_terminal({ cwd => $dir, %$o, env => { %san,
        ($o->{env} // {})->%* } }, @cmd, @args);
    $t->{dir} = $dir;
    return $t;
}

# What was drawn, picture by picture.
sub pictures($t) {
    return grep { /%/ } map { split /\r(?!\n)/ } split /\r\n/, $t->text;
}

my $t = start({ columns => 80 }, $url);
my $begin = now;
is($t->end(30), 0, 'in 80 columns') or diag($t->text);
my $took = now - $begin;
same_file("$t->{dir}/name.bin", $path, 'content');
my @all = pictures($t);
cmp_ok(scalar(grep { /^name\.bin/ } @all), '<=', $took * 10 + 3,
    'at most ten pictures a second');
cmp_ok(scalar(@all), '>=', 4, 'some of them');
my ($bar) = grep { /eta/ } @all;
like($bar // '', qr{^name\.bin\ +\d+%\[=*>?\ *\]\ +[\d.]+[KM]\ +[\d.]+[KM]B/s
    \ \ eta\ \d}x, 'name, percent, bar, size, rate, time left');
is(length, 79, 'one column less than there are') for grep { /^name\.bin/ } @all;
like($t->text, qr{name\.bin +100%\[=+>\] +2\.38M +\S+B/s  in \d}, 'the end');
like($t->text, qr{'name\.bin' saved \[2500000/2500000\]}, 'and what became');

$cdn->set(limit_rate => 0);
for my $columns (1, 5, 12, 20, 33, 41, 52, 64, 200) {
    $t = start({ columns => $columns }, '-q', '--show-progress', $url);
    is($t->end(30), 0, "in $columns columns");
    my $width = $columns < 5 ? 4 : $columns - 1;
    is(join(' ', grep { length != $width } pictures($t)), '', 'all fit');
    like($t->text, qr/100%/, 'with what matters most');
}
$t = start({ columns => 0, env => { COLUMNS => 50 } }, '-nv', '--show-progress',
    $url);
$t->end(30);
is((grep { length == 49 } pictures($t)) > 0, 1, 'COLUMNS');
for my $case ([ '-q' ], [ '-nv' ], [ '--progress=none' ]) {
    $t = start({}, @$case, $url);
    is($t->end(30), 0, "@$case");
    unlike($t->text, qr/%\[/, 'no bar');
}
$t = start({}, '--progress=dot:mega', $url);
$t->end(30);
like($t->text, qr/ 0K \.{8} /, '--progress=dot:mega');
my ($st, undef, $err) = run_cmd({ cwd => tmpdir('force'), env => { COLUMNS => 60 } },
    @cmd, '--progress=bar:force', $url);
like($err, qr/\rname\.bin +100%\[=+>\]/, '--progress=bar:force');

# Another width in the middle; a signal; -c goes on.
$cdn->set(limit_rate => '200k');
$t = start({ columns => 80 }, $url);
$t->wait_text(qr/name\.bin .*B\/s/, 10);
$t->resize(40);
$t->wait_text(qr/\r[^\r]{39}\r/, 10);
pass('the next picture has the new width');
$t->type("\cC");
is($t->end(5), 256 + 2, 'ended by SIGINT');
is(join(' ', map { s{.*/}{}r } glob "$t->{dir}/*"),
    'name.bin.part name.bin.part.ctl', 'what has come is kept');
$cdn->set(limit_rate => 0);
my $r = shoal({ cwd => $t->{dir} }, $cdn->client_args, '-c', $url);
download_ok($r, $path, '-c goes on');
like($r->{stderr}, qr/^Kept from before: \d+ \(/m, 'and says with what');

# In the background it leaves the terminal alone.
$cdn->set(limit_rate => '1m');
my $dir = tmpdir('tty/background');
$t = on_terminal({ cwd => $dir, env => \%san }, 'bash', '-c',
    'set -m; "$@" & wait', 'bash', @cmd, $url);
is($t->end(30), 0, 'in the background');
unlike($t->text, qr/%\[/, 'no bar');
same_file("$dir/name.bin", $path, 'content');

# The second ^C does not wait for what the first one has begun.
$t = start({}, $url);
$t->wait_text(qr/name\.bin .*B\/s/, 10);
$t->signal('INT') for 1, 2;
is($t->end(5), 256 + 2, '^C twice');

# Who was told to ignore ^C does (a job in the background of a script).
$dir = tmpdir('tty/ignores');
$t = on_terminal({ cwd => $dir, env => \%san }, 'sh', '-c',
    'trap "" INT; exec "$@"', 'sh', @cmd, $url);
$t->wait_text(qr/name\.bin .*B\/s/, 10);
$t->type("\cC");
is($t->end(30), 0, '^C that is ignored');
same_file("$dir/name.bin", $path, 'content');

# ^C ends seeding well: the file is whole.
$cdn->set(limit_rate => 0);
$t = start({}, '--listen-port', free_port(), '--seed-time=10', $url);
$t->wait_text(qr/'name\.bin' saved/, 20);
$t->type("\cC");
is($t->end(5), 0, '^C while seeding');
like($t->text, qr/^\S+ \S+ - seeding ends: 0 given to others/m, 'and says so');

finish();
