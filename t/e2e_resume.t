# kill -9 in mid-download, then -c: what was there is not fetched again.

use v5.36;
use Shoal::Test;

my $size = 10 * 1048576;
my $cdn = cdn(nodes => 2);
my $path = $cdn->file('res.bin', $size, 1);
my $dir;

# Killed after a control file that knows of at least $bytes.
sub killed_at($bytes) {
    $cdn->set(limit_rate => '1m');
    my $p = shoal_start($cdn->client_args, $cdn->url('res.bin'));
    wait_for {
        (-e "$p->{dir}/res.bin.part.ctl"
            && part_bytes("$p->{dir}/res.bin.part", $size) >= $bytes)
            || !$p->alive;
    } 20, 'some bytes';
    ok($p->alive, 'in mid-download');
    $p->kill9;
    ok(!-e "$p->{dir}/res.bin", 'no file that looks whole');
    $cdn->set(limit_rate => '50m');
    $cdn->clear_logs;
    return $p->{dir};
}

$dir = killed_at(2_000_000);
my $r = shoal({ cwd => $dir }, '-c', $cdn->client_args, $cdn->url('res.bin'));
download_ok($r, $path, 'resumed');
my ($kept) = $r->{stderr} =~ /kept from before\s+file\s+(\d+)/;
cmp_ok($kept // 0, '>=', 1_000_000, 'what was there is kept');
my $given = 0;
$given += $_ for $r->{stderr} =~ /^  127\S+ +CDN node +(\d+)/mg;
is($given + ($kept // 0), $size, 'and only the rest is taken');

# Without -c, or with a control file that is damaged: from the start.
$dir = killed_at(1_000_000);
my $control = "$dir/res.bin.part.ctl";
my $text = slurp($control);
substr($text, index($text, "\n\n") + 20, 4) ^.= "\xff\x00\xff\x00";
spew($control, $text);
$r = shoal({ cwd => $dir }, '-c', $cdn->client_args, $cdn->url('res.bin'));
download_ok($r, $path, 'damaged control file');

$r = shoal({ cwd => $dir }, $cdn->client_args, $cdn->url('res.bin'));
is($r->{status}, 0, 'without -c');
ok((grep { sha256_file($_) eq sha256_file($path) } glob "$dir/*.1"),
    'beside the one that is there');
unlink glob "$dir/*.1";

# The file has changed in between: nothing of the old one is used.
$dir = killed_at(1_000_000);
my $new = $cdn->file('res.bin', $size, 2, mtime => 1700000077);
$r = shoal({ cwd => $dir }, '-c', $cdn->client_args, $cdn->url('res.bin'));
download_ok($r, $new, 'changed in between');

# It is there already.
$cdn->clear_logs;
$r = shoal({ cwd => $dir }, '-c', $cdn->client_args, $cdn->url('res.bin'));
is($r->{status}, 0, '-c of a whole file');
cmp_ok($cdn->bytes, '<', $size / 2, 'fetches little or nothing');
same_file("$dir/res.bin", $new, 'and leaves it as it is');

finish();
