# Several URLs of one file: all are read from; what shows another version only
# where something tells right bytes from wrong, and never mixed without.

use v5.36;
use Shoal::Test;

my $size = 2 * 1048576;

# Hosts of their own; each has its own root, so validators may differ.
my @host = map { cdn(nodes => $_->{nodes} // 1, host => "m$_->{n}.example.com",
                     limit_rate => '1m', %{ $_->{o} // {} }) }
    ({ n => 0 }, { n => 1 }, { n => 2 });
my @args = map { $_->client_args } @host;

sub url($i, $name) { return $host[$i]->url($name) }

sub get($name, @more) {
    $_->clear_logs for @host;
    my @mirrors = map { ('--mirror', url($_, $name)) } 1 .. $#host;
    my $r = shoal({ deadline => 40 }, @args, @mirrors, @more, url(0, $name));
    $r->{file} = "$r->{dir}/$name";
    return $r;
}

sub used() { return join ' ', map { $_->bytes > 0 ? 1 : 0 } @host }

# Beside the others: the mirror that has the checksum's version does not
# answer in time; when it turns out that nobody else has it, it is back.
my ($late, $frozen) = map { cdn(nodes => 1, host => "late$_.example.com",
                                limit_rate => '300k') } 0, 1;
$late->file('late.bin', $size, 3, mtime => 1700000000);
my $late_path = $frozen->file('late.bin', $size, 4, mtime => 1600000000);
my @worker = $frozen->node(0)->worker_pids;
kill STOP => @worker;
my $thaw = now + 4;
my $late_run = shoal_start($late->client_args, $frozen->client_args,
    '--mirror', $frozen->url('late.bin'),
    '--checksum', 'sha-256=' . sha256_file($late_path),
    $late->url('late.bin'));

# The same validators: all three give.
my $path = $host[0]->file('same.bin', $size, 1);
$host[$_]->file('same.bin', $size, 1) for 1, 2;
my $r = get('same.bin');
download_ok($r, $path, 'three alike');
like(used(), qr{1.*1}, "several were read from");
like($r->{stderr}, qr/m1\.example\.com:\d+ 127\S+ +CDN node/,
    'the report names the mirror');

wait_for { now > $thaw } 10, 'time to give up the frozen one';
kill CONT => @worker;

# Other validators, the same bytes: only with something to check them by.
$path = $host[0]->file('other.bin', $size, 2, mtime => 1700000000);
$host[1]->file('other.bin', $size, 2, mtime => 1600000000);
$host[2]->file('other.bin', $size, 2, mtime => 1500000000);
$r = get('other.bin');
download_ok($r, $path, 'other validators');
is(used(), '1 0 0', 'not read from without a checksum');
like($r->{stderr}, qr/nothing to check it by/, 'and the report says why');
$r = get('other.bin', '--checksum', 'sha-256=' . sha256_file($path));
download_ok($r, $path, 'with a checksum');
like(used(), qr{1.*1}, "several were read from");
shoal('--make-layer', $path);
$r = get('other.bin', "--layer=$path.shoal");
download_ok($r, $path, 'with a piece layer');
like(used(), qr{1.*1}, "several were read from");

# Other bytes of the same size, other validators: never in the file.
$path = $host[0]->file('wrong.bin', $size, 3, mtime => 1700000000);
$host[1]->file('wrong.bin', $size, 4, mtime => 1600000000);
$host[2]->file('wrong.bin', $size, 3, mtime => 1500000000);
$r = get('wrong.bin');
download_ok($r, $path, 'a wrong mirror, nothing to check it by');
$r = get('wrong.bin', '--checksum', 'sha-256=' . sha256_file($path));
download_ok($r, $path, 'a wrong mirror and a checksum');
shoal('--make-layer', $path);
$r = get('wrong.bin', "--layer=$path.shoal");
download_ok($r, $path, 'a wrong mirror and a piece layer');
like($r->{stderr}, qr/wrong blocks/, 'it is found out');

# The checksum is that of the mirrors alone.
my $right = $host[1]->node(0)->path('wrong.bin');
$r = get('wrong.bin', '--checksum', 'sha-256=' . sha256_file($right));
download_ok($r, $right, 'the version that has the checksum, at a mirror');

$r = shoal_end($late_run, 60);
download_ok({ %$r, file => "$r->{dir}/late.bin" }, $late_path,
    'the same, at a mirror that was away');

# Another size, and one that is not there.
$path = $host[0]->file('size.bin', $size, 5);
$host[1]->file('size.bin', $size + 1, 5);
$r = get('size.bin');
download_ok($r, $path, 'another size, 404');
like($r->{stderr}, qr/other size: @{[ $size + 1 ]}/, 'said of one');
like($r->{stderr}, qr/HTTP 404/, 'and of the other');

# The URL itself is gone, or is nobody's.
$host[$_]->file('gone.bin', $size, 6) for 1, 2;
$path = $host[1]->node(0)->path('gone.bin');
$r = get('gone.bin');
download_ok($r, $path, 'only mirrors have it');
$r = shoal('--resolve', 'nobody.invalid:80:127.0.0.99', @args, '--mirror',
    url(1, 'gone.bin'), 'http://nobody.invalid/gone.bin');
download_ok({ %$r, file => "$r->{dir}/gone.bin" }, $path, 'no such host');
$r = get('nowhere.bin');
is($r->{status}, 8, 'nobody has it');

# It dies in mid-download, and no mirror is of its version: all anew, from
# one of them.
$path = $host[0]->file('dies.bin', $size, 7, mtime => 1700000000);
$host[1]->file('dies.bin', $size, 8, mtime => 1600000000);
$host[2]->file('dies.bin', $size, 8, mtime => 1600000000);
my $p = shoal_start(@args, '--mirror', url(1, 'dies.bin'), '--mirror',
    url(2, 'dies.bin'), url(0, 'dies.bin'));
wait_for { -e "$p->{dir}/dies.bin.part" } 10, 'a beginning';
$host[0]->node(0)->kill9;
$r = shoal_end($p, 60);
download_ok({ %$r, file => "$r->{dir}/dies.bin" }, $host[1]->node(0)->path('dies.bin'),
    'dies in mid-download');

# One that fails at first is asked again while others carry the download.
my $ill = cdn(nodes => [ { bad => { status => 500, times => 1 } } ],
    host => 'm4.example.com');
$path = $host[1]->file('ill.bin', 5 * 1048576, 9);
$ill->file('ill.bin', 5 * 1048576, 9);
$host[1]->set(limit_rate => '200k');
$r = shoal('--explain', @args, $ill->client_args, '--mirror',
    $ill->url('ill.bin'), url(1, 'ill.bin'));
download_ok({ %$r, file => "$r->{dir}/ill.bin" }, $path, 'ill at first');
like($r->{stderr}, qr/asked whether it is back/, 'asked again');
cmp_ok($ill->bytes, '>', 100_000, 'and used');

finish();
