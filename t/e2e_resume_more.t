# -c: what is there without a control file; with another query string; files
# without ranges.

use v5.36;
use Shoal::Test;

my $size = 3_000_000;
my $cdn = cdn(nodes => 2);
my $path = $cdn->file('f.bin', $size, 1);
my @res = $cdn->client_args;
my $url = $cdn->url('f.bin');
my $data = slurp($path);
my $dir;

sub names($d) {
    opendir my $h, $d or die "$d: $!";
    return join ' ', sort grep { !/^\.\.?$/ } readdir $h;
}

# -c on a file that holds $bytes.
my $serial = 0;

sub go_on($bytes, @args) {
    $dir = tmpdir('go' . ++$serial);
    spew("$dir/f.bin", $bytes);
    $cdn->clear_logs;
    my $r = shoal({ cwd => $dir }, @res, '-c', @args, $url);
    $r->{file} = "$dir/f.bin";
    return $r;
}

sub kept($r) { return $r->{stderr} =~ /kept from before\s+file\s+(\d+)/ ? $1 : 0 }

sub given($r) {
    my $sum = 0;
    $sum += $_ for $r->{stderr} =~ /^  127\S+ +CDN node +(\d+)/mg;
    return $sum;
}

for my $n (1, 1000, 65536, 1_000_000, $size - 1) {
    my $r = go_on(substr $data, 0, $n);
    download_ok($r, $path, "-c on $n bytes that wget left");
    my $whole = int($n / 65536) * 65536;
    is(kept($r), $whole, 'whole blocks are kept');
    is(given($r), $size - $whole, 'the rest is taken');
}
my $r = go_on('');
download_ok($r, $path, '-c on an empty file');
$r = go_on(substr($data, 0, 1_000_000), '-O', 'f.bin');
is(kept($r), 15 * 65536, '-O is no other');
download_ok($r, $path, 'and right');

# It stays as it is until the whole file is there.
$cdn->set(limit_rate => '300k');
$dir = tmpdir('stays');
spew("$dir/f.bin", substr $data, 0, 1_000_000);
my $p = shoal_start({ cwd => $dir }, @res, '-c', $url)->any_status;
wait_for { -s "$dir/f.bin.part" || !$p->alive } 10, 'it to begin';
wait_for {
    (-e "$dir/f.bin.part.ctl"
        && part_bytes("$dir/f.bin.part", $size) > 1_100_000) || !$p->alive
} 20, 'some blocks';
$p->stop('INT');
is(slurp("$dir/f.bin"), substr($data, 0, 1_000_000), 'interrupted: it stays');
$cdn->set(limit_rate => '');
$r = shoal({ cwd => $dir }, @res, '-c', $url);
cmp_ok(kept($r), '>', 1_000_000, 'and both are gone on with');
same_file("$dir/f.bin", $path, 'content');
is(names($dir), 'f.bin', 'nothing is left');

# Whole, or longer, or older than the file.
$r = go_on($data);
is($r->{status}, 0, 'whole');
like($r->{stderr}, qr/is there already; there is nothing to continue/, 'so');
is(names($dir), 'f.bin', 'nothing beside it');
is(slurp("$dir/f.bin"), $data, 'as it was');
$r = go_on($data, '-q');
is("$r->{status} $r->{stderr}", '0 ', 'whole, -q');
$r = go_on($data, '--checksum', 'sha-256=' . sha256_file($path));
is($r->{status}, 0, 'whole, with its checksum');
$r = go_on('x' x $size, '--checksum', 'sha-256=' . sha256_file($path));
is($r->{status}, 32, 'that size, and another checksum');
is(slurp("$dir/f.bin"), 'x' x $size, 'stays');
$r = go_on("$data.");
is($r->{status}, 1, 'longer');
my $more = $size + 1;
like($r->{stderr}, qr/^shoal: f\.bin: .*\b$more\b.*\b$size\b/m, 'names both');
is(slurp("$dir/f.bin"), "$data.", 'as it was');
is(names($dir), 'f.bin', 'nothing beside it');

$dir = tmpdir('old');
spew("$dir/f.bin", 'the beginning of last year\'s');
utime 1500000000, 1500000000, "$dir/f.bin";
$r = shoal({ cwd => $dir }, @res, '-c', $url);
is($r->{status}, 1, 'older than the file');
like($r->{stderr}, qr/newer/, 'says so');
is(slurp("$dir/f.bin"), 'the beginning of last year\'s', 'as it was');

# An interrupted download, with what its URL was.
sub interrupted($name) {
    $cdn->set(limit_rate => '1m');
    my $q = shoal_start(@res, '-O', 'out', $cdn->url($name))->any_status;
    wait_for {
        (-e "$q->{dir}/out.part.ctl"
            && part_bytes("$q->{dir}/out.part", $size) > 500_000)
            || !$q->alive
    } 20, 'some blocks';
    $q->stop('INT');
    $cdn->set(limit_rate => '');
    return $q->{dir};
}

$dir = interrupted('f.bin?token=secret1');
unlike(slurp("$dir/out.part.ctl"), qr/secret/, 'no token in the control file');
$r = shoal({ cwd => $dir }, '-c', '-O', 'out', @res,
    $cdn->url('f.bin?token=secret2'));
is($r->{status}, 0, 'with another token');
cmp_ok(kept($r), '>', 500_000, 'what was there is kept');
same_file("$dir/out", $path, 'content');

$cdn->link_file($path, 'g.bin');
$dir = interrupted('f.bin?token=1');
$r = shoal({ cwd => $dir }, '-c', '-O', 'out', @res, $cdn->url('g.bin'));
is($r->{status}, 0, 'with another URL');
is(kept($r), 0, 'nothing is kept');
same_file("$dir/out", $path, 'content');

# A control file of another URL under a name that nobody gave: not touched.
$dir = interrupted('f.bin');
rename "$dir/out.part$_", "$dir/g.bin.part$_" for '', '.ctl';
my $control = slurp("$dir/g.bin.part.ctl");
$r = shoal({ cwd => $dir }, '-c', @res, $cdn->url('g.bin'));
is(names($dir), 'g.bin.1 g.bin.part g.bin.part.ctl', 'the next name');
ok($control eq slurp("$dir/g.bin.part.ctl"), 'it stays');
same_file("$dir/g.bin.1", $path, 'content');

# What a crash left of the next control file.
$dir = interrupted('f.bin');
spew("$dir/out.part.ctl.new", 'half');
$r = shoal({ cwd => $dir }, '-c', '-O', 'out', @res, $url);
is(names($dir), 'out', 'nothing is left');

# A long check of what is held ends at once.
my $big = 3 << 30;
$cdn->file('big.bin', 0, 1);
truncate $cdn->node(0)->path('big.bin'), $big;
utime 1700000000, 1700000000, $cdn->node(0)->path('big.bin');
$dir = tmpdir('long');
spew("$dir/big.bin", '');
truncate "$dir/big.bin", $big - 1;
$p = shoal_start({ cwd => $dir }, @res, '-c', $cdn->url('big.bin'))
    ->any_status;
wait_for { -s "$dir/big.bin.part" || !$p->alive } 10, 'it to begin';
my $start = now;
$p->stop('INT');
cmp_ok(now - $start, '<', deadline(0.3), 'stopped while it reads');
is(names($dir), 'big.bin', 'the file that was there is left');
is(-s "$dir/big.bin", $big - 1, 'as it was');
$cdn->stop;

# Without ranges.
for my $opt ({ ranges => 0 }, { ranges => 0, length => 'none' }) {
    my $bad = cdn(nodes => [ { bad => $opt } ]);
    my $plain = $bad->file('p.bin', 200_000, 4);
    $dir = tmpdir('plain' . ++$serial);
    my @c = ({ cwd => $dir }, $bad->client_args, '-c', $bad->url('p.bin'));
    spew("$dir/p.bin", 'short');
    $r = shoal(@c);
    same_file("$dir/p.bin", $plain, 'plain: a short one becomes whole');
    $r = shoal(@c);
    is($r->{status}, 0, 'plain: whole');
    is(names($dir), 'p.bin', 'nothing beside it');
    spew("$dir/p.bin", 'x' x 200_001);
    $r = shoal(@c);
    is($r->{status}, 1, 'plain: longer');
    is(slurp("$dir/p.bin"), 'x' x 200_001, 'stays');
    is(names($dir), 'p.bin', 'nothing beside it');
    $bad->stop;
}

finish();
