# One name, several downloads; targets that are no regular file; the signal
# that ends it.

use v5.36;
use POSIX qw(mkfifo);
use Shoal::Test;

my $cdn = cdn(nodes => 2, limit_rate => '2m');
my $one = $cdn->file('1/x.bin', 3_000_000, 1);
my $two = $cdn->file('2/x.bin', 3_000_001, 2);
my $small = $cdn->file('s.bin', 200_000, 3);
my @res = $cdn->client_args;

sub names($dir) {
    opendir my $d, $dir or die "$dir: $!";
    return join ' ', sort grep { !/^\.\.?$/ } readdir $d;
}

sub start_in($dir, @args) {
    my $p = shoal_start({ cwd => $dir }, @res, @args)->any_status;
    wait_for { names($dir) =~ /\.part\b/ || !$p->alive } 10, 'a .part';
    return $p;
}

# Two names alike, two files: each is whole.
my $dir = tmpdir('two');
my $p = start_in($dir, $cdn->url('1/x.bin'));
my $r = shoal({ cwd => $dir }, @res, $cdn->url('2/x.bin'));
is($r->{status}, 0, 'the second');
is($p->wait(30), 0, 'the first');
is(names($dir), 'x.bin x.bin.1', 'two names');
same_file("$dir/x.bin", $one, 'the first one\'s content');
same_file("$dir/x.bin.1", $two, 'the second one\'s content');

# Many at once, all beginning in the same moment.
$dir = tmpdir('many');
my @p = map { shoal_start({ cwd => $dir }, @res, $cdn->url('s.bin')) } 1 .. 6;
is($_->wait(30), 0, 'one of many') for @p;
is(names($dir), join(' ', 's.bin', map { "s.bin.$_" } 1 .. 5), 'six names');
same_file($_, $small, 'content') for glob "$dir/*";

# With -O or -c there is one name only.
for my $how ([ '-O', 'out' ], [ '-c', '-O', 'out' ], ['-c']) {
    $dir = tmpdir('named');
    unlink glob "$dir/*";
    $p = start_in($dir, @$how, $cdn->url('1/x.bin'));
    $r = shoal({ cwd => $dir }, @res, @$how, $cdn->url('2/x.bin'));
    is($r->{status}, 3, "@$how: the second gives up");
    like($r->{stderr}, qr/^shoal: \S+\.part: another download is writing it$/m,
        'says why');
    is($p->wait(30), 0, 'the first');
    my ($name) = grep { !/^-/ } @$how, 'x.bin';
    same_file("$dir/$name", $one, 'its content');
    is(names($dir), $name, 'and nothing else');
}

# What is no partial download of ours, or is one and -c was not given.
$dir = tmpdir('foreign');
spew("$dir/s.bin.part", 'mine');
$r = shoal({ cwd => $dir }, @res, $cdn->url('s.bin'));
is(slurp("$dir/s.bin.part"), 'mine', 'a foreign .part stays');
same_file("$dir/s.bin.1", $small, 'the next name is taken');
$r = shoal({ cwd => $dir }, @res, '-c', $cdn->url('s.bin'));
is($r->{status}, 0, '-c');
is(names($dir), 's.bin.1 s.bin.part', 'the same with -c');
$dir = tmpdir('interrupted');
$p = start_in($dir, $cdn->url('1/x.bin'));
$p->stop('INT');
my $part = slurp("$dir/x.bin.part");
$r = shoal({ cwd => $dir }, @res, $cdn->url('1/x.bin'));
is(names($dir), 'x.bin.1 x.bin.part x.bin.part.ctl', 'without -c it stays');
ok($part eq slurp("$dir/x.bin.part"), 'as it is');
same_file("$dir/x.bin.1", $one, 'content');
rename "$dir/x.bin.part$_", "$dir/o.part$_" for '', '.ctl';
$r = shoal({ cwd => $dir }, @res, '-O', 'o', $cdn->url('2/x.bin'));
same_file("$dir/o", $two, '-O overwrites');
is(names($dir), 'o x.bin.1', 'and leaves nothing');

# The .part is replaced in mid-download: that is not what gets the name.
$dir = tmpdir('replaced');
$p = start_in($dir, $cdn->url('1/x.bin'));
unlink "$dir/x.bin.part";
spew("$dir/x.bin.part", 'not the file');
is($p->wait(30), 3, 'a .part that was replaced');
like($p->stderr, qr/x\.bin\.part: is not ours/, 'says why');
ok(!-e "$dir/x.bin", 'no file');

# The name is taken while we download.
$dir = tmpdir('taken');
$p = start_in($dir, $cdn->url('1/x.bin'));
spew("$dir/x.bin", 'precious');
is($p->wait(30), 0, 'a name that was taken meanwhile');
is(slurp("$dir/x.bin"), 'precious', 'it stays');
same_file("$dir/x.bin.1", $one, 'ours is beside it');
like($p->stderr, qr/^\S+ \S+ \(.*\) - 'x\.bin\.1' saved/m, 'and named');

# -O of links, and of what is no file.
$cdn->set(limit_rate => '');
my $url = $cdn->url('s.bin');
$dir = tmpdir('special');
mkdir "$dir/in";
spew("$dir/in/file", 'old');
chmod 0600, "$dir/in/file";
symlink 'in/file', "$dir/link";
symlink 'in/none', "$dir/dangling";
for my $case ([ 'link', 'file' ], [ 'dangling', 'none' ]) {
    my ($link, $file) = @$case;
    $r = shoal({ cwd => $dir }, @res, '-O', $link, $url);
    is($r->{status}, 0, "-O of a $link");
    ok(-l "$dir/$link", 'it is still a link');
    same_file("$dir/in/$file", $small, 'the file behind it is the download');
}
is((stat "$dir/in/file")[2] & 0777, 0600, 'with the mode it had');

mkfifo("$dir/fifo", 0600) or die "fifo: $!";
my $reader = start_cmd('sh', '-c', 'cat "$1" > "$2"', 'sh', "$dir/fifo",
    "$dir/from-fifo");
$r = shoal({ cwd => $dir }, @res, '-O', 'fifo', $url);
is($r->{status}, 0, '-O of a FIFO');
ok(-p "$dir/fifo", 'it is still a FIFO');
is($reader->wait(10), 0, 'who reads it sees an end');
same_file("$dir/from-fifo", $small, 'and the file');

$p = shoal_start({ cwd => $dir }, @res, '-O', 'fifo', $url)->any_status;
$cdn->node(0)->wait_requests(1);
select undef, undef, undef, 0.5;
is($p->stop('INT'), 258, 'a FIFO that nobody reads: ^C');

SKIP: {
    skip('a device needs root', 3) if $> != 0;
    my ($st) = run_cmd('mknod', "$dir/null", 'c', 1, 3);
    skip('no devices here', 3) if $st ne '0';
    open my $null, '>', "$dir/null" or skip('no devices here', 3);
    close $null;
    $r = shoal({ cwd => $dir }, @res, '-O', 'null', $url);
    is($r->{status}, 0, '-O of a device');
    ok(-c "$dir/null", 'it is still one');
    ok(!-e "$dir/null.part", 'and nothing beside it');
}
# As /dev/stdout is; a link of our own, which may come to harm.
symlink '/proc/self/fd/1', "$dir/stdout";
$r = shoal({ cwd => $dir }, @res, '-O', 'stdout', $url);
is($r->{status}, 0, '-O /dev/stdout');
ok(-l "$dir/stdout", 'it is still a link');
same_file(spew("$dir/out", $r->{stdout}), $small, 'its content');

mkdir "$dir/folder";
$r = shoal({ cwd => $dir }, @res, '-O', 'folder', $url);
is($r->{status}, 3, '-O of a folder');
ok(!-e "$dir/folder.part", 'nothing beside it');

my $s = stage(nodes => 2, superpeers => 0);
$s->cdn->file('v.bin', 1_000_000, 6);
# ^C: the signal is what it ends of, as wget does.
$s->cdn->set(limit_rate => '200k');
for my $sig ([ INT => 2 ], [ TERM => 15 ]) {
    $p = $s->get_start('v.bin')->any_status;
    wait_for { -e "$p->{dir}/v.bin.part" || !$p->alive } 10, 'it to begin';
    is($p->stop($sig->[0]), 256 + $sig->[1], "ended by SIG$sig->[0]");
    is(names($p->{dir}), 'v.bin.part v.bin.part.ctl', 'with its partial file');
}

finish();
