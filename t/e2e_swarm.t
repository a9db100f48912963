# Clients of one file: who is asked for news learns of who asks, and a new
# block is known to others at once.

use v5.36;
use Shoal::Follow qw(follow);
use Shoal::Test;
use Time::HiRes ();

my $size = 3 * 1048576;
my $s = stage(nodes => 1, superpeers => 0, delay => '0');
my $path = $s->cdn->file('p.bin', $size);
my $made = shoal('--make-layer', $path);
is($made->{status}, 0, 'layer made');
$s->cdn->set(limit_rate => '40k');

sub start($addr) {
    my $port = free_port($addr);
    my $p = $s->get_start('p.bin', '--bind-address', $addr, '--listen-port',
        $port, "--layer=$path.shoal");
    return ($p, "$addr:$port");
}

sub wait_listed($addr) {
    return wait_for {
        my $a = $s->ask('p.bin');
        (grep { $_->{addr} eq $addr } @{ $a->{peers} }) ? $a->{id} : undef;
    } 10, "$addr on the list";
}

# The first asked the tracker before there was anybody else.
my ($first, $at) = start('127.0.0.41');
my $id = wait_listed($at);
my ($second, $other) = start('127.0.0.42');
wait_listed($other);

# The time of a write is that of the block, or later.
my $f = follow("http://$at", $id);
my $r = wait_for {
    my $answer = $f->next(0);
    $answer->{status} == 200 ? $answer : undef;
} 10, 'it knows the id';
my @late;
while ($f->held < 36) {
    $r = $f->next(10);
    last if !$r || $r->{status} != 200;
    next if !grep { $_->[0] eq 'have' } @{ $r->{events} };
    my $now = now;
    my $wrote = (Time::HiRes::stat("$first->{dir}/p.bin.part"))[9] // next;
    push @late, $now - $wrote if $wrote < $now;
}
@late = sort { $a <=> $b } @late;
cmp_ok(scalar @late, '>', 4, 'blocks came one after the other');
note(sprintf 'news after %.1f ms (median), %.1f ms (most)',
    1000 * $late[ @late / 2 ], 1000 * $late[-1]);
cmp_ok($late[ @late / 2 ], '<', deadline(0.5), 'news of a block come at once');

for ([ $first, $other ], [ $second, $at ]) {
    my ($p, $peer) = @$_;
    is($p->wait(60), 0, 'done');
    same_file("$p->{dir}/p.bin", $path, 'the right bytes');
    like($p->stderr, qr/^ +\Q$peer\E +peer +[1-9]/m, "took from $peer");
}
my @asks = grep { /^127\.0\.0\.41 / && !/event=stopped/ }
    split /\n/, slurp($s->tracker->dir . '/access.log');
is(scalar @asks, 1, 'the first asked the tracker once');

finish();
