# Several URLs: each its own file, lists of them (-i), what is said, and the
# exit status of all together.

use v5.36;
use Shoal::Test;

my $cdn = cdn(nodes => 1, server => join "\n",
    map { "location /$_ { return $_; }" } 401, 403, 500);
my @name = map { "f$_.bin" } 1 .. 3;
my @path = map { $cdn->file($name[$_], 31_000 + 1000 * $_, $_) } 0 .. 2;
my @res = $cdn->client_args;
my @url = map { $cdn->url($_) } @name;
my $closed = 'http://127.0.0.19:' . free_port('127.0.0.19') . '/x';

sub files($dir) {
    return join ' ', map { s{.*/}{}r } sort glob "$dir/*";
}

my $r = shoal(@res, @url);
is($r->{status}, 0, 'three at once');
same_file("$r->{dir}/$name[$_]", $path[$_], $name[$_]) for 0 .. 2;
my $stamp = qr/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/;
like($r->{stderr}, qr/^--$stamp--  \Q$_\E$/m, 'the URL') for @url;
like($r->{stderr}, qr/^Length: 31000 \(30K\)\nSaving to: 'f1\.bin'$/m,
    'size and name');
like($r->{stderr}, qr/^ +0K \.{10} \.{10} \.{10} +100% /m, 'dots');
like($r->{stderr},
    qr/^$stamp \(\S+ [KM]?B\/s\) - 'f1\.bin' saved \[31000\/31000\]$/m,
    'what became of it');
like($r->{stderr}, qr/^FINISHED\ --$stamp--\nTotal\ wall\ clock\ time:\ \S+\n
    Downloaded:\ 3\ files,\ 94K\ in\ \S+\ \([^)]+B\/s\)$/mx, 'the sum');
$r = shoal(@res, '-nv', @url);
like($r->{stderr}, qr/^(?:$stamp\ URL:\S+\ \[\d+\/\d+\]\ ->\ "f\d\.bin"\n){3}
    FINISHED\ .*\nTotal.*\nDownloaded.*\n$/x, '-nv');
$r = shoal(@res, '-q', @url);
is($r->{stderr}, '', '-q');
$r = shoal(@res, '--progress=none', $url[0]);
unlike($r->{stderr}, qr/ 0K /, '--progress=none');
unlike($r->{stderr}, qr/FINISHED/, 'no sum of one file');

my $serial = 0;

# The lowest status above 1 is the one of all.
for my $case ([ 8, $cdn->url('none') ], [ 8, $cdn->url('500'), $url[0] ],
    [ 6, $cdn->url('500'), $cdn->url('401') ],
    [ 4, $cdn->url('401'), $closed, $url[0], $cdn->url('500') ],
    [ 1, 'ftp://x/', $url[0] ], [ 4, 'ftp://x/', $closed ],
    [ 32, '--checksum=sha-256=' . 'f' x 64, $url[0] ],
    [ 0, @url ])
{
    my ($want, @args) = @$case;
    my $dir = tmpdir('status/' . ++$serial);
    $r = shoal({ cwd => $dir }, @res, '-t1', '-nv', @args);
    is($r->{status}, $want, "status $want") or diag("@args\n$r->{stderr}");
    next if $want == 32;
    my @good = grep { m{/f\d\.bin$} } @args;
    is(files($dir), join(' ', sort map { s{.*/}{}r } @good),
        'the good ones are there');
}
$r = shoal(@res, '-nv', $cdn->url('none'), @url[0, 1]);
like($r->{stderr}, qr/^Downloaded: 2 files, .*; 1 failed$/m, 'failures are counted');

# Lists.
my $list = tmpdir('list') . '/urls.txt';
spew($list, "\xef\xbb\xbf# all of them\r\n\r\n  $url[0]\t\r\n#$url[1]\r\n$url[1]");
$r = shoal(@res, '-i', $list);
is($r->{status}, 0, '-i FILE');
is(files($r->{dir}), 'f1.bin f2.bin', 'its files');
same_file("$r->{dir}/f2.bin", $path[1], 'content');
$r = shoal(@res, '-nv', $url[2], "--input-file=$list");
like($r->{stderr}, qr/"f3\.bin".*"f1\.bin".*"f2\.bin"/s, 'after the arguments');
my ($st, undef, $err) = run_cmd({ stdin => $list, cwd => tmpdir('stdin') },
    program('shoal'), @res, '-nv', '-i', '-');
is($st, 0, '-i -');
is(files(tmpdir('stdin')), 'f1.bin f2.bin', 'its files');
spew($list, "$url[0]\nftp://x/y\njust words\nhttp://a/\0b\n"
    . 'x' x 9000 . "\n" . $cdn->url('none') . "\n$url[1]\n");
$r = shoal(@res, '-t1', '-i', $list);
is($r->{status}, 8, 'a list with faults');
is(files($r->{dir}), 'f1.bin f2.bin', 'the others are there');
like($r->{stderr}, qr/^shoal: \Q$list\E:$_: \S/m, "line $_ is named") for 2 .. 6;
$r = shoal(@res, '-i', '/none');
is($r->{status}, 3, '-i of no file');
like($r->{stderr}, qr{^shoal: /none: No such file or directory$}m, 'says so');
$r = shoal(@res, '-i', '/dev/null');
is($r->{status}, 0, '-i of an empty one');
is($r->{stderr}, "No URLs found in /dev/null.\n", 'says so');
is(shoal(@res, '-i', '/')->{status}, 3, '-i of a folder');

# A list that comes bit by bit: files are fetched as their lines come.
my $fifo = tmpdir('fifo') . '/urls';
POSIX::mkfifo($fifo, 0600) or die "mkfifo: $!";
my $p = shoal_start(@res, '-q', '-i', $fifo);
open my $pipe, '>', $fifo or die "$fifo: $!";
$pipe->autoflush(1);
for my $i (0, 1) {
    print {$pipe} "$url[$i]\n";
    wait_for { -e "$p->{dir}/$name[$i]" } 10, $name[$i];
}
close $pipe;
is($p->wait(10), 0, 'the end of the list is the end');

# Standard output takes several, one after the other; so does a device.
$r = shoal(@res, '-O', '-', @url);
is($r->{status}, 0, '-O - of several');
ok($r->{stdout} eq join('', map { slurp($_) } @path), 'in order');
like($r->{stderr}, qr/ - written to stdout \[31000\/31000\]$/m, 'says so');
is(shoal(@res, '-O', '/dev/null', @url)->{status}, 0, '-O /dev/null');

# Messages elsewhere.
my $dir = tmpdir('log');
$r = shoal({ cwd => $dir }, @res, '-o', 'log', $url[0]);
is($r->{stderr}, '', '-o: nothing on standard error');
like(slurp("$dir/log"), qr/^--.*'f1\.bin' saved/s, 'all in the file');
$r = shoal({ cwd => $dir }, @res, '-nv', '-a', 'log', $url[1]);
like(slurp("$dir/log"), qr/'f1\.bin' saved.*"f2\.bin"\n$/s, '-a adds to it');
$r = shoal(@res, '-nv', '-o', '-', $url[0]);
like($r->{stdout}, qr/"f1\.bin"$/, '-o -: to standard output');
is(shoal(@res, '-o', '/none/log', $url[0])->{status}, 3, '-o to nowhere');

# Names are shown so that they do nothing to a terminal.
for my $name ("a\e[31mb", "\x{c3}\x{bc}.bin", "x\xe2\x80\xae.bin", "n\nl") {
    $cdn->link_file($path[0], $name);
    $r = shoal(@res, $cdn->url(url_encode($name)));
    is($r->{status}, 0, 'a strange name');
    unlike($r->{stderr}, qr/[^\n\x20-\x7e\x80-\xff]|\xe2\x80\xae/,
        'nothing strange is shown');
}
like(shoal(@res, $cdn->url('%c3%bc.bin'))->{stderr}, qr/'\xc3\xbc\.bin' saved/,
    'UTF-8 is');

# Who reads goes away.
my $big = $cdn->file('big.bin', 3_000_000, 9);
($st, my $out, $err) = run_cmd({ cwd => tmpdir('pipe') }, 'sh', '-c',
    '"$@" | head -c 10 | wc -c; exit', 'sh', program('shoal'), @res, '-O',
    '-', $cdn->url('big.bin'));
is($out =~ s/\s//gr, 10, 'a pipe that is closed');
like($err, qr/^shoal: .*(?:pipe|standard output)/mi, 'is said');
is(files(tmpdir('pipe')), '', 'and leaves nothing');

finish();
