# A power cut may leave blocks in the cache that are not what was written:
# they are found before they are served, and fetched again. A file whose trees
# are damaged is moved aside; all of it is fetched again.

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
wait_for { $sp->stderr =~ / $id cache: block 20 is damaged/ } 10,
    'the log to say so';
$t->wait_line(qr/^~$id 63 http$/);
wait_for { $sp->holds('a.bin') } 10, 'the block to be fetched again';
ok(http(GET => $sp->base . "/blocks/$id")->{body} eq $data, 'all is right');
my @got = grep { $_->{method} eq 'GET' && $_->{bytes} > 1 }
    $cdn->node(0)->requests;
is("@{[ map { $_->{bytes} } @got ]}", '65536', 'one block was fetched');

# What is in its place afterwards is as good as new.
sub begins_anew($how, $why) {
    $cdn->clear_logs;
    $t->clear;
    $sp->start;
    wait_for {
        $sp->stderr =~ / error - cache \S+: data\.mdb is damaged: $why; moved/
    } 10, "$how: the log to say so";
    my @aside = glob $sp->cache . '/data.mdb.damaged-*';
    is(scalar @aside, 1, "$how: moved aside");
    $t->wait_line(qr/^\+$id /);
    ok(http(GET => $sp->base . "/blocks/$id")->{body} eq $data,
       "$how: all is right");
    cmp_ok($cdn->bytes, '>=', $size, "$how: it was fetched again");
    unlink @aside;
}

$sp->stop;
truncate $file, file_size($file) / 2;
begins_anew('cut short', 'is cut short: .* is missing');

# Every page of the trees, in the middle of each.
$sp->stop;
my $pages = slurp($file);
open $f, '+<:raw', $file or die "$file: $!\n";
for (my $page = 2; $page * 4096 < length $pages; $page++) {
    my $flags = unpack 'x10S', substr $pages, $page * 4096, 16;
    next if $flags != 1 && $flags != 2;
    seek $f, $page * 4096 + 16, 0;
    print $f "\x77" x 64;
}
close $f;
begins_anew('wrong pages', 'page \d+: a node at 30583');

# Under its eyes: LMDB would free as many pages as stand here, but that is put
# right, and its bytes are what they were.
$at = index slurp($file), substr $data, 30 * 65536, 64;
open $f, '+<:raw', $file or die "$file: $!\n";
seek $f, $at - 4, 0;
print $f pack 'L', 5000;
close $f;
$r = http(GET => $sp->base . "/blocks/$id",
    headers => { Range => 'bytes=' . 30 * 65536 . '-' . 31 * 65536 });
ok(eval { $r->{body} } // '' eq substr($data, 30 * 65536, 65537),
    'a wrong header changes no bytes');

# All pages of the trees are none any more.
$pages = slurp($file);
open $f, '+<:raw', $file or die "$file: $!\n";
for (my $page = 2; $page * 4096 < length $pages; $page++) {
    my $flags = unpack 'x10S', substr $pages, $page * 4096, 16;
    next if $flags != 1 && $flags != 2;
    seek $f, $page * 4096 + 10, 0;
    print $f pack 'S', 4;
}
close $f;
$r = http(GET => $sp->base . "/blocks/$id",
    headers => { Range => 'bytes=' . 30 * 65536 . '-' . 31 * 65536 });
ok(!length(eval { $r->{body} } // ''), 'nothing is served');
is($sp->process->wait(10), 3, 'it ends, with status 3');
$sp->process->any_status;
like($sp->stderr, qr/ends: the cache's file is damaged/, 'and says why');
begins_anew('found at work', 'MDB_(?:CORRUPTED|BAD_TXN): .*');

finish();
