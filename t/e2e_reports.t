# A client tells the tracker of super peers that are dead or lie; what three
# of different networks told is heeded.

use v5.36;
use Shoal::Agent qw(agent);
use Shoal::Test;

my $size = 6 * 1048576;
my $s = stage(nodes => 1, superpeers => 0, limit_rate => '2m', delay => '0');
my ($t, $cdn) = ($s->tracker, $s->cdn);
my $path = $cdn->file('a.bin', $size, 1);
my $wrong = make_file(tmpdir('liar') . '/wrong', $size, 666);
my $layer = do {
    my $r = shoal('--make-layer', $path);
    die $r->{stderr} if $r->{status};
    "$path.shoal";
};
my ($bytes, $mtime) = (stat $path)[7, 9];
my $id = resource_id($cdn->url('a.bin'), $bytes,
    sprintf 'etag:"%x-%x"', $mtime, $bytes);

my %fake;
for ([ honest => '127.0.0.31', $path ], [ liar => '127.0.0.32', $wrong ]) {
    my ($name, $addr, $content) = @$_;
    my $fake = fake_super(tracker => $t, name => $name, addr => $addr);
    $fake->serve($id, $content, $layer);
    $fake{$name} = { fake => $fake->start, addr => $addr, port => $fake->{port} };
}
$fake{dead} = { addr => '127.0.0.33', port => free_port('127.0.0.33') };

my @polls;
for my $name (sort keys %fake) {
    my $sp = agent($t, name => $name, from => $fake{$name}{addr},
        port => $fake{$name}{port});
    $sp->say("+$id " . (layer_of($layer))[0] . ' cdn');
    push @polls, $sp->poll(wait_ms => 60000);
    $sp->say;
}

sub listed() {
    my %by = map { ("http://$fake{$_}{addr}:$fake{$_}{port}" => $_) } keys %fake;
    return join ' ', sort map { $by{ $_->{url} } } @{ $s->ask('a.bin')->{super} };
}

is(listed(), 'dead honest liar', 'three super peers are listed');
for my $i (1 .. 3) {
    my $r = $s->get({ deadline => 60 }, 'a.bin', '--bind-address', "127.6.$i.1");
    download_ok($r, $path, "download $i");
    is(listed(), $i < 3 ? 'dead honest liar' : 'honest', "list after download $i");
}

# Each report once, in whichever call it was.
my %told;
for (split /\n/, slurp($t->dir . '/access.log')) {
    my ($from, $args) = m{^(127\.6\.\S+) "GET /peers\?(\S+)} or next;
    $told{$from}{$_}++ for $args =~ /bad=([^&]+)/g;
}
is_deeply(\%told, { map { ("127.6.$_.1" => {
    "dead,$fake{dead}{addr}:$fake{dead}{port}" => 1,
    "wrong,$fake{liar}{addr}:$fake{liar}{port}" => 1,
}) } 1 .. 3 }, 'each client told of both, once') or diag(explain \%told);

finish();
