# The page for Prometheus: its format is strict, its numbers add up over the
# workers and over reloads, and it says what docs/operations.md says.

use v5.36;
use Shoal::Agent qw(agent);
use Shoal::Metrics qw(parse_metrics);
use Shoal::Test;

my $t = tracker(delay => '400ms', clock => 1, http => 'limit_req_zone $arg_limit zone=l:1m rate=1r/m;',
    peers => 'limit_req zone=l;', server => 'location = /slow { tracker_peers swarm; tracker_delay 20s; }');
my $page = $t->base . '/metrics';
my $url = 'http://cdn.example.com/';
my $root = '5c' x 32;

# Counted when a request is over, which may be after its answer is read.
my %m;
sub soon($what, $value) {
    my $ok = eval { wait_for { %m = %{ $t->metrics }; $m{"shoal_tracker_$what"} == $value } 5, $what; 1 };
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    ok($ok, "$what $value") or diag("is $m{\"shoal_tracker_$what\"}");
}

# Asks where the delay is long.
sub slow($name) { return http_start(GET => $t->base . "/slow?url=$url$name&size=1") }

# Of all samples of a metric.
sub total($name, $re = qr//) {
    my $n = 0;
    $n += $m{$_} for grep { /^shoal_tracker_$name\{/ && $_ =~ $re } keys %m;
    return $n;
}

subtest 'format' => sub {
    my $r = http(GET => $page);
    is($r->{status}, 200, 'status');
    is($r->{headers}{'content-type'}, 'text/plain; version=0.0.4', 'type');
    is($r->{headers}{'cache-control'}, 'no-store', 'not stored');
    my $m = eval { parse_metrics($r->{body}) };
    ok($m, 'parses') or diag($@);
    is_deeply([ keys %{ $m->{zone} } ], [ 'swarm' ], 'zone');
    like($_, qr/^shoal_tracker_[a-z_]+$/, $_) for keys %{ $m->{type} };
    my @odd = grep { (/_total$/ ? 1 : 0) != ($m->{type}{$_} eq 'counter' ? 1 : 0) }
        keys %{ $m->{type} };
    is_deeply(\@odd, [], 'counters end in _total, and only they');
    is(http(POST => $page, body => 'x')->{status}, 405, 'GET only');
    is(http(HEAD => $page)->{status}, 200, 'HEAD');
    soon('requests_total{kind="metrics",code="405"}', 1);
};

subtest 'the same as the document' => sub {
    my $docs = slurp(top() . '/docs/operations.md');
    my ($section) = $docs =~ /^## Metrics\n(.*?)^## /ms;
    my $m = parse_metrics(http(GET => $page)->{body});
    my %docs;
    for ($section =~ /^(\| `shoal_tracker_.*)$/mg) {
        my (undef, $name, $type, $unit, $labels) = split / *\| */;
        $docs{ $name =~ s/`//gr } = [ $type, join ',', $labels =~ /`(\w+)`/g ];
        isnt($unit, '', "$name has a unit");
    }
    my %code;
    for my $name (keys %{ $m->{type} }) {
        my ($sample) = grep { /^$name(?:_sum)?(?:\{|$)/ } keys %{ $m->{value} };
        $code{$name} = [ $m->{type}{$name}, join ',', $sample =~ /(\w+)=/g ];
    }
    is_deeply(\%docs, \%code, 'names, types and labels');

    my ($reasons) = $docs =~ /^### Reasons\n(.*?)^### /ms;
    my %here = map { /kind="peers",reason="(\w+)"/ ? ($1 => 1) : () } keys %{ $m->{value} };
    is_deeply([ sort $reasons =~ /^\| `(\w+)` \|/mg ], [ sort keys %here ], 'reasons');
    for my $kind (map { /requests_total\{kind="(\w+)",code="200"/ ? $1 : () } keys %{ $m->{value} }) {
        like($section, qr/`$kind`/, "kind $kind");
    }
    for my $code (map { /kind="peers",code="(\d+)"/ ? $1 : () } keys %{ $m->{value} }) {
        like($section, qr/^.*`code` is the status:.*\b$code\b/m, "code $code");
    }
};

subtest 'peer lists' => sub {
    my @q = map { $t->ask_start(url => "${url}a$_", size => 100, port => 1000 + $_,
        from => "127.0.0.$_", left => $_ % 3 ? 100 : 0, got => "1,10,$_") } 1 .. 30;
    is(scalar(grep { $_ && $_->{status} == 200 } http_wait_all(5, @q)), 30, 'answered');
    $t->ask(url => "${url}a1", size => 100, from => '127.0.0.1', port => 1001, event => 'stopped');
    $t->ask(url => $url . 'a', size => 'x');
    $t->ask(url => 'http://other.example.com/', size => 1);
    http(POST => $t->url, body => '');
    http(GET => $t->url . "?limit=1&url=${url}b&size=1") for 1 .. 2;
    soon('requests_total{kind="peers",code="200"}', 32);
    soon('requests_total{kind="peers",code="400"}', 1);
    soon('requests_total{kind="peers",code="403"}', 1);
    soon('requests_total{kind="peers",code="405"}', 1);
    soon('requests_total{kind="peers",code="503"}', 1);
    soon("answers_total{kind=\"peers\",reason=\"$_->[0]\"}", $_->[1])
        for [ none => 31 ], [ stopped => 1 ], [ bad => 2 ], [ forbidden => 1 ], [ limited => 1 ];
    is(total('requests_total', qr/"peers"/), 36, 'all requests');
    is(total('answers_total', qr/"peers"/), 36, 'each for one reason');
    is($m{'shoal_tracker_swarms{type="resource"}'}, 30, 'swarms');
    is($m{'shoal_tracker_peers{family="ipv4",state="complete"}'}, 10, 'complete');
    is($m{'shoal_tracker_peers{family="ipv4",state="incomplete"}'}, 19, 'incomplete');
    is($m{"shoal_tracker_clients_got_bytes_total{source=\"$_->[0]\"}"}, $_->[1], "got: $_->[0]")
        for [ super => 30 ], [ peer => 300 ], [ cdn => 465 ];
    cmp_ok($m{shoal_tracker_zone_used_bytes}, '<', $m{shoal_tracker_zone_size_bytes}, 'used');
    is($m{shoal_tracker_workers}, 2, 'workers');
};

my $sp = agent($t);
my $poll = $sp->poll;
$sp->say;

subtest 'got= is no more than the file' => sub {
    my $before = $m{'shoal_tracker_clients_got_bytes_total{source="cdn"}'};
    $t->ask(url => $url . 'g', size => 7, got => '0,0,9223372036854775807', event => 'stopped');
    soon('clients_got_bytes_total{source="cdn"}', $before + 7);
};

subtest 'parked' => sub {
    soon('parked{kind="poll"}', 1);
    soon('super_peers{state="alive"}', 1);
    my @q = map { slow('p') } 1 .. 2;
    my ($p) = $sp->told($poll);
    $poll = $sp->poll;
    soon('prepares_sent_total', 1);
    soon('parked{kind="peers"}', 2);
    $_->close for @q;
    soon('answers_total{kind="peers",reason="left"}', 2);
    soon('requests_total{kind="peers",code="499"}', 2);
    soon('parked{kind="peers"}', 0);

    @q = map { $t->ask_start(url => $url . 'p', size => 1) } 1 .. 6;
    http_wait_all(5, @q);
    soon('answers_total{kind="peers",reason="deadline"}', 6);
    soon('wait_seconds_count{kind="peers"}', 8);
    cmp_ok($m{'shoal_tracker_wait_seconds_bucket{kind="peers",le="0.350"}'}, '<=', 2,
        'only those who left had waited less than the delay');
    cmp_ok($m{'shoal_tracker_wait_seconds_sum{kind="peers"}'}, '>=', 6 * 0.4, 'sum');

    my $q = slow('p');
    soon('parked{kind="peers"}', 1);
    $sp->say("+$p->{id} $root cdn");
    is($q->wait(5)->{status}, 200, 'answered');
    soon('answers_total{kind="peers",reason="ready"}', 1);
    soon('prepares_ready_total', 1);
    $t->ask(url => $url . 'p', size => 1);
    soon('answers_total{kind="peers",reason="ready"}', 2);

    $q = slow('r');
    my ($r) = $sp->told($poll);
    $poll = $sp->poll;
    $sp->say("?$r->{id} noagree");
    $q->wait(5);
    soon('prepares_refused_total{reason="noagree"}', 1);
    soon('answers_total{kind="poll",reason="ready"}', 2);
    is(total('prepares_refused_total'), 1, 'refused once');
};

subtest 'told by super peers' => sub {
    my $other = agent($t);
    my $id = $t->ask(url => $url . 'p', size => 1, event => 'stopped')->json->{id};
    $other->say("+$id " . '6d' x 32 . ' cdn');
    soon('conflicts_total', 1);
    my $poll = $other->poll(got => '5,6,7', sent => 8);
    soon('parked{kind="poll"}', 2);
    $other->call('', got => '15,26,37', sent => 48);
    soon('super_peers_sent_bytes_total', 40);
    is($m{"shoal_tracker_super_peers_got_bytes_total{source=\"$_->[0]\"}"}, $_->[1], $_->[0])
        for [ super => 10 ], [ peer => 20 ], [ cdn => 30 ];
    $poll->close;
    soon('parked{kind="poll"}', 1);
    soon('answers_total{kind="poll",reason="left"}', 1);
};

subtest 'reload' => sub {
    my %before = %{ $t->metrics };
    $t->reload;
    $poll->wait(5);
    $t->wait_old_workers;
    soon('answers_total{kind="poll",reason="exiting"}', 1);
    my @less = grep { /_total|_count|_bucket|_sum/ && $m{$_} < $before{$_} } keys %before;
    is_deeply(\@less, [], 'no counter went back');
    is($m{shoal_tracker_workers}, 2, 'workers');
    is($m{'shoal_tracker_parked{kind="poll"}'}, 0, 'nothing is parked');
    is($m{shoal_tracker_start_time_seconds}, $before{shoal_tracker_start_time_seconds}, 'the same zone');
};

subtest 'workers are killed' => sub {
    $t->allow_log(qr/worker process \d+ exited on signal 9/);
    my @q = map { agent($t, name => "k$_", from => "127.0.1.$_")->poll } 1 .. 12;
    soon('parked{kind="poll"}', 12);
    my %before = %m;
    for my $victim ($t->worker_pids) {
        kill 'KILL', $victim;
        wait_for { $t->worker_pids == 2 && !grep { $_ == $victim } $t->worker_pids }
            10, 'another worker';
        wait_for {
            %m = %{ $t->metrics };
            $m{'shoal_tracker_parked{kind="poll"}'} == grep { $_->pending } @q;
        } 5, 'those who are left, and no more';
    }
    # workers beside those that are there have the places of the dead
    $t->reload;
    $t->wait_old_workers;
    %m = %{ $t->metrics };
    is($m{'shoal_tracker_parked{kind="poll"}'}, 0, 'none is left');
    my @less = grep { /_total|_count|_bucket|_sum/ && $m{$_} < $before{$_} } keys %before;
    is_deeply(\@less, [], 'no counter went back');
    is($m{shoal_tracker_workers}, 2, 'workers');
    my $ahead = 0;
    wait_for { $t->ahead($ahead += 6); !$t->metrics->{'shoal_tracker_super_peers{state="alive"}'} }
        10, 'super peers to be away whose polls they held';
    pass('super peers whose polls they held are away');
};

finish();
