# Peers that are dead, lie, give wrong bytes or stall: the file is right all
# the same, the tracker hears of them, and they are left alone although it
# names them again and again.

use v5.36;
use Shoal::Test;

my $size = 10 * 1048576;
my $s = stage(nodes => [ { bad => { rate => 150_000 } } ], superpeers => 0,
    delay => '0', tracker => { peers => 'tracker_interval 1s;' });
my ($t, $cdn) = ($s->tracker, $s->cdn);
my $path = $cdn->file('a.bin', $size, 1);
my $wrong = make_file(tmpdir('liar') . '/wrong', $size, 666);
my $made = shoal('--make-layer', $path);
is($made->{status}, 0, 'layer made');
my ($bytes, $mtime) = (stat $path)[7, 9];
my $id = resource_id($cdn->url('a.bin'), $bytes,
    sprintf 'etag:"%x-%x"', $mtime, $bytes);

my $last = 30;
sub peer($content, %bad) {
    my $addr = '127.0.2.' . ++$last;
    my $f = fake_super(addr => $addr);
    $f->serve($id, $content, "$path.shoal");
    return $f->start(map { ref $bad{$_} eq 'CODE' && $_ eq 'handler'
        ? ($_ => sub ($q) { $bad{handler}->($f, $q) }) : ($_ => $bad{$_}) }
        keys %bad);
}

my %peer = (
    good  => peer($path, each => sub ($q) {
        $q->{uri} =~ m{/have} ? () : (delay => 0.8) }),
    wrong => peer($wrong),
    liar  => peer($path, handler => sub ($f, $q) {
        $q->{uri} =~ m{/have} ? $f->answer($q) : (404, {}, '') }),
    mute  => peer($path, each => sub ($q) {
        $q->{uri} =~ m{/have} ? () : (hang => 1) }),
    stuck => peer($path, each => sub ($q) {
        $q->{uri} =~ m{/have} || $q->{before} < 8 ? () : (stall => 20_000) }),
);
my %addr = map { $_ => "$peer{$_}{addr}:$peer{$_}{port}" } keys %peer;
$addr{dead} = '127.0.2.99:' . free_port('127.0.2.99');
for my $name (sort keys %addr) {
    my ($host, $port) = split /:/, $addr{$name};
    $s->ask('a.bin', from => $host, port => $port, left => 0);
}

my $r = $s->get({ deadline => 120 }, 'a.bin', "--layer=$path.shoal",
    '--bind-address', '127.6.1.1');
download_ok($r, $path, 'the right bytes');
note($r->{stderr});

sub row($name) {
    my ($row) = $r->{stderr} =~ /^ +\Q$addr{$name}\E +peer +(.*)/m;
    return $row // 'not in the table';
}

like(row('good'), qr/^[1-9]\d+ .* ok$/, 'the good one is used');
like(row($_), qr/^0 /, "nothing from the one that is $_")
    for qw(wrong liar mute dead);
like(row('stuck'), qr/^[1-9]\d+ .* stalled/,
    'one that stands still in mid-block after some: dropped');
like(row('liar'), qr/does not have what it says/, 'its lie is noticed');

# A connection each: 4 wrong blocks would be one too many.
cmp_ok($peer{wrong}->requests(uri => "/blocks/$id"), '<=', 12,
    'wrong bytes: dropped soon');
cmp_ok($peer{liar}->requests(uri => "/blocks/$id"), '<=', 12,
    'a liar: dropped soon');
cmp_ok($peer{mute}->requests(uri => "/blocks/$id"), '<=', 12,
    'one that stalls: dropped soon');
cmp_ok($peer{stuck}->requests(uri => "/blocks/$id"), '<=', 40,
    'likewise when it gave something before');

my @asks = grep { /^127\.6\.1\.1 / } split /\n/, slurp($t->dir . '/access.log');
cmp_ok(scalar @asks, '>', 3, 'the tracker named them several times');
my %told;
for (@asks) {
    $told{$_}++ for /bad=([^& ]+)/g;
}
is($told{"dead,$addr{dead}"}, 1, 'the dead one is reported, once');
is($told{"dead,$addr{$_}"}, 1, "so is the one that is $_") for qw(mute stuck);
is($told{"dead,$addr{good}"}, undef, 'one that is slow is not');
is($told{"wrong,$addr{wrong}"}, 1, 'so is who gives wrong bytes');
is($told{"wrong,$addr{liar}"}, 1, 'and the liar');

finish();
