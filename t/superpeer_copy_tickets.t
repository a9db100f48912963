# Super peers that copy from others show the ticket that the tracker gave with
# their URL; with keys of their own they make the next one themselves.

use v5.36;
use Shoal::FakeTracker qw(fake_tracker);
use Shoal::Test;
use Shoal::Ticket qw(ticket);

my $size = 12 * 1048576;
my $key = '5c' x 32;
my $keys = spew(tmpdir('keys') . '/keys', "$key\n");
my %keyed = (tickets => { key_file => [$keys], clock_skew => '0s' });
my $cdn = cdn(nodes => 1);
my $path = $cdn->file('a.bin', $size, 9);
my $version = sprintf 'etag:"%x-%x"', (stat $path)[9, 7];
my $root = do {
    my $r = shoal('-O', tmpdir('layer') . '/l.shoal', '--make-layer', $path);
    die $r->{stderr} if $r->{status};
    slurp(tmpdir('layer') . '/l.shoal') =~ /^root (\S+)$/m ? $1 : die "no root\n";
};

my $t = fake_tracker();
my $holder = superpeer(trackers => [ $t->conf ], cdn => $cdn,
    settings => { %keyed, limits => { upload_rate => '2MiB' } });
my $id = $t->prepare($cdn->url('a.bin'), $size, $version);
$t->wait_line(qr/^\+$id/, 20);
$cdn->set(limit_rate => '300k');

sub denied() { return $holder->status->{serve}{denied} }

# A new super peer prepares it with the holder at this URL: bytes by source,
# and how often it was refused.
sub copy($name, $query, %settings) {
    my $before = denied();
    my $tracker = fake_tracker(addr => '127.0.0.4');
    my $sp = superpeer(trackers => [ $tracker->conf ], cdn => $cdn, settings => \%settings);
    $tracker->prepare($cdn->url('a.bin'), $size, $version,
        super => [ $holder->base . ($query eq '' ? '' : "?$query") ],
        digest => { root => $root, votes => 1 });
    my $line = $tracker->wait_line(qr/^[+?]$id /, 40);
    like($line, qr/^\+$id $root/, "$name: ready");
    my %got = %{ $sp->status->{prefetch}{got} };
    my $shown = $sp->stderr . http(GET => $sp->status_url('/status'))->{body};
    unlike($shown, qr/[?&]t=/, "$name: its ticket is not shown");
    $sp->stop;
    $tracker->stop;
    return (\%got, denied() - $before);
}

my ($got, $denied) = copy('good', 't=' . ticket($key, $id, time + 600));
cmp_ok($got->{super}, '>', $size / 2, 'good: most of it from the holder');
is($denied, 0, 'which refused nothing');

($got, $denied) = copy('ends', 't=' . ticket($key, $id, time + 1), %keyed);
cmp_ok($got->{super}, '>', $size / 2, 'one that ends in mid-copy, and keys: most of it from the holder');
cmp_ok($denied, '>=', 1, 'which refused it once it had ended');
cmp_ok($denied, '<=', 6, 'once, and what was under way');

$cdn->set(limit_rate => '4m');
($got, $denied) = copy('lost', 't=' . ticket($key, $id, time + 1));
cmp_ok($got->{cdn}, '>', 0, 'one that ends in mid-copy, and no keys: the CDN goes on');
cmp_ok($denied, '<=', 6, 'and the holder is left alone');

($got, $denied) = copy('none', '');
is($got->{super}, 0, 'no ticket: nothing from the holder');
cmp_ok($denied, '>=', 1, 'which refused it');

($got, $denied) = copy('keys', '', %keyed);
is($got->{super}, 0, 'no ticket, and keys: it makes none for anybody');

($got, $denied) = copy('other', 't=' . ticket('77' x 32, $id, time - 1), %keyed);
is($got->{super}, 0, 'nor where it did not get one of its keys');

finish();
