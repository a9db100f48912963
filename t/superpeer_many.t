# 100,000 files: all of them are announced to a tracker that has restarted,
# while readers go on without a gap, and in little memory.

use v5.36;
use Shoal::Test;
use Shoal::Process ();
use Shoal::SuperPeer ();
use Time::HiRes qw(time);

my $n   = 100_000;
my $big = 64 * 1048576;
my $cdn = cdn(nodes => 1);
$cdn->file('big.bin', $big);
my $t = tracker(origin => [ $cdn->host, 'cdn.example.com' ], zone => '64m', delay => '20s',
    control => 'client_max_body_size 2m;');
my $sp = Shoal::SuperPeer->new(cdn => $cdn, trackers => [ $t ], cache_size => '20GiB',
    settings => { limits => { upload_rate => '32MiB' } });
my ($st, $out, $err) = run_cmd({ deadline => deadline(60) }, build_dir() . '/unit/fill_cache',
    $sp->cache, 20 << 30, $n, 100);
is($st, 0, 'a cache is filled') or diag($err);

my $begun = time;
$sp->start;
note(sprintf 'ready after %.2f s', time - $begun);
sub announced($count, $times) {
    wait_for { my @all = $sp->stderr =~ /: announced $count sets: no error$/mg; @all >= $times }
        60, "an announcement of $count sets";
}
announced($n, 1);
note(sprintf 'announced after %.2f s', time - $begun);
my $r = $t->ask(url => $cdn->url('big.bin'), size => $big);
is($r->json->{super}[0]{state}, 'ready', 'one more comes');
my $id = $r->json->{id};

sub ready_at_tracker() { return $t->status->{super}[0]{sets}{ready} }
is(ready_at_tracker(), $n + 1, 'the tracker has all of them');

# A reader that notes the longest time without a byte.
my $gap  = tmpdir('reader') . '/gap';
my $done = tmpdir('reader') . '/done';
my $reader = Shoal::Process->start_perl('reader', sub {
    my ($longest, $bytes) = (0, 0);
    until (-e $done) {
        my $s = IO::Socket::IP->new(PeerHost => $sp->addr, PeerPort => $sp->port)
            or die "connect: $@\n";
        syswrite $s, "GET /blocks/$id HTTP/1.0\r\n\r\n";
        my $last = time;
        while (my $got = sysread $s, my $buf, 65536) {
            my $now = time;
            $longest = $now - $last if $now - $last > $longest;
            $last = $now;
            $bytes += $got;
            last if -e $done;
        }
    }
    spew($gap, "$longest $bytes");
});
sub memory($field) { return (slurp('/proc/' . $sp->pid . '/status') =~ /^$field:\s+(\d+)/m)[0] << 10 }
my $before = memory('RssAnon');
my $peak   = $before;

$begun = time;
$t->restart;
wait_for {
    my $now = memory('RssAnon');
    $peak = $now if $now > $peak;
    $sp->stderr =~ /: announced @{[ $n + 1 ]} sets: no error$/m;
} 60, 'the announcement after the restart';
note(sprintf 'after a restart announced within %.2f s', time - $begun);
spew($done, '');
is($reader->wait(10), 0, 'the reader ends');
my ($longest, $bytes) = split ' ', slurp($gap);
note(sprintf 'longest gap %.0f ms in %.0f MiB', 1e3 * $longest, $bytes / 1048576);
cmp_ok($bytes, '>', 1048576, 'blocks were read meanwhile');
cmp_ok($longest, '<', deadline(0.75), 'without a gap');
note(sprintf "memory: %.1f MiB, %.1f MiB more", $before / 1048576, ($peak - $before) / 1048576);
cmp_ok($peak - $before, '<', 24 << 20, 'in little memory') if !sanitized();

is(ready_at_tracker(), $n + 1, 'the tracker has all of them again');
for my $i (0, 12_345, $n - 1) {
    my $list = $t->ask(url => "http://cdn.example.com/tiny/$i", size => 100)->json;
    is($list->{super}[0]{state}, 'ready', "file $i is listed");
    like(http(GET => $sp->base . "/blocks/$list->{id}")->{body}, qr/^$i\0/, 'and served');
}

# The pages of state take no time either.
$begun = time;
is($sp->status->{cache}{sets}, $n + 1, 'state');
cmp_ok(time - $begun, '<', deadline(1), 'soon');
is($sp->stop, 0, 'the end');

finish();
