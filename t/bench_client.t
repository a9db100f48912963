# The client's bench in its smallest form: every part measures something (one
# crowd, nothing at 40 ms, no 10,000 clients), and goals, parts and their documentation name the
# same ids.

use v5.36;
use Shoal::Netns;
use FindBin;
use lib "$FindBin::Bin/../bench/lib";
use JSON::PP ();
use Shoal::Test;
use Shoal::Bench;
use Shoal::Bench::Crowd;
use Shoal::Bench::CrowdSuper;
use Shoal::Bench::Failing;
use Shoal::Bench::Loopback;
use Shoal::Bench::Mirrors;
use Shoal::Bench::Simulator;
use Shoal::Bench::Wget;

my @parts = qw(Wget Loopback Mirrors Failing Crowd CrowdSuper
    Simulator);
my $goals = JSON::PP->new->decode(slurp(top() . '/bench/goals.json'));
my @ids = map { $_->{id} } @{ $goals->{client} };
is_deeply([ sort map { "Shoal::Bench::$_"->ids } @parts ], [ sort @ids ],
    'parts and goals');
my $doc = slurp(top() . '/docs/benchmarks.md');
is_deeply([ grep { my $id = $_ =~ s/_40ms$//r; $doc !~ /\| `$id`/ } @ids ],
    [], 'documented');

# ---- what a command took ----

my $once = program('bench/once');
my ($st, $out, $err) = run_cmd($once, '--stdout', tmpdir() . '/out', 'sh',
    '-c', 'echo text; sleep 0.2; exit 7');
is($st, 0, 'once');
my $r = JSON::PP->new->decode($out);
is($r->{status}, 7, 'the status of what it ran');
cmp_ok($r->{seconds}, '>=', 0.2, 'its time');
cmp_ok($r->{cpu_s}, '<', $r->{seconds}, 'that it slept');
cmp_ok($r->{rss_kib}, '>', 100, 'its memory');
is(slurp(tmpdir() . '/out'), "text\n", 'its output');
($st, $out, $err) = run_cmd($once, 'sh', '-c', 'kill -9 $$');
is(JSON::PP->new->decode($out)->{status}, 256 + 9, 'killed');
($st, $out, $err) = run_cmd($once, '--warm', 64, 'true');
cmp_ok(JSON::PP->new->decode($out)->{rss_kib}, '<', 32 << 10,
    'what it was warmed with is not its own');
($st, $out, $err) = run_cmd($once, '/no/such/command');
is($st, 1, 'no such command');
like($err, qr{^once: /no/such/command: No such file}, 'is told');

# ---- the bench ----

my $dir = tmpdir('bench');
symlink build_dir() . "/$_", "$dir/$_"
    for qw(shoal superpeer ngx_http_tracker_module.so);
mkdir "$dir/bench";
symlink build_dir() . "/bench/$_", "$dir/bench/$_" for qw(once delay sim);
($st, $out, $err) = run_cmd({ deadline => 120, name => 'bench',
        env => { SHOAL_BUILD => $dir, TINY => 1 } },
    $^X, top() . '/bench/client.pl');
is($st, 0, 'bench-client') or diag($err);
my $json = JSON::PP->new->decode(slurp("$dir/bench/client.json"));
my %result = map { $_->{id} => $_ } @{ $json->{results} };
my @want = grep { !/_40ms$|^sim_/ && (!/^swarm/ || /^swarm(?:32|_copies)$/) }
    @ids;
is_deeply([ sort keys %result ], [ sort @want ], 'all is measured');
is_deeply([ grep { ref $result{$_}{runs} ne 'ARRAY'
    || !@{ $result{$_}{runs} } } keys %result ], [], 'in runs');

finish();
