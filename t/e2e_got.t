# What clients took is what the tracker counts: by kind of source, to the byte.

use v5.36;
use Shoal::Test;

my $size = 12 * 1048576 + 12345;
my $s = stage(nodes => 2, superpeers => 2, limit_rate => '4m');
my $path = $s->cdn->file('got.bin', $size, 3);
my ($total, %m, %table) = (0);

# The last call of a client may be counted a moment after it has left.
sub counted($name) {
    $total += $size;
    my @kinds = map { "shoal_tracker_clients_got_bytes_total{source=\"$_\"}" } qw(super peer cdn);
    my $sum = 0;
    eval {
        wait_for {
            %m = %{ $s->tracker->metrics };
            ($sum) = $m{ $kinds[0] } + $m{ $kinds[1] } + $m{ $kinds[2] };
            $sum == $total;
        } 5, 'the sum';
    };
    is($sum, $total, "$name: the sum is the file");
}

# The client's own table: 'all' by kind of source.
sub table($r) {
    my %t = map { /^ +all +(super peer|peer|CDN node) +(\d+) / ? ($1 => $2) : () }
        split /\n/, $r->{stderr};
    $table{$_} += $t{$_} for keys %t;
}

my $r = $s->get('got.bin');
download_ok($r, $path, 'cold');
table($r);
counted('cold');

$s->wait_ready('got.bin');
$s->cdn->set(limit_rate => '500k');
$r = $s->get('got.bin');
download_ok($r, $path, 'warm');
table($r);
counted('warm');

is($m{'shoal_tracker_clients_got_bytes_total{source="super"}'}, $table{'super peer'}, 'super peers');
is($m{'shoal_tracker_clients_got_bytes_total{source="cdn"}'}, $table{'CDN node'}, 'CDN nodes');
cmp_ok($m{'shoal_tracker_clients_got_bytes_total{source="super"}'}, '>', $size / 2, 'mostly super peers when warm');
cmp_ok($m{'shoal_tracker_prepares_ready_total'}, '==', 2, 'both were prepared');

finish();
