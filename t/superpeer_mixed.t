# Where no version is known, a node that takes over from one that broke off
# must hold the same file: one of the same size and another time is not used.

use v5.36;
use Shoal::Test;
use Shoal::FakeTracker qw(fake_tracker);

my $size = 4 * 1048576;
my $cdn = cdn(nodes => [ { bad => { truncate => 1_000_000 } }, {} ]);
$cdn->node(0)->file('a.bin', $size, 1, mtime => 1600000000);
$cdn->node(1)->file('a.bin', $size, 2, mtime => 1700000000);
my $t = fake_tracker();
my $sp = superpeer(trackers => [ $t->conf ], cdn => $cdn);
my $id = $t->prepare($cdn->url('a.bin'), $size);

my $end = $t->wait_line(qr/^[+?]$id/, 40);
if ($end =~ /^\+/) {
    my $body = http(GET => $sp->base . "/blocks/$id")->{body};
    ok((grep { $body eq slurp($cdn->node($_)->path('a.bin')) } 0, 1),
        'one file or the other');
} else {
    like($end, qr/^\?$id /, 'refused');
}

finish();
