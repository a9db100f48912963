# The module compiled into a small nginx (--add-module, no module loaded), out
# of the distribution's source package: as on a system without eventfd, so
# that the pipe in its place is tried too, and under sanitizers with every
# allocation of nginx's pools guarded.

use v5.36;
use Shoal::Agent qw(agent);
use Shoal::Env qw(proxies);
use Shoal::Test;

my $dir = build_dir() . '/static';
my ($st, $out, $err) = run_cmd({ deadline => 300, env => { proxies() } },
    'make', '-s', '-C', top(), 'BUILD=' . build_dir(),
    (sanitized() ? ('SAN=1', 'CFLAGS=-O1 -g') : ()), 'static');
skip_test(slurp("$dir/skipped") =~ s/\n//r) if $st ne '0' && -f "$dir/skipped";
is($st, '0', 'built, with warnings taken for errors') or do {
    diag($err);
    finish();
    exit;
};

my $t = tracker(binary => "$dir/nginx", module => 0, temp => [], workers => 4,
    delay => '8s', listen => 'reuseport', locations => <<'EOC');
        add_header Worker $pid;
        location = /peers {
            tracker_peers swarm;
            tracker_delay 8s;
        }
        location = /control {
            tracker_control swarm;
            tracker_register on;
        }
EOC

# Prepare and ready, from worker to worker.
my $root = '12' x 32;
my $sp = agent($t);
$sp->say;
my %worker;
for my $n (1 .. 20) {
    my $poll = $sp->poll;
    my $q = $t->ask_start(url => "http://cdn.example.com/$n", size => 10);
    my ($p) = $sp->told($poll, 7);
    $sp->say("+$p->{id} $root cdn");
    my $r = $q->wait(7);
    is($r && $r->json->{super}[0]{state}, 'ready', "answered, $n") or last;
    $worker{ $r->{headers}{worker} } = 1;
}
cmp_ok(scalar(keys %worker), '>', 1, 'by several workers');

my $r = $t->ask(url => 'http://cdn.example.com/1', size => -1);
is("$r->{status} $r->{body}",
    "400 size: not a number from 0 to 9223372036854775807\n", 'refused');

# A reload answers what is parked, and keeps the zone.
my $poll = $sp->poll;
my $q = $t->ask_start(url => 'http://cdn.example.com/parked', size => 10);
$sp->told($poll, 7);
$t->reload;
is($q->wait(5) && $q->wait(0)->{status}, 200, 'answered by the reload');
is($t->ask(url => 'http://cdn.example.com/1', size => 10)->json->{super}[0]{state},
    'ready', 'and nothing forgotten');

finish();
