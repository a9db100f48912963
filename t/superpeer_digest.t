# What an origin publishes of a file, a digest in its answers or a piece layer
# that a Link header names, binds a super peer too: bytes that do not fit are
# never told to be held, and a node that holds others is not to its harm.

use v5.36;
use Digest::SHA qw(sha256_base64);
use Shoal::FakeTracker qw(fake_tracker);
use Shoal::Test;

my $size = 3_000_000;
my $dir = tmpdir('content');
my $right = make_file("$dir/right", $size, 1, 1700000000);
my $wrong = make_file("$dir/wrong", $size, 2, 1700000000);
is(shoal('--make-layer', $right)->{status}, 0, 'layer made');
my $digest = 'sha-256=:' . sha256_base64(slurp($right)) . '=:';
my $version = sprintf 'etag:"%x-%x"', 1700000000, $size;
my $last = 30;

# What the super peer says, and the content that it has: right, or none.
sub play($what, $want, $headers, @contents) {
    my $cdn = cdn(nodes => scalar @contents, limit_rate => '2m',
        server => "location /f.bin { add_header $headers; }");
    for my $i (0 .. $#contents) {
        my $node = $cdn->node($i);
        $node->link_file($contents[$i], 'f.bin');
        $node->link_file("$right.shoal", 'layer');
    }
    my $t = fake_tracker();
    my $sp = superpeer(trackers => [ $t->conf ], cdn => $cdn,
        addr => '127.0.0.' . ++$last, cache_size => '64MiB');
    my $id = $t->prepare($cdn->url('f.bin'), $size, $version);
    my $line = $t->wait_line(qr/^[+?]$id /, 40);
    like($line, $want, $what) or diag($sp->stderr);
    ok(http(GET => $sp->base . "/blocks/$id")->{body} eq slurp($right),
        "$what: the right bytes") if $line =~ /^\+/;
    like($sp->stderr, qr/refused: \w+: .*; nodes: .*ETag/,
        "$what: its log says what nodes hold")
        if $line =~ /^\?/ && @contents > 1;
    $sp->stop;
    $_->stop for $cdn, $t;
    return $cdn;
}

my $repr = "Repr-Digest '$digest'";
play('a digest that fits', qr/^\+/, $repr, $right);
play('a digest that does not', qr/^\?\S+ failed$/, $repr, $wrong);
play('nor at any of two', qr/^\?\S+ (?:failed|noagree)$/, $repr, ($wrong) x 2);
play('a digest, and the first two of four hold other bytes', qr/^\+/, $repr,
    $wrong, $wrong, $right, $right);

my $link = q(Link '</layer>; rel="piece-layer"');
play('a layer, and the first node holds other bytes', qr/^\+/, $link, $wrong,
    $right, $right);
play('a layer, and no node holds what it says', qr/^\?\S+ failed$/, $link,
    ($wrong) x 2);
my $cdn = play('a layer that is somewhere else', qr/^\+/,
    q(Link '<http://127.0.0.11:9/layer>; rel="piece-layer"'), $right);
is(scalar $cdn->node(0)->requests(uri => '/layer'), 0,
    'which is no origin, and is not asked');

finish();
