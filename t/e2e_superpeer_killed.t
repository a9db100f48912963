# A super peer that dies, in mid-prefetch or while it serves, costs time but
# no byte; with its cache it goes on where it was.

use v5.36;
use Shoal::Test;

my $size = 24 * 1048576;
my $s = stage(nodes => 3, superpeers => 2, limit_rate => '1m');
my $path = $s->cdn->file('pre.bin', $size, 1);

# In mid-prefetch.
my $p = $s->get_start('pre.bin');
wait_for {
    grep { $_->{remote} !~ /^127\.0\.1\./ } map { $_->requests }
        $s->cdn->nodes
} 10, 'the super peers to begin';
$_->kill9 for $s->sps;
ok($p->alive, 'the client is still at it');
$s->cdn->set(limit_rate => '20m');
is($p->wait(40), 0, 'and comes to its end');
same_file("$p->{dir}/pre.bin", $path, 'killed in mid-prefetch');

$_->start for $s->sps;
$s->wait_ready('pre.bin');
pass('restarted super peers finish the set');

# While they serve: the second client gets most from them.
$s->cdn->set(limit_rate => '300k');
my $big = $s->cdn->file('serve.bin', 2 * $size, 2);
$s->cdn->set(limit_rate => '50m');
download_ok($s->get('serve.bin'), $big, 'first client');
$s->wait_ready('serve.bin');
$s->cdn->set(limit_rate => '3m');
$p = $s->get_start('serve.bin');
wait_for { glob("$p->{dir}/*") || !$p->alive } 10, 'the second to begin';
$s->sp(0)->kill9;
$s->cdn->set(limit_rate => '50m');
is($p->wait(40), 0, 'one killed while it serves');
same_file("$p->{dir}/serve.bin", $big, 'its content');

$p = $s->get_start('serve.bin');
wait_for { glob("$p->{dir}/*") || !$p->alive } 10, 'the third to begin';
$s->sp(1)->kill9;
is($p->wait(40), 0, 'the other too');
same_file("$p->{dir}/serve.bin", $big, 'its content');

# Nobody answers where the tracker still says so.
my $r = $s->get('serve.bin');
download_ok($r, $big, 'listed super peers are dead');
cmp_ok($r->{seconds}, '<', deadline(8), 'soon');

finish();
