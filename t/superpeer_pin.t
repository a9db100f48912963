# A set that a tracker was just told of stays for a while, even where another
# one needs its room; then it goes, and the tracker hears of that first.

use v5.36;
use Shoal::Test;
use Shoal::FakeTracker qw(fake_tracker);

my $mib = 1048576;
my $cdn = cdn(nodes => 1);
my $t  = fake_tracker();
my $sp = superpeer(trackers => [ $t->conf ], cdn => $cdn,
    cache_size => '32MiB', cache_pin => '4s');

sub fetch($name, $mibs) {
    $cdn->file($name, $mibs * $mib, ord $name);
    my $id = $t->prepare($cdn->url($name), $mibs * $mib, 'mtime:1700000000');
    my $line = $t->wait_line(qr/^[+?]$id /, 20);
    return ($id, $line =~ /^\+/ ? 'ready' : $line =~ s/.* //r);
}

my ($first, $what) = fetch('a.bin', 14);
my $told = now;
is($what, 'ready', 'the first');
is((fetch('b.bin', 12))[1], 'busy', 'the second finds no room');
ok(now() - $told < 4, 'as the first is pinned');
ok($sp->holds('a.bin'), 'which is still there');
is(http(GET => $sp->base . "/blocks/$first",
    headers => { Range => 'bytes=0-0' })->{status}, 206, 'and served');
$t->clear;
my $n = 0;
my $last = wait_for {
    my (undef, $got) = fetch('c' . ++$n . '.bin', 12);
    $got eq 'ready' ? $n : 0;
} 20, 'room for another one';
cmp_ok(now() - $told, '>=', 3.5, 'when it is not pinned any more');
my @lines = grep { /^(?:-$first|\+)/ } $t->lines;
is($lines[0], "-$first", 'the tracker hears of it first');
is($sp->set('a.bin'), undef, 'it is gone');

finish();
