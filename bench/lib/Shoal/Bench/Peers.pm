package Shoal::Bench::Peers;

# Peer lists over keepalive: against "return 200", and with many swarms
# against few.

use v5.36;
use Shoal::Bench qw(quick median rounds slice);
use Shoal::Bench::Tracker qw(bench_tracker fill peers_url super_peers
    resource_ids);
use Shoal::HTTP qw(http);
use Shoal::Load qw(load cpu_per_request);

my $hot = 1000;     # resources that are asked for, of 50 peers and the asker

sub hot_url($place, $step) {
    return peers_url($place, "{k%$hot*$step+1000000}",
                     'port=20000&left=1073741824');
}

# A store of $swarms swarms, 10 peers each and 50 in the hot ones, which are
# spread over all; or of these alone.
sub store($swarms) {
    my $step = quick() ? 10 : 100;
    my $t = bench_tracker();
    if ($swarms > $hot) {
        fill($t, swarms => $swarms, peers => 10 * $swarms);
        fill($t, swarms => $hot, step => $step, first => 10 * $swarms,
             peers => 40 * $hot);
    } else {
        fill($t, swarms => $hot, step => $step, peers => 50 * $hot);
    }
    super_peers($t, 2, resource_ids($t, map { $step * $_ } 0 .. $hot - 1));
    return check($t, $step);
}

# Every hot resource has its lists; /plain gets a body of their size.
sub check($t, $step) {
    my $ask = { url => hot_url('/peers', $step), requests => 2 * $hot };
    load(run => $t->server, %$ask);
    my $r = load(run => $t->server, %$ask);
    my $j = http(GET => $t->base . peers_url('/peers', 1000000, 'port=20000'))
        ->json;
    die "not 50 peers and 2 super peers that are ready\n"
        if @{ $j->{peers} } != 50
        || 2 != grep { $_->{state} eq 'ready' } @{ $j->{super} };
    $t->{body} = 'x' x int($r->{body_bytes} / $r->{requests});
    $t->reload;
    load(run => $t->server, %$ask);
    return { tracker => $t, step => $step };
}

sub cost($store, $place) {
    my $t = $store->{tracker};
    my ($ns, $r) = cpu_per_request($t->worker, $t->server,
        url => hot_url($place, $store->{step}), random => 1, space => $hot,
        connections => 16, seconds => slice());
    return $ns;
}

sub ids($class) { return qw(peers_cpu_ratio peers_growth) }

sub run($class, $b) {
    my $few = store($hot);
    my $many = store(quick() ? 10_000 : 100_000);
    my (@ratio, @growth, @us);
    for (1 .. rounds()) {
        my $plain = cost($many, '/plain');
        my $peers = cost($many, '/peers');
        push @ratio, $peers / $plain;
        push @growth, $peers / cost($few, '/peers');
        push @us, [ $plain / 1e3, $peers / 1e3 ];
    }
    $b->note(sprintf 'us a request: return 200 %.2f, peer list %.2f',
        map { my $i = $_; median(map { $_->[$i] } @us) } 0, 1);
    $b->result('peers_cpu_ratio', runs => \@ratio,
        against => 'return 200, body of the same size');
    $b->result('peers_growth', runs => \@growth,
        against => sprintf '%d swarms', $hot);
    return;
}

1;
