# Where the bytes go: names, existing files, standard output, signals, two
# clients at one file.

use v5.36;
use Shoal::Test;

my $cdn = cdn(nodes => 2);
my $path = $cdn->file('f.bin', 300_000, 1);
$cdn->link_file($path, $_) for 'd/index.html', 'a b.bin';
my @res = $cdn->client_args;
my $base = $cdn->url('');

# Names of what is in a folder.
sub names($dir) {
    opendir my $d, $dir or die "$dir: $!";
    return join ' ', sort grep { !/^\.\.?$/ } readdir $d;
}

for my $case ([ 'f.bin', 'f.bin' ], [ 'f.bin?a=1&b=2', 'f.bin?a=1&b=2' ],
    [ 'f.bin#part', 'f.bin' ], [ 'a%20b.bin', 'a b.bin' ],
    [ 'a b.bin', 'a b.bin' ], [ 'd/', 'index.html' ],
    [ 'd/../f.bin', 'f.bin' ], [ 'x/%2e%2e/f.bin', 'f.bin' ])
{
    my $r = shoal(@res, $base . $case->[0]);
    is($r->{status}, 0, $case->[0]);
    is(names($r->{dir}), $case->[1], "is saved as $case->[1]");
    same_file("$r->{dir}/$case->[1]", $path, 'content');
}
my $r = shoal(@res, $base =~ s/^http/HTTP/r . 'f.bin');
download_ok($r, $path, 'scheme in upper case');

# Nothing above the folder.
for my $name ('d/..%2f..%2fetc', '%2e%2e', '..', 'd/%2e%2e%2f') {
    my $up = tmpdir('up/in');
    $r = shoal({ cwd => $up }, @res, $base . $name);
    is(names("$up/.."), 'in', "$name: nothing above");
}

$r = shoal(@res, '-O', '-', $base . 'f.bin');
is($r->{status}, 0, 'standard output');
is(names($r->{dir}), '', 'and no file');
same_file(spew(tmpdir() . '/out', $r->{stdout}), $path, 'in order');

# What is there is not overwritten, unless -O names it.
my $dir = tmpdir('there');
spew("$dir/f.bin", 'mine');
$r = shoal({ cwd => $dir }, @res, $base . 'f.bin');
is($r->{status}, 0, 'a file of that name is there');
is(slurp("$dir/f.bin"), 'mine', 'it stays');
same_file("$dir/f.bin.1", $path, 'the new one is beside it');
$r = shoal({ cwd => $dir }, @res, '-O', 'f.bin', $base . 'f.bin');
same_file("$dir/f.bin", $path, '-O replaces it');
mkdir "$dir/folder";
is(shoal({ cwd => $dir }, @res, '-O', 'folder', $base . 'f.bin')->{status}, 3,
    '-O of a folder');

# Signals: soon, and what is there can be gone on with.
my $big = $cdn->file('big.bin', 5_000_000, 2);
$cdn->set(limit_rate => '300k');
for my $sig (qw(INT TERM)) {
    my $p = shoal_start(@res, $base . 'big.bin');
    wait_for { -e "$p->{dir}/big.bin.part" || !$p->alive } 5, 'it to begin';
    my $start = now;
    isnt($p->stop($sig), 0, "SIG$sig is no success");
    $p->any_status;
    cmp_ok(now - $start, '<', deadline(1), 'soon');
    is(names($p->{dir}), 'big.bin.part big.bin.part.ctl', 'for -c');
}

# Two clients at one file: one of them may give up, the file is right.
$cdn->set(limit_rate => '2m');
my @p = map { shoal_start({ cwd => $dir }, @res, $base . 'big.bin') } 1, 2;
my @status = map { $_->any_status->wait(30) } @p;
ok((grep { $_ == 0 } @status), "two at one file: @status");
for my $file (glob "$dir/big.bin $dir/big.bin.1") {
    same_file($file, $big, 'content') if -e $file;
}

finish();
