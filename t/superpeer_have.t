# Following what a super peer holds while it fills a set: every block is told
# of when it can be served, and what is being fetched; to many at once.

use v5.36;
use Shoal::Test;
use Shoal::FakeTracker qw(fake_tracker);
use Shoal::Follow qw(follow);

my $block = 65536;
my $blocks = 41;
my $size  = 40 * $block + 777;
my $cdn = cdn(nodes => 1, limit_rate => '500k');
my $data = slurp($cdn->file('a.bin', $size));
my $t  = fake_tracker();
my $sp = superpeer(trackers => [ $t->conf ], cdn => $cdn);
my $id = $t->prepare($cdn->url('a.bin'), $size);
$t->wait_line(qr/^~$id /);

my $f = follow($sp->base, $id);
my $r = $f->next(0);
is("$r->{status} $r->{how}", '200 bitmap', 'the first answer is the bitmap');

# From now on events, and what they say is so at once.
my (%told, @wrong);
my $begun = now;
while ($f->held < $blocks && now - $begun < deadline(30)) {
    $r = $f->next(10);
    last if $r->{status} != 200;
    for my $e (grep { $_->[0] eq 'have' } @{ $r->{events} }) {
        my $off = $e->[1] * $block;
        my $got = http(GET => $sp->base . "/blocks/$id",
            headers => { Range => "bytes=$off-" . ($off + 99) });
        push @wrong, $e->[1] if $got->{status} != 206
            || $got->{body} ne substr $data, $off, 100;
        push @wrong, "$e->[1] again" if $told{ $e->[1] }++;
    }
}
is($f->held, $blocks, 'followed to the end');
is("@wrong", '', 'every block can be served when it is told of');
cmp_ok(scalar keys %told, '>', 5, 'by events');
cmp_ok(now - $begun, '<', deadline(20), 'in time');

# What a CDN node was asked for shows, and that it comes no more.
$cdn->set(limit_rate => '300k');
$cdn->file('b.bin', $size);
my $second = $t->prepare($cdn->url('b.bin'), $size);
$t->wait_line(qr/^~$second /);
$f = follow($sp->base, $second);
my %claimed;
for (1 .. 200) {
    $r = $f->next(5);
    for my $e (@{ $r->{events} }) {
        my @range = $e->[1] .. $e->[1] + $e->[2] - 1;
        $claimed{$_} = 1 for grep { $e->[0] eq 'fetching' } @range;
        delete @claimed{@range} if $e->[0] eq 'unfetch';
    }
    last if $f->held > 3;
}
my @open = grep { !$f->has($_) } keys %claimed;
is(@open + $f->held, $blocks, 'all that is not there is being fetched');
cmp_ok($f->held, '<', $blocks, 'and not yet there');

# Fifty at once: the last hears of a block soon after the first.
my $best = 1e9;
for my $round (1 .. 5) {
    last if $best < 0.05 || $f->held == $blocks;
    $f->next(5);
    my @w = map { $f->copy->start(20) } 1 .. 50;
    my %at;
    wait_for {
        for my $i (grep { !$at{$_} } 0 .. $#w) {
            $at{$i} = now if !$w[$i]{request}->pending;
        }
        keys %at == @w;
    } 20, 'all to be told';
    my @sorted = sort { $a <=> $b } values %at;
    my $spread = $sorted[-1] - $sorted[0];
    $best = $spread if $spread < $best;
    my @bad = grep { $_->take(1)->{status} != 200 } @w;
    is(scalar @bad, 0, 'told');
}
note(sprintf 'fifty were told within %.1f ms', $best * 1000);
cmp_ok($best, '<', 0.05, 'fifty waiters are told together');

# A set that goes.
my $w = follow($sp->base, $id);
is($w->next(0)->{how}, 'bitmap', 'the complete set');
$w->start(30);
select undef, undef, undef, 0.2;
ok($w->{request}->pending, 'no news of it');
$cdn->file('a.bin', $size - 1);
$t->prepare($cdn->url('a.bin'), $size - 1);
$r = $w->take(20);
is($r->{status}, 404, 'replaced: told at once');

# The super peer stops.
$cdn->set(limit_rate => '100k');
$cdn->file('d.bin', $size);
my $fourth = $t->prepare($cdn->url('d.bin'), $size);
$t->wait_line(qr/^~$fourth /);
my @w = map { my $x = follow($sp->base, $fourth); $x->next(0); $x->start(60) } 1 .. 20;
$begun = now;
is($sp->stop, 0, 'it ends');
cmp_ok(now - $begun, '<', deadline(5), 'at once');

finish();
