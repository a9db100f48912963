# /metrics and /status of the super peer: valid, right, documented, and bounded
# however many files there are.

use v5.36;
use Shoal::Test;
use Shoal::FakeTracker qw(fake_tracker);
use Shoal::Metrics qw(parse_metrics);

my $size = 300_000;
my $cdn = cdn(nodes => 2);
$cdn->file('a.bin', $size);
my $t  = fake_tracker();
my $sp = superpeer(trackers => [ $t->conf ], cdn => $cdn);
my $p  = 'shoal_superpeer_';

sub metrics() {
    my $r = http(GET => $sp->status_url('/metrics'));
    is($r->{headers}{'content-type'}, 'text/plain; version=0.0.4; charset=utf-8', 'type');
    return parse_metrics($r->{body}, zone => 0);
}
my $first = metrics();
my $v = $first->{value};
is($v->{"${p}info{name=\"sp1\",version=\"0.1.0\"}"}, 1, 'who it is');
is($v->{"${p}healthy"}, 1, 'healthy');
is($v->{"${p}cache_size_bytes"}, $sp->status->{cache}{size}, 'size of the cache');
cmp_ok($v->{process_open_fds}, '>', 5, 'open files');
cmp_ok($v->{process_max_fds}, '>=', $v->{process_open_fds}, 'and how many may be');
cmp_ok($v->{process_resident_memory_bytes}, '>', 1 << 20, 'memory');

# A file comes, is read, and one cannot come.
my $id = $t->prepare($cdn->url('a.bin'), $size);
$t->wait_line(qr/^\+$id /);
my $no = $t->prepare($cdn->url('none.bin'), 5);
$t->wait_line(qr/^\?$no notfound/);
my $body = http(GET => $sp->base . "/blocks/$id")->{body};
is(length $body, $size, 'its bytes');
http(GET => $sp->base . "/blocks/$id/have");
http(GET => $sp->base . "/blocks/$id/hashes");
http(GET => $sp->base . '/blocks/' . '0' x 40);

my $m = wait_for {
    my $m = metrics();
    $m->{value}{"${p}refusals_total{reason=\"notfound\"}"} ? $m : undef;
} 10, 'the figures';
$v = $m->{value};
# What nodes are compared by is thrown away.
my $wasted = $v->{"${p}wasted_bytes_total{source=\"cdn\"}"};
cmp_ok($wasted, '<', $size / 32, 'little is wasted');
my %want = (
    'cache_sets{state="complete"}' => 1,
    'cache_sets{state="filling"}' => 0,
    'sent_bytes_total' => $size,
    'requests_total{kind="have"}' => 1,
    'requests_total{kind="hashes"}' => 1,
    'requests_total{kind="blocks"}' => 2,
    'answers_total{class="2xx"}' => 3,
    'requests_total{kind="other"}' => 0, # nor the watchdog's
    'answers_total{class="4xx"}' => 1,
    'got_bytes_total{source="cdn"}' => $size + $wasted,
    'got_bytes_total{source="super"}' => 0,
    'prefetches_total{result="complete"}' => 1,
    'refusals_total{reason="notfound"}' => 1,
    'prefetch_running' => 0,
    'prefetch_seconds_count{size="16"}' => 1,
);
is($v->{"$p$_"}, $want{$_}, $_) for sort keys %want;
my ($connected) = grep { /^${p}tracker_connected\{/ } keys %$v;
is($v->{$connected}, 1, 'the tracker is connected');
like($connected, qr/tracker="http:\/\/[^"]+\/control",address="127\.0\.0\.3:\d+"/, 'which');
cmp_ok($v->{"${p}probes_total{result=\"agrees\"}"}, '>=', 1, 'a node agreed');
cmp_ok($v->{"${p}probes_total{result=\"notfound\"}"}, '>=', 1, 'one has no such file');
cmp_ok($v->{process_cpu_seconds_total}, '>', 0, 'CPU time');
is($v->{"${p}prefetch_seconds_bucket{size=\"16\",le=\"+Inf\"}"}, 1, 'histogram');

# Counters do not fall, and are called so.
for my $name (sort keys %{ $m->{type} }) {
    is($m->{type}{$name} eq 'counter', $name =~ /_total$/, "$name: name and type")
        if $m->{type}{$name} eq 'counter' || $name =~ /_total$/;
}
is_deeply([ grep { $m->{type}{ s/\{.*//r } eq 'counter' && $v->{$_} < $first->{value}{$_} }
    grep { exists $m->{type}{ s/\{.*//r } } keys %{ $first->{value} } ], [],
    'no counter falls');
unlike(join(' ', keys %$v), qr/\?|sesame/, 'no query strings, no token');

# Documented, all of them and no others.
my $docs = slurp(top() . '/docs/operations.md');
is_deeply([ sort $docs =~ /^\| `((?:shoal_superpeer|process)_\w+)` \|/mg ],
    [ sort keys %{ $m->{type} } ], 'docs/operations.md has them');
for my $name ($docs =~ /^\| `((?:shoal_superpeer|process)_\w+)` \|/mg) {
    my ($type, $labels) = $docs =~ /^\| `$name` \| (\w+) \| ([^|]*) \|/m;
    is($type, $m->{type}{$name}, "$name: type");
    my %label;
    /^${name}(?:_\w+)?\{(.*)\}$/ and $label{$_} = 1 for keys %$v;
    my @labels = sort keys %{ { map { $_ => 1 } map { /([a-z_]+)="/g } keys %label } };
    is_deeply([ sort $labels =~ /`(\w+)`/g ], [ grep { $_ ne 'le' } @labels ], 'labels');
}

# The state: as many sets as are asked for, and the others behind them.
my $n = 150;
$cdn->file("f$_.bin", 10, $_) for 1 .. $n;
my @id = map { $t->prepare($cdn->url("f$_.bin"), 10) } 1 .. $n;
wait_for { (grep { /^\+/ } $t->lines) > $n } 30, 'many files';
my $status = $sp->status;
is($status->{health}, 'ok', 'health');
is($status->{cache}{sets}, $n + 1, 'all are counted');
is($status->{cache}{complete}, $n + 1, 'complete');
cmp_ok(scalar @{ $status->{sets} }, '>=', 100, 'a page has about a hundred');
cmp_ok(scalar @{ $status->{sets} }, '<', 120, 'and not many more');
my (%seen, $cursor);
for (1 .. 100) {
    my $page = http(GET => $sp->status_url('/status'), args => { sets => 20,
        defined $cursor ? (cursor => $cursor) : () })->json;
    $seen{ $_->{id} }++ for @{ $page->{sets} };
    $cursor = $page->{next};
    last if !defined $cursor;
}
is(scalar keys %seen, $n + 1, 'page by page all of them');
is(scalar @{ http(GET => $sp->status_url('/status?sets=0'))->json->{sets} }, 0, 'or none');
for my $bad ('sets=1001', 'sets=x', 'sets=', 'cursor=-1', 'cursor=99999999999999999999999') {
    is(http(GET => $sp->status_url("/status?$bad"))->{status}, 400, "$bad: 400");
}
is(http(GET => $sp->status_url('/status?cursor=999999'))->json->{sets}[0], undef,
    'behind the last one there is none');

finish();
