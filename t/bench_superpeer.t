# The super peer's bench in its smallest form: every part measures something,
# and goals, parts and their documentation name the same ids. And what it
# stands on: the generator's ranges, and the line with a delay.

use v5.36;
use Shoal::Netns;
use FindBin;
use lib "$FindBin::Bin/../bench/lib";
use JSON::PP ();
use Shoal::Test;
use Shoal::Bench;
use Shoal::Bench::Cgroup qw(cgroup);
use Shoal::Bench::Cold;
use Shoal::Bench::Connections;
use Shoal::Bench::FirstBlock;
use Shoal::Bench::Prefetch;
use Shoal::Bench::Serve;
use Shoal::Bench::Turnover;
use Shoal::Delay qw(delay_line);
use Shoal::Load qw(load load_start load_line);

my @parts = qw(Cold Connections FirstBlock Prefetch Serve Turnover);
my $goals = JSON::PP->new->decode(slurp(top() . '/bench/goals.json'));
my @ids = map { $_->{id} } @{ $goals->{superpeer} };
is_deeply([ sort map { "Shoal::Bench::$_"->ids } @parts ], [ sort @ids ],
    'parts and goals');
my $doc = slurp(top() . '/docs/benchmarks.md') =~ s/`_(\d+)`/_$1/gr;
is_deeply([ grep { my $id = $_ =~ s/_(\d+)$//r; $doc !~ /\| `$id/ } @ids ],
    [], 'documented');

# ---- ranges ----

my $port = free_port();
my $path = make_file(tmpdir('root') . '/a', 1_000_000);
my $n = nginx(http => <<"EOC");
    server {
        listen 127.0.0.1:$port;
        root @{[ tmpdir('root') ]};
        location = /whole { alias $path; max_ranges 0; }
        location = /other {
            add_header Content-Range 'bytes 0-99999/999999' always;
            return 206 'too short';
        }
    }
EOC
my $server = "127.0.0.1:$port";
my %file = (size => 1_000_000, range => 300_000);
my $r = load(run => $server, url => '/a', %file, requests => 4,
    connections => 1, sum => 1);
is($r->{body_bytes}, 1_000_000, 'ranges, the last one short');
is($r->{sha256}, sha256_file($path), 'their sum');
$r = load(run => $server, url => '/a', %file, requests => 40,
    connections => 3, discard => 1, random => 1);
is($r->{requests}, 40, 'thrown away');
cmp_ok($r->{body_bytes}, '>', 4_000_000, 'and counted');
for my $url (qw(/whole /other)) {
    ok(!eval { load(run => $server, url => $url, %file, requests => 3) },
        "$url is no range");
    like($@, qr/wrong_(?:status|range): 3 of 3/, 'and is seen');
}
$r = load(run => $server, url => '/a', %file, seconds => 0.3, warm => 0.1,
    cut => 1, discard => 1, meter => ($n->worker_pids)[0]);
cmp_ok($r->{cpu_ns}, '>', 1e6, 'CPU time of the server');
cmp_ok($r->{cpu_ns}, '<', 1e9 * $r->{seconds}, 'of that time only');

my $p = load_start(hold => $server, url => '/a', %file, connections => 30,
    seconds => 60)->any_status;
is(load_line($p)->{standing}, 30, 'held');
$p->stop;

# ---- the line ----

my $line = delay_line(rtt_ms => 60, rate_mbit => 80);
nginx(wrap => [ $line->wrap ], http => <<"EOC");
    server { listen @{[ $line->far ]}:8080; root @{[ tmpdir('root') ]}; }
EOC
my (undef, $times) = run_cmd(qw(curl -sf -o /dev/null -w),
    '%{time_connect} %{time_total}', 'http://' . $line->far . ':8080/a');
my ($connect, $total) = split ' ', $times;
cmp_ok($connect, '>=', 0.06, 'a round trip');
cmp_ok($total, '>=', 0.22, 'two, and a megabyte at 80 Mbit/s');
cmp_ok($total, '<', 3, 'no more than that');
my $sum = $line->stop;
cmp_ok($sum->{passed}, '>', 700, 'packets passed');
is($sum->{lost}, 0, 'none was lost');

# ---- the bench ----

my $dir = tmpdir('bench');
symlink build_dir() . "/$_", "$dir/$_" for qw(superpeer);
mkdir "$dir/bench";
symlink build_dir() . "/bench/$_", "$dir/bench/$_" for qw(load delay);
my @only = map { lc } eval { cgroup('try', 1 << 25)->remove; 1 } ? @parts
    : grep { $_ ne 'Cold' } @parts;
my ($st, $out, $err) = run_cmd({ deadline => 170, name => 'bench',
        env => { SHOAL_BUILD => $dir, TINY => 1, ONLY => join ',', @only } },
    $^X, top() . '/bench/superpeer.pl');
is($st, 0, 'bench-superpeer') or diag($err);
my $json = JSON::PP->new->decode(slurp("$dir/bench/superpeer.json"));
my %result = map { $_->{id} => $_ } @{ $json->{results} };
my @want = grep { @only == @parts || $_ ne 'cold_ratio' } @ids;
is_deeply([ sort keys %result ], [ sort @want ], 'all is measured');
# Few connections may find the memory that they need.
is_deeply([ grep { $_ ne 'first_block_extra_rtt' && !/_kib$/
    && !($result{$_}{value} > 0) } keys %result ], [], 'as numbers above 0');
is_deeply([ grep { !($result{$_}{value} >= 0) } grep { /_kib$/ }
    keys %result ], [], 'or of KiB, 0');

finish();
