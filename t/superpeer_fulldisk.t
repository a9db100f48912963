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

# What is held now is right, in the file as well.
sub held_is_right($when) {
    my @complete = grep { $_->{state} eq 'complete' } @{ $sp->status->{sets} };
    my @wrong = grep {
        my ($name) = $_->{url} =~ m{/([^/]+)$};
        my $r = http(GET => $sp->base . "/blocks/$_->{id}");
        $r->{status} != 200 || $r->{body} ne slurp($cdn->node(0)->path($name))
    } @complete;
    is_deeply(\@wrong, [], "$when: what is held is served");
    # Its socket is in a folder that only the super peer sees.
    my ($st, $out, $err) = run_cmd({ env => { san_env() }, name => 'verify' },
        'nsenter', '-t', $sp->pid, '-m', program('superpeer'), 'cache',
        'verify', '-c', $sp->conf);
    is("$st$err", '0', "$when: verify");
    like($out, qr/: 0 wrong, 0 of no set$/, "$when: and what the file has");
    return scalar @complete;
}
held_is_right('turned over');

# Others have filled the disk.
sub junk() {
    run_cmd('nsenter', '-t', $sp->pid, '-m', 'sh', '-c',
        'dd if=/dev/zero of="$1/junk" bs=1M count=60', 'sh', $sp->cache);
}
sub no_junk() {
    run_cmd('nsenter', '-t', $sp->pid, '-m', 'rm', $sp->cache . '/junk');
}
junk();
my $got = fetch('late.bin', 20 * $mib);
like($got, qr/^(?:ready|\?busy|\?toolarge)$/, 'a full disk: refused or held');
held_is_right('full');
my $ready = $got eq 'ready';
for my $i (1 .. 4) {
    $got = fetch('f' x $i, 5 * $mib);
    like($got, qr/^(?:ready|\?busy)$/, "full: another one: $got");
    $ready += $got eq 'ready';
}
cmp_ok($ready, '>=', 1, 'what the file has room for can be had');
held_is_right('still full');
no_junk();
is(fetch('again.bin', 20 * $mib), 'ready', 'with room: ready');
held_is_right('with room');

# It fills up in mid-prefetch, and is empty again.
$cdn->set(limit_rate => '4m');
my $path = $cdn->file('mid.bin', 18 * $mib, 77);
my $id = $t->prepare($cdn->url('mid.bin'), 18 * $mib, 'mtime:1700000000');
$t->wait_line(qr/^~$id [1-9]/, 20);
junk();
$cdn->set(limit_rate => '100m');
my $line = $t->wait_line(qr/^[+?]$id /, 30);
like($line, qr/^(?:\+|\?\S+ busy)/, "mid-prefetch: $line");
held_is_right('in mid-prefetch');
no_junk();
is(fetch('last.bin', 20 * $mib), 'ready', 'and goes on');
cmp_ok(held_is_right('at last'), '>=', 1, 'sets are held');
ok($sp->alive, 'still there');
is($sp->stop, 0, 'and ends well');

# Others fill the disk while a file comes in that had room at its beginning.
$cdn->file('slow.bin', 16 * $mib, 5);
$cdn->set(limit_rate => '2m');
my $t2 = fake_tracker();
my $second = Shoal::SuperPeer->new(cdn => $cdn, trackers => [ $t2->conf ],
    cache_size => '1GiB');
$second->write_conf;
$second->{process} = start_cmd({ env => { san_env() }, name => 'second' },
    'unshare', '-m', 'sh', '-c',
    'mount -t tmpfs -o size=40m tmpfs "$1" && exec "$2" -c "$3"', 'sh',
    $second->cache, program('superpeer'), $second->conf);
wait_for { port_open($second->addr, $second->port) } 10, 'the super peer';
my $slow = $t2->prepare($cdn->url('slow.bin'), 16 * $mib, 'mtime:1700000000');
$t2->wait_line(qr/^~$slow [1-9]/, 30);
is(http(GET => $second->status_url('/healthz'))->{status}, 200, 'it is well');
run_cmd('nsenter', '-t', $second->pid, '-m', 'sh', '-c',
    'dd if=/dev/zero of="$1/junk" bs=1M count=60', 'sh', $second->cache);
my $r = wait_for {
    my $r = http(GET => $second->status_url('/healthz'));
    $r->{status} == 503 ? $r : undef;
} 20, 'it to say so';
is($r->{body}, "the cache cannot be written\n", 'and why it is not');
like($t2->wait_line(qr/^\?$slow /, 30), qr/ (?:busy|failed)$/, 'the file is refused');
is($second->stop, 0, 'it ends well');

finish();
