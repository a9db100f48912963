# A power cut may leave blocks in the cache that are not what was written:
# they are found before they are served, and fetched again.

use v5.36;
use Shoal::Test;
use Shoal::FakeTracker qw(fake_tracker);

my $size = 4 * 1048576;
my $cdn = cdn(nodes => 1);
my $path = $cdn->file('a.bin', $size);
my $t  = fake_tracker();
my $sp = superpeer(trackers => [ $t->conf ], cdn => $cdn);
my $id = $t->prepare($cdn->url('a.bin'), $size, 'mtime:1700000000');
$t->wait_line(qr/^\+$id /);
$sp->stop;

my $data = slurp($path);
my $file = $sp->cache . '/data.mdb';
my $at = index slurp($file), substr $data, 20 * 65536, 64;
cmp_ok($at, '>', 0, 'block 20 is in the file');
open my $f, '+<:raw', $file or die "$file: $!\n";
seek $f, $at + 1000, 0;
print $f 'damage';
close $f;

$cdn->clear_logs;
$t->clear;
$sp->start;
$t->wait_line(qr/^\+$id /);
my $r = http(GET => $sp->base . "/blocks/$id",
    headers => { Range => 'bytes=' . 19 * 65536 . '-' . (21 * 65536 - 1) });
my $got = eval { $r->{body} } // '';
is($got, substr($data, 19 * 65536, length $got), 'no wrong byte is served');
cmp_ok(length $got, '<=', 65536, 'nothing of the damaged block');
like($sp->stderr, qr/ $id cache: block 20 is damaged/, 'the log says so');
$t->wait_line(qr/^~$id 63$/);
wait_for { $sp->holds('a.bin') } 10, 'the block to be fetched again';
ok(http(GET => $sp->base . "/blocks/$id")->{body} eq $data, 'all is right');
my @got = grep { $_->{method} eq 'GET' && $_->{bytes} > 1 }
    $cdn->node(0)->requests;
is("@{[ map { $_->{bytes} } @got ]}", '65536', 'one block was fetched');

finish();
