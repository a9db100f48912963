# Following what a client holds while it downloads: its blocks as they come,
# what it asks the CDN for; and it ends when it wants to.

use v5.36;
use Shoal::Test;
use Shoal::Follow qw(follow);

my $size = 3 * 1048576;
my $blocks = 48;
my $s = stage(nodes => 1, superpeers => 0);
my $data = slurp($s->cdn->file('p.bin', $size));
$s->cdn->set(limit_rate => '300k');
my $port = free_port('127.0.0.40');
my $p = $s->get_start('p.bin', '--bind-address', '127.0.0.40',
    '--listen-port', $port);
my $id = wait_for {
    my $a = $s->ask('p.bin');
    (grep { $_->{addr} eq "127.0.0.40:$port" } @{ $a->{peers} })
        ? $a->{id} : undef;
} 10, 'the client on the list';

# It is listed before it knows the id itself.
my $f = follow("http://127.0.0.40:$port", $id);
my $r = wait_for {
    my $answer = $f->next(0);
    $answer->{status} == 200 ? $answer : undef;
} 10, 'the client to know the id';
is($r->{how}, 'bitmap', 'first the bitmap');
is($r->{events}[0][0], 'fetching', 'and what it asks the CDN for');
my (@wrong, $events);
while ($f->held < $blocks / 2) {
    $r = $f->next(10);
    last if $r->{status} != 200;
    for my $e (grep { $_->[0] eq 'have' } @{ $r->{events} }) {
        my $off = $e->[1] * 65536;
        my $got = http(GET => "http://127.0.0.40:$port/blocks/$id",
            headers => { Range => "bytes=$off-" . ($off + 99) });
        push @wrong, $e->[1] if $got->{body} ne substr $data, $off, 100;
        $events++;
    }
}
cmp_ok($events, '>', 5, 'events for blocks');
is("@wrong", '', 'each can be had when it is told of');
my @w = map { $f->copy->start(60) } 1 .. 10;
my $begun = now;
is($p->stop('INT') ? 1 : 0, 1, 'interrupted');
$p->any_status;
cmp_ok(now - $begun, '<', deadline(5), 'it does not wait for those who wait');

finish();
