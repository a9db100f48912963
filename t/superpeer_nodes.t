# CDN nodes that hang, stand still, break off, have too much to do or change
# their mind: the next one takes over, soon, and nothing wrong is kept.

use v5.36;
use Shoal::Test;
use Shoal::FakeTracker qw(fake_tracker);

my $size  = 6_000_000;
my $etag  = sprintf 'etag:"%x-%x"', 1700000000, $size;
my $t     = fake_tracker();
my $count = 0;

# One super peer and its nodes a case; how long it took, and its status.
sub case($name, $nodes, %o) {
    my $cdn = cdn(nodes => $nodes);
    my $path = $cdn->file('a.bin', $size, ++$count);
    $t->forget_commands->clear;
    my $sp = superpeer(trackers => [ $t->conf ], cdn => $cdn, settings =>
        { limits => { nodes_per_file => $o{per_file} // 1 } });
    my $begun = now;
    my $id = $t->prepare($cdn->url('a.bin'), $size, $o{version} // $etag);
    $t->wait_line(qr/^(?:~$id [1-9]|[+?]$id )/, 40);
    my $first = now - $begun;
    my $line = $t->wait_line(qr/^[+?]$id /, 40);
    my $all = now - $begun;
    like($line, $o{line} // qr/^\+$id \S+ cdn/, $name) or diag($sp->stderr);
    if ($line =~ /^\+/) {
        ok(http(GET => $sp->base . "/blocks/$id")->{body}
           eq slurp($o{bytes_of} ? $cdn->node($o{bytes_of})->path('a.bin')
                                 : $path), "$name: right bytes");
    }
    my $status = $sp->status;
    $sp->stop;
    $cdn->stop;
    return ($cdn, $first, $all, $status);
}

# Every answer takes 0.4 s: HEAD and then GET would take twice as long.
my ($cdn, $first, $all, $status) = case('a far node',
    [ { bad => { delay => 0.4 } } ]);
cmp_ok($first, '<', deadline(0.75), 'the first block after one round trip');
my ($get) = $cdn->node(0)->requests(method => 'GET');
my ($from, $to) = $get->{range} =~ /^bytes=(\d+)-(\d+)$/;
is($from % 65536, 0, 'the first GET begins with a block');
cmp_ok($to - $from, '<', 1 << 20, 'and asks for a part');
is(scalar $cdn->node(0)->requests(method => 'HEAD'), 1, 'HEAD beside it');

for my $case ([ 'the first node hangs', { bad => { hang => 1 } } ],
    [ 'its GET hangs', { bad => { each => sub ($q) {
        $q->{method} eq 'GET' ? (hang => 1) : () } } } ])
{
    ($cdn, $first) = case($case->[0], [ $case->[1], {} ]);
    cmp_ok($first, '<', deadline(2.5), 'the next one is asked beside it');
}
($cdn, $first) = case('two nodes hang', [ ({ bad => { hang => 1 } }) x 2,
    {} ]);
cmp_ok($first, '<', deadline(3), 'one after the other');

($cdn, $first, $all) = case('a node stands still in mid-download',
    [ { bad => { stall => 1_500_000, each => sub ($q) {
        $q->{before} ? () : (stall => undef) } } }, {} ]);
cmp_ok($all, '<', deadline(8), 'it is replaced');
($cdn, $first, $all) = case('a node that gives next to nothing',
    [ { bad => { each => sub ($q) {
        $q->{method} eq 'GET' && $q->{before} ? (rate => 2000) : () } } },
      {} ]);
cmp_ok($all, '>', 8, 'it has its time');
cmp_ok($cdn->node(1)->bytes, '>', $size / 2, 'the other one gives the rest');
case('a node breaks off in mid-download',
    [ { bad => { truncate => 700_000 } }, {} ]);
($cdn) = case('a node that goes away', [ { bad => { each => sub ($q) {
    $q->{before} ? (drop => 1) : () } } }, {} ]);
cmp_ok($cdn->node(1)->bytes, '>', $size / 2, 'the other one gives the rest');

# Another version in mid-download: what came before goes too.
for my $change ({ etag => '"new"' }, { size => $size + 1 },
    { mtime => 1700000001, etag => '' })
{
    my ($what) = sort keys %$change;
    ($cdn, $first, $all, $status) = case("another $what in mid-download",
        [ { bad => { change => { after => 1, %$change } } }, {} ]);
    cmp_ok($status->{prefetch}{wasted}{cdn}, '>', 0,
        'what it gave is thrown away');
    cmp_ok($cdn->node(1)->bytes, '>=', $size, 'the other one gives all');
}

# Also where it shows in an answer that is no part.
for my $change ([ 'a 200 of another version', ranges => 0, etag => '"new"' ],
    [ 'a 416 that tells another size', handler => sub ($q) {
        (416, { 'Content-Range' => 'bytes */' . ($size + 1) }, '') } ])
{
    my ($what, %change) = @$change;
    ($cdn, $first, $all, $status) = case("$what in mid-download",
        [ { bad => { each => sub ($q) {
            $q->{method} eq 'GET' && $q->{before} ? %change : () } } }, {} ]);
    cmp_ok($status->{prefetch}{wasted}{cdn}, '>', 0,
        'what it gave is thrown away');
    cmp_ok($cdn->node(1)->bytes, '>=', $size, 'the other one gives all');
}

# Too much to do: at first, and in mid-download.
for my $code (429, 503) {
    ($cdn, $first, $all, $status) = case("$code at first",
        [ { bad => { status => $code, times => 2, retry_after => 1 } } ]);
    cmp_ok($first, '>=', 1, 'its Retry-After is heeded');
    cmp_ok($status->{prefetch}{retries}, '>=', 1, 'counted');
}
($cdn, $first, $all) = case('503 in mid-download', [ { bad => { each =>
    sub ($q) { $q->{before} == 1 ? (status => 503, retry_after => 2) : () }
    } } ]);
cmp_ok($all, '>=', 2, 'its Retry-After is heeded');
($cdn, $first, $all) = case('503 in mid-download, and another node',
    [ { bad => { each => sub ($q) {
        $q->{before} > 1 ? (status => 503, retry_after => 20) : () } } },
      {} ]);
cmp_ok($all, '<', deadline(8), 'which takes over');

# A HEAD that is later than the 503 of the GET beside it.
($cdn, $first, $all, $status) = case('503 before its HEAD', [ { bad =>
    { each => sub ($q) { $q->{method} eq 'HEAD' ? (delay => 0.3, status => 503)
        : $q->{before} ? () : (status => 503, retry_after => 2) } } } ]);
cmp_ok($first, '>=', 2, 'its Retry-After is heeded');
is($status->{prefetch}{retries}, 1, 'one try was enough');

# Blocks are held; the node has too much to do, and then gives no answer.
my $mode = tmpdir('mode') . '/mode';
spew($mode, 'ok');
$cdn = cdn(nodes => [ { bad => { each => sub ($q) {
    my $get = $q->{method} eq 'GET';
    my $now = slurp($mode);
    return $get ? (rate => 500_000) : () if $now eq 'ok';
    return $get ? (drop => 1) : (hang => 1) if $now eq 'sick';
    spew($mode, 'sick') if $get;
    return (status => 503, retry_after => 1);
} } } ]);
$cdn->file('a.bin', $size, ++$count);
$t->forget_commands->clear;
my $sp = superpeer(trackers => [ $t->conf ], cdn => $cdn);
my $id = $t->prepare($cdn->url('a.bin'), $size, $etag);
$t->wait_line(qr/^~$id [2-9]/, 10);
$sp->kill9;
spew($mode, 'busy');
$t->forget_commands->clear;
$sp->start;
is($t->wait_line(qr/^[+?]$id /, 20), "?$id failed", 'busy, then no answer');
$sp->stop;
$cdn->stop;

# A node gives some and goes away, and the other one has no such file, or
# another: the set stays, and goes on when the node is back.
for my $other (undef, $size + 1) {
    my $what = defined $other ? 'another version' : 'no such file';
    spew($mode, 'ok');
    $cdn = cdn(nodes => [ { bad => { each => sub ($q) {
        $q->{method} eq 'GET' && $q->{before} && slurp($mode) eq 'ok'
            ? (drop => 1) : () } } }, {} ]);
    my $path = make_file($cdn->node(0)->path('a.bin'), $size, ++$count,
        1700000000);
    make_file($cdn->node(1)->path('a.bin'), $other, $count) if $other;
    $t->forget_commands->clear;
    $sp = superpeer(trackers => [ $t->conf ], cdn => $cdn);
    $id = $t->prepare($cdn->url('a.bin'), $size, $etag);
    is($t->wait_line(qr/^[+?]$id /, 40), "?$id failed",
        "a node goes away, and the other one has $what");
    my ($held) = map { $_->{held} } grep { $_->{id} eq $id }
        @{ $sp->status->{sets} };
    cmp_ok($held // 0, '>', 0, 'the set stays');
    spew($mode, 'back');
    $t->forget_commands->clear;
    $t->prepare($cdn->url('a.bin'), $size, $etag);
    like($t->wait_line(qr/^[+?]$id /, 40), qr/^\+$id \S+ cdn/, 'and goes on');
    like($sp->stderr, qr/goes on with/, 'with what is held');
    ok(http(GET => $sp->base . "/blocks/$id")->{body} eq slurp($path),
        'right bytes');
    $sp->stop;
    $cdn->stop;
}

# Several nodes at once.
($cdn) = case('three nodes of four', [ ({ limit_rate => '1m' }) x 4 ],
    per_file => 3);
my @gave = grep { $_->bytes > 500_000 } $cdn->nodes;
cmp_ok(scalar @gave, '==', 3, 'parallel ranges from as many as are set');

finish();
