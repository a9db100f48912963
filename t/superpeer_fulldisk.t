# A disk that is smaller than the cache may be: what fits is held, the oldest
# sets go, the rest is refused, and the super peer goes on.

use v5.36;
use Shoal::Test;
use Shoal::FakeTracker qw(fake_tracker);
use Shoal::SuperPeer ();

skip_test('a small file system needs root') if $> != 0;
my ($st) = run_cmd(qw(unshare -m true));
skip_test('no mount namespaces here') if $st ne '0';

my $mib = 1048576;
my $cdn = cdn(nodes => 1);
my $t  = fake_tracker();
my $sp = Shoal::SuperPeer->new(cdn => $cdn, trackers => [ $t->conf ],
    cache_size => '1GiB', cache_pin => '0s');
$sp->write_conf;
$sp->{process} = start_cmd({ env => { san_env() }, name => 'sp' },
    'unshare', '-m', 'sh', '-c',
    'mount -t tmpfs -o size=40m tmpfs "$1" && exec "$2" -c "$3"', 'sh',
    $sp->cache, program('superpeer'), $sp->conf);
wait_for { port_open($sp->addr, $sp->port) } 10, 'the super peer';

sub fetch($name, $size) {
    my $path = $cdn->file($name, $size, 1 + length $name);
    my $id = $t->prepare($cdn->url($name), $size, 'mtime:1700000000');
    my $line = $t->wait_line(qr/^[+?]$id /, 30);
    return $line =~ s/^(.)\S+ (\S+).*/$1$2/r if $line =~ /^\?/;
    return http(GET => $sp->base . "/blocks/$id")->{body} eq slurp($path)
        ? 'ready' : 'wrong bytes';
}

is(fetch('huge.bin', 38 * $mib), '?toolarge', 'more than the disk holds');
is(fetch('first.bin', 20 * $mib), 'ready', 'what fits is held');
for my $i (1 .. 12) {
    is(fetch("$i" x $i, 9 * $mib + $i), 'ready', "another one: $i");
}
my $cache = $sp->status->{cache};
cmp_ok($cache->{evicted}, '>=', 10, 'the oldest ones went');
cmp_ok($cache->{size}, '<=', 40 * $mib, 'status: the size that there is');

# Others have filled the disk.
run_cmd('nsenter', '-t', $sp->pid, '-m', 'sh', '-c',
    'dd if=/dev/zero of="$1/junk" bs=1M count=60', 'sh', $sp->cache);
my $got = fetch('late.bin', 20 * $mib);
like($got, qr/^(?:ready|\?busy|\?toolarge)$/, 'a full disk: refused or held');
run_cmd('nsenter', '-t', $sp->pid, '-m', 'rm', $sp->cache . '/junk');
is(fetch('again.bin', 20 * $mib), 'ready', 'with room: ready');
ok($sp->alive, 'still there');
is($sp->stop, 0, 'and ends well');

finish();
