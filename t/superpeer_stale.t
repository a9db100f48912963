# Nodes that hold another version are asked and not used, wherever in the
# list they stand.

use v5.36;
use Shoal::Test;
use Shoal::FakeTracker qw(fake_tracker);

my $cdn = cdn(nodes => 3);
my $t  = fake_tracker();
my $sp = superpeer(trackers => [ $t->conf ], cdn => $cdn,
    settings => { limits => { nodes_per_file => 3 } });

sub fetch($name, $size, $version = '') {
    my $id = $t->prepare($cdn->url($name), $size, $version);
    return ($id, $t->wait_line(qr/^[+?]$id /, 15));
}

for my $stale (0 .. 2) {
    my $name = "stale$stale.bin";
    my $path = $cdn->file($name, 3_000_000, 1);
    $cdn->node($stale)->file($name, 2_900_000, 2);
    my ($id, $line) = fetch($name, 3_000_000);
    like($line, qr/^\+/, "stale node $stale of 3: ready");
    my $good = $stale == 0 ? 1 : 0;
    ok(http(GET => $sp->base . "/blocks/$id")->{body}
       eq slurp($cdn->node($good)->path($name)), 'right bytes');
    my @got = $cdn->node($stale)->requests(uri => "/$name", method => 'GET');
    cmp_ok(scalar @got, '<=', 1, 'the stale node was asked once at most');
    is(scalar(grep { $_->{bytes} > 1 << 20 } @got), 0,
       'and not for more than the first GET, beside the HEAD');
}
cmp_ok(scalar $cdn->node(0)->requests(uri => '/stale0.bin'), '>=', 1,
       'which was asked');

# The same size, another validator.
for my $how (qw(etag mtime)) {
    my $name = "$how.bin";
    my $path = $cdn->file($name, 1_000_000, 3, mtime => 1650000000);
    $cdn->node(0)->file($name, 1_000_000, 4, mtime => 1640000000);
    my $version = $how eq 'mtime' ? 'mtime:1650000000'
        : sprintf 'etag:"%x-%x"', 1650000000, 1_000_000;
    my ($id, $line) = fetch($name, 1_000_000, $version);
    like($line, qr/^\+/, "another $how: ready");
    ok(http(GET => $sp->base . "/blocks/$id")->{body}
       eq slurp($cdn->node(1)->path($name)), 'right bytes');
}

# All stale.
$cdn->file('old.bin', 100_000, 5);
my ($id, $line) = fetch('old.bin', 100_001);
is($line, "?$id noagree", 'all nodes stale: noagree');
my ($refusal) = grep { $_->{id} eq $id } @{ $sp->status->{refusals} };
is($refusal->{reason}, 'noagree', 'status: reason');
like($refusal->{why}, qr/ other size: 100000; nodes: .*100000 bytes/, 'status: why');
is(scalar(grep { $_->{id} eq $id } @{ $sp->status->{sets} }), 0,
   'no set is left');

# Not there at all; larger than the cache.
($id, $line) = fetch('nothing.bin', 100_000);
is($line, "?$id notfound", '404: notfound');
($id, $line) = fetch('huge.bin', 1 << 40);
is($line, "?$id toolarge", 'too large for the cache');

# One node is gone: the others do.
$cdn->file('rest.bin', 2_000_000, 6);
$cdn->node(0)->stop;
($id, $line) = fetch('rest.bin', 2_000_000);
like($line, qr/^\+/, 'one node dead: ready');

# All are gone.
$_->stop for ($cdn->nodes)[1, 2];
$id = $t->prepare($cdn->url('gone.bin'), 100_000);
is($t->wait_line(qr/^[+?]$id /, 20), "?$id failed", 'all dead: failed');

finish();
