package Shoal::Bench::Parking;

# Requests that are held: how many at once and what each takes, whether the
# delay is kept, how fast a ready and a reload end it.

use v5.36;
use Shoal::Bench qw(quick percentile);
use Shoal::Bench::Tracker qw(bench_tracker peers_url super_peers
    resource_ids);
use Shoal::Env qw(tmpdir slurp spew);
use Shoal::Load qw(load load_start load_line load_end rss_kib);
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);

my $most = 19_000;

sub ids($class) {
    return qw(parked parked_kib delay_early_share delay_overrun_p99_ms
        wake_p99_ms reload_answer_ms);
}

sub run($class, $b) {
    many($b);
    delays($b);
    wake($b);
    reload($b);
    return;
}

# Every answer is held for the delay; an eighth of the connections stays free
# of parked requests, so there are more than can be open.
sub holding($delay, %o) {
    my ($files) = slurp('/proc/self/limits')
        =~ /^Max open files\s+\S+\s+(\d+)/m;
    return bench_tracker(delay => $delay, files => $files,
        connections => 22_000, allow => [qr/exceed open file resource limit/],
        peers => "tracker_early off; tracker_max_parked $most;", %o);
}

sub asks($from = 0) {
    return (url => peers_url('/peers', '{k%1000+1000000}',
                             'port={k%50000+10000}&left=1073741824'),
            from => '127.0.1.1,8', first => $from);
}

sub many($b) {
    my (@parked, @kib);
    my $delay = 15_000;
    for (1 .. (quick() ? 1 : 3)) {
        my $t = holding("${delay}ms");
        my %slow = (requests => $most, rate => 3000, settle_ms => 500);
        # tables that grow with the first requests are no part of it
        load(run => $t->server, url => peers_url('/load',
            '{k%1000+1000000}', 'port=1000'), requests => 1000);
        my $before = rss_kib($t->worker);
        my $p = load_start(park => $t->server, asks(), %slow,
                           delay_ms => $delay);
        my $waiting = load_line($p)->{waiting};
        push @kib, (rss_kib($t->worker) - $before) / $most;
        my $r = load_end($p);
        push @parked, $waiting - $r->{early};
        $t->stop;
    }
    $b->result('parked', runs => \@parked, against => 'one worker');
    $b->result('parked_kib', runs => \@kib,
        against => "resident memory of the worker with $most");
    return;
}

sub delays($b) {
    my $t = holding('300ms');
    my ($all, $early, @p99) = (0, 0);
    my $seconds = quick() ? 3 : 10;
    for my $round (1 .. (quick() ? 2 : 5)) {
        my $r = load(park => $t->server, asks(100_000 * $round), rate => 1000,
                     requests => 1000 * $seconds, delay_ms => 300);
        $all += $r->{requests};
        $early += $r->{early};
        push @p99, $r->{ms}{p99};
    }
    my $what = 'a delay of 300 ms, 1,000 new ones a second';
    $b->result('delay_early_share', value => $early / $all, against => $what);
    $b->result('delay_overrun_p99_ms', runs => \@p99, against => $what);
    $t->stop;
    return;
}

# A super peer's call that says it holds $id, as bytes.
sub ready_call($t, $sp, $id) {
    my $args = $sp->args;
    my $query = join '&', map { "$_=$args->{$_}" } sort keys %$args;
    my $body = "+$id " . ('5a' x 32) . " cdn\n";
    return "POST /control?$query HTTP/1.1\r\nHost: " . $t->addr
        . "\r\nConnection: close\r\nContent-Length: " . length($body)
        . "\r\n\r\n$body";
}

# Askers at four workers, woken by a ready that comes to one of them.
sub wake($b) {
    my $t = bench_tracker(workers => 4, listen => 'reuseport',
        delay => '20s', peers => 'tracker_superpeers_per_file 1;');
    my ($sp) = super_peers($t, 1);
    my (@all, @p99);
    for my $round (1 .. (quick() ? 10 : 40)) {
        my ($id) = resource_ids($t, $round);
        my $file = spew(tmpdir() . '/ready', ready_call($t, $sp, $id));
        my $r = load(park => $t->server, requests => 100, rate => 1000,
            url => peers_url('/peers', 1000000 + $round, 'port={k+10000}'),
            control => $file, values => 1);
        die "the ready was answered with $r->{control_status}, "
            . "$r->{early} answers came before it\n"
            if $r->{control_status} != 200 || $r->{early};
        push @all, @{ $r->{values} };
        push @p99, percentile(0.99, @{ $r->{values} });
    }
    $b->result('wake_p99_ms', value => percentile(0.99, @all), runs => \@p99,
        against => '100 waiting at 4 workers');
    $t->stop;
    return;
}

sub reload($b) {
    my $parked = 1000;
    my $t = holding('60s');
    my @ms;
    for my $round (1 .. (quick() ? 2 : 7)) {
        my $p = load_start(park => $t->server, asks(100_000 * $round),
                           requests => $parked);
        my $waiting = load_line($p)->{waiting};
        die "$waiting of $parked are parked\n" if $waiting != $parked;
        my $hup = clock_gettime(CLOCK_MONOTONIC);
        $t->process->signal('HUP');
        push @ms, 1e3 * (load_end($p)->{last_answer_at} - $hup);
        $t->wait_old_workers;
    }
    $b->result('reload_answer_ms', runs => \@ms,
        against => "the last of $parked, after the signal");
    $t->stop;
    return;
}

1;
