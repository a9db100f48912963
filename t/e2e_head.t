# HEAD forbidden, hanging, lying, answering for the compressed form: at the
# first node, and at all of them.

use v5.36;
use Shoal::Test;

my %how = (forbidden => 'forbid', hanging => 'hang', 'too large' => 77,
           'too small' => -77, compressed => 'gzip');
my $size = 3 * 1048576;

for my $name (sort keys %how) {
    my $bad = { bad => { head => $how{$name} } };
    for my $nodes ([ $bad, {}, {} ], [ $bad, $bad ]) {
        my $where = @$nodes == 2 ? 'everywhere' : 'at the first';
        my $s = stage(nodes => $nodes, superpeers => 1);
        my $path = $s->cdn->file('head.bin', $size, 1);
        my $r = $s->get('head.bin');
        download_ok($r, $path, "HEAD $name $where");
        cmp_ok($r->{seconds}, '<', deadline(6), 'in time');
        my $answer = eval { $s->wait_ready('head.bin', 1) };
        ok($answer, 'the super peer found its way too') or diag($@);
        $_->stop for $s->sps;
        $s->tracker->stop;
        $s->cdn->stop;
    }
}

finish();
