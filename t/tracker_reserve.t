# A stripe full of small torrents, used in no order: one of them that grows
# does not cost the others their places.

use v5.36;
use List::Util qw(shuffle sum0);
use Shoal::Test;

my $t = tracker(delay => '0', workers => 1, zone => '16m', real_ip => 1,
    server => 'location = /announce {
        tracker_announce swarm;
        tracker_interval 1h;
    }');

# Announces at once, each [ torrent, address ]; all of one stripe.
sub announce(@who) {
    while (my @some = splice @who, 0, 500) {
        my $text = join '', map {
            my ($n, $addr) = @$_;
            my $hash = join '', map { sprintf '%%%02x', $_ } 0,
                unpack 'C*', pack 'NNNNn3', $n, $n, $n, $n, 1, 2, 3;
            "GET /announce?info_hash=" . substr($hash, 0, 60)
                . "&port=4000&numwant=0 HTTP/1.1\r\nHost: t\r\n"
                . "X-Real-IP: $addr\r\n"
                . ($_ == $some[-1] ? "Connection: close\r\n" : '') . "\r\n";
        } @some;
        my $q = http_raw($t->addr, $t->port, $text);
        $q->drain(60);
        my $n = () = $q->{buf} =~ m{HTTP/1\.1 200 }g;
        die "$n of " . @some . " answered\n" if $n != @some;
    }
}

sub counts() {
    my $m = $t->metrics;
    return { peers => sum0(map { $m->{$_} } grep { /_peers\{/ } keys %$m),
        map { $_ => $m->{"shoal_tracker_$_"} } qw(evicted_swarms_total
            refused_peers_total fullest_stripe_ratio) };
}

# 1 MiB is full with some 5000 torrents of one peer
announce(map { [ $_, '198.18.0.1' ] } shuffle(1 .. 6000));
announce(map { [ $_, '198.18.0.1' ] } shuffle(1 .. 6000));
my $full = counts();
cmp_ok($full->{evicted_swarms_total}, '>', 1000, 'full');
cmp_ok($full->{fullest_stripe_ratio}, '>', 0.9, 'nearly all of it');

announce(map { [ 7000, sprintf '198.19.%d.%d', $_ / 250, $_ % 250 + 1 ] }
    1 .. 2000);
my $grown = counts();
is($grown->{refused_peers_total}, 0, 'a crowd has come');
cmp_ok($grown->{evicted_swarms_total} - $full->{evicted_swarms_total}, '<=',
    10, 'and hardly any other went');
cmp_ok($grown->{peers}, '>', $full->{peers} + 1900, 'all are there');

finish();
