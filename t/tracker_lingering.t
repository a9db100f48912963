# Workers of before a reload that stay for long, because of what else they
# serve, keep nothing from the new ones.

use v5.36;
use Shoal::Agent qw(agent);
use Shoal::Test;

my $workers = 16;
my $dir = tmpdir('www');
spew("$dir/slow", 'x' x 100_000);

my $t = tracker(delay => '20s', workers => $workers, server =>
    "location = /slow { root $dir; limit_rate_after 4k; limit_rate 1k; } add_header Worker \$pid always;");

# Every worker has a client that takes its time.
my @slow;
sub linger() {
    my %seen;
    wait_for {
        my $q = http_start(GET => $t->base . '/slow');
        my $pid = wait_for {
            $q->pending && $q->{buf} =~ /^Worker: (\d+)/m ? $1 : 0;
        } 5, 'its head';
        push @slow, $q;
        $seen{$pid} = 1;
        keys %seen == $workers;
    } 20, 'a client at each worker';
}

# 6 generations: more workers than there are slots at least
for (1 .. 5) {
    linger();
    $t->reload;
}
is(scalar($t->worker_pids(leaving => 1)), 5 * $workers, 'they stay');
unlike($t->error_log, qr/no slot left/, 'all others have a slot');

my @sp = map { agent($t) } 1 .. 2;
my $root = '7d' x 32;
$_->say for @sp;
my @q = map { $t->ask_start(url => "http://cdn.example.com/$_", size => 1) }
    1 .. 40;
for my $sp (@sp) {
    my $n = 0;
    while ($n < 40) {
        my @p = $sp->told($sp->poll);
        $sp->say(map { "+$_->{id} $root cdn" } @p);
        $n += @p;
    }
}
my $t0 = now;
my @r = http_wait_all(5, @q);
is(scalar(grep { $_ && @{ $_->json->{super} } == 2 } @r), 40,
    'commands and wakes reach every worker');
cmp_ok(now - $t0, '<', deadline(0.9), 'by a wake, not by the sweep');

$_->close for @slow;
$t->wait_old_workers;

finish();
