# A super peer that lies never yields a wrong byte: wrong blocks under the
# true root, and a root of its own making.

use v5.36;
use Shoal::Test;

my $size = 8 * 1048576;
my $s = stage(nodes => 2, superpeers => 0, limit_rate => '150k');
my $cdn = $s->cdn;

sub layer_for($path) {
    my $r = shoal('--make-layer', $path);
    die $r->{stderr} if $r->{status};
    return "$path.shoal";
}

sub id_of($name) {
    my ($bytes, $mtime) = (stat $cdn->node(0)->path($name))[7, 9];
    return resource_id($cdn->url($name), $bytes,
        sprintf 'etag:"%x-%x"', $mtime, $bytes);
}

my $wrong = make_file(tmpdir('liar') . '/wrong', $size, 666);
my $wrong_layer = layer_for($wrong);

sub play($name, $content, $layer, $what) {
    my $path = $cdn->node(0)->path($name);
    my $liar = fake_super(tracker => $s->tracker, name => "liar-$name");
    my $id = id_of($name);
    $liar->serve($id, $content // $path, $layer);
    $liar->start;
    $liar->announce($id, (layer_of($layer))[0]);
    my $answer = $s->ask($name, node => $cdn->node(0));
    is($answer->{id}, $id, 'the same id as the tracker has');
    is(scalar @{ $answer->{super} }, 1, 'listed');
    my $r = $s->get({ deadline => 60 }, $name);
    download_ok($r, $path, $what);
    cmp_ok($liar->requests, '>', 0, 'it was asked');
    note(sprintf '%s: %d bytes from it, %.1f s', $what, $liar->bytes,
        $r->{seconds});
    $liar->stop;
    return ($r, $liar);
}

for my $name (qw(true.bin blocks.bin layer.bin root.bin)) {
    $cdn->file($name, $size, $name);
}
my %layer = map { $_ => layer_for($cdn->node(0)->path($_)) }
    qw(true.bin blocks.bin layer.bin);

# The control: one that tells the truth is used.
my ($r, $fake) = play('true.bin', undef, $layer{'true.bin'}, 'no liar');
cmp_ok($fake->bytes, '>', $size / 4, 'one that is honest is used');

($r, $fake) = play('blocks.bin', $wrong, $layer{'blocks.bin'},
    'wrong blocks under the true root');
cmp_ok($fake->bytes, '<', $size, 'and it is dropped soon');

# Root and layer of other bytes, all consistent.
play('root.bin', $wrong, $wrong_layer, 'a root of its own');

# The true root, another layer.
my $mixed = tmpdir('liar') . '/mixed.shoal';
my ($true_root) = layer_of($layer{'layer.bin'});
my $text = slurp($wrong_layer);
$text =~ s/^root \S+$/root $true_root/m;
spew($mixed, $text);
play('layer.bin', $wrong, $mixed, 'a layer that is not of its root');

finish();
