# Peer to peer: two clients without a published piece layer take nothing from
# each other; with one they trade, and who comes later takes blocks from who
# has them.

use v5.36;
use Shoal::Test;

my $size = 8 * 1048576;
# One node, read in one stream: limit_rate lets each request have its first
# second's worth at once.
my $s = stage(nodes => 1, superpeers => 0);
my $path = $s->cdn->file('p.bin', $size, 1);

# One that holds most of the file, and was interrupted.
$s->cdn->set(limit_rate => '600k');
my $first = $s->get_start('p.bin');
my $part = "$first->{dir}/p.bin.part";
wait_for { part_bytes($part, $size) > 0.4 * $size || !$first->alive } 20,
    'most of the file';
is($first->stop('INT') ? 1 : 0, 1, 'interrupted');
$first->any_status;
$s->cdn->set(limit_rate => '40k');
$s->cdn->clear_logs;

sub listed($which) {
    return grep { $_->{addr} =~ $which } @{ $s->ask('p.bin')->{peers} };
}

is(scalar listed(qr/./), 0, 'it took itself off the list');

sub peers(@args) {
    my @p;
    for my $i (0 .. 2) {
        my $addr = "127.0.0.4$i";
        push @p, $s->get_start($i ? {} : { cwd => $first->{dir} }, 'p.bin',
            $i ? () : '-c', '--bind-address', $addr, @args,
            '--listen-port', free_port($addr));
        # The others come when the first is on the tracker's list.
        wait_for {
            listed(qr/^127\.0\.0\.40:/) || !$p[0]->alive
        } 10, 'the first on the list' if !$i;
    }
    return @p;
}

sub from($p, $kind) {
    return $p->stderr =~ /^  all +$kind +(\d+)/m ? $1 : -1;
}

my $r = shoal('--make-layer', $path);
is($r->{status}, 0, 'layer made');
my @p = peers('--layer=auto');
for my $i (0 .. 2) {
    is($p[$i]->wait(60), 0, "client $i");
    same_file("$p[$i]{dir}/p.bin", $path, 'its content');
    note($p[$i]->stderr);
}
my @peer = map { from($_, 'peer') } @p;
cmp_ok($peer[$_], '>', $size / 5, "client $_ took from peers") for 1, 2;
my ($kept) = $p[0]->stderr =~ /kept from before +file +(\d+)/;
cmp_ok($s->cdn->bytes(uri => '/p.bin'), '<',
    3 * $size - $kept - $size / 4, 'the CDN gave less than was missing');
like($p[1]->stderr, qr/127\.0\.0\.40:\d+ +peer/, 'the first is in the table');
like($p[0]->stderr, qr/uploaded [1-9]/, 'and tells what it gave');

# Nothing to check with: nothing is taken from peers.
my $bare = $s->cdn->file('bare.bin', 1_500_000, 2);
@p = map { $s->get_start('bare.bin', '--bind-address', "127.0.0.5$_",
    '--listen-port', free_port("127.0.0.5$_")) } 0, 1;
for my $p (@p) {
    is($p->wait(60), 0, 'no layer');
    same_file("$p->{dir}/bare.bin", $bare, 'content');
    is(from($p, 'peer'), 0, 'nothing from peers');
}

# The whole file's hash will do, and --no-upload is heard.
my @sum = ('--checksum', 'sha-256=' . sha256_file($bare));
@p = map { $s->get_start('bare.bin', '--bind-address', "127.0.0.6$_", @sum,
    $_ == 2 ? '--no-upload' : ('--listen-port', free_port("127.0.0.6$_"))) }
    0 .. 2;
for my $p (@p) {
    is($p->wait(60), 0, 'checksum');
    same_file("$p->{dir}/bare.bin", $bare, 'content');
}
unlike($p[2]->stderr, qr/sharing|peer +[1-9].*127\.0\.0\.62/, '--no-upload');
like($p[1]->stderr, qr/^sharing: .*--no-upload/m, 'sharing is announced');

finish();
