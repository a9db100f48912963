# Super peers whose roots differ are not listed; two that agree on a wrong
# root are found out by what the CDN gives.

use v5.36;
use Shoal::Test;

my $size = 4 * 1048576;
my $s = stage(nodes => 2, superpeers => 0, limit_rate => '1m');
my $cdn = $s->cdn;
my $dir = tmpdir('layers');
my $wrong = make_file("$dir/wrong", $size, 666);

sub layer_for($path, $to) {
    my $r = shoal('-O', "$dir/$to.shoal", '--make-layer', $path);
    is($r->{status}, 0, 'layer made') or diag($r->{stderr});
    return "$dir/$to.shoal";
}

my $wrong_layer = layer_for($wrong, 'wrong');
my $serial = 0;

# A super peer that holds this content under the file's identity.
sub holder($name, $content, $layer) {
    my $i = ++$serial;
    my $id = resource_id($cdn->url($name), $size, sprintf 'etag:"%x-%x"',
        1700000000, $size);
    my $f = fake_super(tracker => $s->tracker, name => "fake$i",
        addr => "127.0.0.6$i", session => sprintf '%016x', $i);
    $f->serve($id, $content, $layer);
    $f->start;
    $f->announce($id, (layer_of($layer))[0]);
    return $f;
}

my $path = $cdn->file('one.bin', $size, 1);
my $layer = layer_for($path, 'one');
my @honest = map { holder('one.bin', $path, $layer) } 1, 2;
my $answer = $s->ask('one.bin');
is($answer->{digest}{votes}, 2, 'two votes');
is($answer->{digest}{root}, (layer_of($layer))[0], 'for the root');

my $liar = holder('one.bin', $wrong, $wrong_layer);
$answer = $s->ask('one.bin');
ok(!exists $answer->{digest}
    || $answer->{digest}{root} eq (layer_of($layer))[0],
    'a third that differs never decides');
my $r = $s->get('one.bin');
download_ok($r, $path, 'two against one');

$path = $cdn->file('two.bin', $size, 2);
$layer = layer_for($path, 'two');
holder('two.bin', $path, $layer);
holder('two.bin', $wrong, $wrong_layer);
$answer = $s->ask('two.bin');
ok(!exists $answer->{digest}, 'one against one: no root');
is_deeply($answer->{super}, [], 'neither is listed');
$r = $s->get('two.bin');
download_ok($r, $path, 'one against one');
like($s->tracker->error_log, qr/roots of [0-9a-f]{40} differ.*fake4.*fake5/,
    'the tracker\'s log names them');

# A third one, which really fetches it, decides.
my $third = superpeer(name => 'third', addr => '127.0.0.29', cdn => $cdn,
    trackers => [ $s->tracker ]);
$third->wait_connected;
my $decided = wait_for {
    my $now = $s->ask('two.bin');
    ($now->{digest}{votes} // 0) == 2 ? $now : undef;
} 20, 'a third vote';
is($decided->{digest}{root}, (layer_of($layer))[0], 'two against one');
is_deeply([ sort map { $_->{url} =~ m{//([\d.]+)} } @{ $decided->{super} } ],
    [ sort '127.0.0.29', '127.0.0.64' ], 'the two are listed');
$third->stop;

$path = $cdn->file('all.bin', $size, 3);
holder('all.bin', $wrong, $wrong_layer) for 1, 2;
is($s->ask('all.bin')->{digest}{votes}, 2, 'two votes for a wrong root');
$r = $s->get('all.bin');
download_ok($r, $path, 'the CDN\'s blocks decide');
unlike($r->{stderr}, qr/CDN node.*wrong/, 'and no CDN node is blamed');

# So slow that the liars have given all before the CDN's first block is there.
$size = 600_000;
$wrong = make_file("$dir/wrong2", $size, 667);
$wrong_layer = layer_for($wrong, 'wrong2');
$path = $cdn->file('slow.bin', $size, 4);
$cdn->set(limit_rate => '50k');
holder('slow.bin', $wrong, $wrong_layer) for 1, 2;
$s->ask('slow.bin', node => $cdn->node(0));
$r = $s->get({ deadline => 60 }, 'slow.bin');
download_ok($r, $path, 'a root that no CDN block bears out is not believed');

finish();
