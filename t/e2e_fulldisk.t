# A full disk: exit code 3. Where there is no room from the beginning, nothing is
# fetched; where it fills up in mid-download, what was fetched stays, with the
# control file, and -c goes on from there.

use v5.36;
use Shoal::Test;

skip_test('a small file system needs root') if $> != 0;
my ($st) = run_cmd(qw(unshare -m true));
skip_test('no mount namespaces here') if $st ne '0';

my $size = 12 * 1048576;
my $cdn = cdn(nodes => 2);
my $path = $cdn->file('full.bin', $size, 1);
my $sha = sha256_file($path);
my $dir = tmpdir('small');

my $script = <<'EOS';
dir=$1 shoal=$2 resolve=$3 url=$4
mount -t tmpfs -o size=6m tmpfs "$dir" || exit 99
cd "$dir" && echo precious > mine
"$shoal" --resolve "$resolve" "$url" 2>"$dir/../full.err"
echo "status $?"
echo "mine $(cat mine)"
ls
mount -o remount,size=64m "$dir" || exit 98
"$shoal" -c --resolve "$resolve" "$url" 2>"$dir/../full2.err"
echo "again $?"
sha256sum full.bin
EOS
my ($status, $out, $err) = run_cmd({ deadline => 60, env => { san_env() } },
    'unshare', '-m', 'sh', '-c', $script, 'sh', $dir, program('shoal'),
    $cdn->resolve, $cdn->url('full.bin'));
is($status, 0, 'ran') or diag($err);
like($out, qr/^status 3$/m, 'exit code 3') or diag($out);
like(slurp("$dir/../full.err"), qr/^shoal: .*(?:space|full)/mi, 'says why');
like($out, qr/^mine precious$/m, 'what was there is still there');
my ($before) = $out =~ /^(.*?)^again/ms;
unlike($before // '', qr/^full\.bin$/m, 'no file that looks whole');
like($out, qr/^again 0$/m, 'with room, -c ends it')
    or diag(slurp("$dir/../full2.err"));
like($out, qr/^$sha/m, 'content');

# Somebody else fills it up: here all but the last bytes, in mid-download.
$cdn->set(limit_rate => '2m');
$dir = tmpdir('filling');
$script = <<'EOS';
dir=$1 shoal=$2 resolve=$3 url=$4
mount -t tmpfs -o size=16m tmpfs "$dir" || exit 99
cd "$dir"
"$shoal" --resolve "$resolve" "$url" 2>"$dir/../filled.err" &
until [ "$(du -k full.bin.part 2>/dev/null | cut -f1)0" -ge 40000 ]; do
    kill -0 $! || exit 97
done
cat /dev/zero >filler 2>/dev/null
wait $!
echo "status $?"
ls
"$shoal" -c --resolve "$resolve" "$url" 2>"$dir/../still.err"
echo "still $?"
ls
rm filler
"$shoal" -c --resolve "$resolve" "$url" 2>"$dir/../room.err"
echo "again $?"
ls
sha256sum full.bin
EOS
($status, $out, $err) = run_cmd({ deadline => 60, env => { san_env() } },
    'unshare', '-m', 'sh', '-c', $script, 'sh', $dir, program('shoal'),
    $cdn->resolve, $cdn->url('full.bin'));
is($status, 0, 'ran') or diag($err);
like($out, qr/^status 3$/m, 'in mid-download: exit code 3') or diag($out);
for my $words (map { slurp("$dir/../$_.err") } qw(filled still)) {
    like($words, qr{^shoal: full\.bin\.part(?:\.ctl)?: No space left}m, 'says why');
}
my ($first, $second) = $out =~ /^(.*)^still 3$(.*)^again 0$/ms;
for my $list ($first // '', $second // '') {
    unlike($list, qr/^full\.bin$/m, 'no file that looks whole');
    like($list, qr/^full\.bin\.part$/m, 'what was fetched is there');
    like($list, qr/^full\.bin\.part\.ctl$/m, 'and what it is');
}
like($out, qr/^$sha/m, 'with room, -c ends it')
    or diag(slurp("$dir/../room.err"));
unlike($out =~ s/.*^again//msr, qr/\.part/, 'nothing else is left');
my ($kept) = slurp("$dir/../room.err") =~ /kept from before\s+file\s+(\d+)/;
cmp_ok($kept // 0, '>=', 3_500_000, 'and fetches none of that again');

finish();
