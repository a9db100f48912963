# The page of state: the roster, the busiest resources, one resource in full.

use v5.36;
use Shoal::Agent qw(agent);
use Shoal::Test;

# So many buckets that a walk takes several turns of the event loop.
my $t = tracker(delay => '50ms', zone => '256m', peers => 'tracker_early off;',
    server => 'location = /announce { tracker_announce swarm; }');
my $page = $t->base . '/status';
my $url = 'http://cdn.example.com/';
my @root = map { $_ x 32 } 'ab', 'cd';

subtest 'nothing yet' => sub {
    my $r = http(GET => $page);
    is($r->{status}, 200, 'status');
    is($r->{headers}{'content-type'}, 'application/json', 'type');
    is($r->{headers}{'cache-control'}, 'no-store', 'not stored');
    my $j = $r->json;
    like($j->{epoch}, qr/^[0-9a-f]{16}$/, 'epoch');
    is_deeply([ @$j{qw(zone version super busiest swarms peers workers)} ],
        [ 'swarm', '0.1', [], [], { resources => 0, torrents => 0 },
          { complete => 0, incomplete => 0 }, 2 ], 'empty');
    cmp_ok($j->{memory}{used}, '<', $j->{memory}{size}, 'memory');
    my ($v) = slurp(top() . '/CHANGELOG.md') =~ /^## (\S+)/m;
    is($j->{version}, $v, 'the version of CHANGELOG.md');
};

my @sp = map { agent($t, name => "sp$_", args => { locality => "cn/$_",
    capacity => 1_000_000, free => 900_000, active => 3, rate => 77 }) } 1, 2;
my @poll = map { $_->poll } @sp;
$_->say for @sp;

subtest 'the roster' => sub {
    my $j;
    wait_for { $j = $t->status; $j->{parked}{polls} == 2 } 5, 'both polls';
    my ($one, $two) = @{ $j->{super} };
    is_deeply([ @$one{qw(name state url address locality session commands)} ],
        [ 'sp1', 'alive', $sp[0]->base, $sp[0]{from}, 'cn/1', $sp[0]{session}, 0 ], 'sp1');
    is($two->{name}, 'sp2', 'sp2');
    is_deeply([ @{ $one->{load} }{qw(capacity free active rate)} ], [ 1_000_000, 900_000, 3, 77 ], 'load');
    is($one->{seen}, 0, 'its poll waits');
    is_deeply($one->{sets}, { ready => 0, filling => 0, preparing => 0, refused => 0 }, 'sets');
};

# Peers of 30 resources: the k-th has k.
my @q;
for my $k (1 .. 30) {
    push @q, map { $t->ask_start(url => "${url}r$k", size => 1000 + $k, version => 'text:v',
        port => 2000 + $_, left => $_ % 2, from => '127.0.2.' . $_) } 1 .. $k;
    http_wait_all(5, splice @q) if @q > 100;
}
http_wait_all(5, @q);

my %id;
for my $i (0, 1) {
    while (keys %{ $id{$i} // {} } < 30) {
        $id{$i}{ $_->{url} } = $_->{id} for $sp[$i]->told($poll[$i]);
        $poll[$i] = $sp[$i]->poll;
    }
}
my $id = $id{0}{"${url}r30"};
$sp[0]->say("+$id $root[0] cdn", "~$id{0}{\"${url}r29\"} 1", "?$id{0}{\"${url}r28\"} busy");

subtest 'the busiest' => sub {
    my $j = $t->status;
    is(@{ $j->{busiest} }, 20, 'at most 20');
    is_deeply([ map { $_->{complete} + $_->{incomplete} } @{ $j->{busiest} } ],
        [ reverse 11 .. 30 ], 'by peers');
    is_deeply($j->{busiest}[0], { id => $id, type => 'resource', url => "${url}r30",
        size => 1030, version => 'text:v', provider => '', complete => 15,
        incomplete => 15, super => 2 }, 'the first');
    is($j->{swarms}{resources}, 30, 'swarms');
    is($j->{peers}{complete} + $j->{peers}{incomplete}, 465, 'peers');
    is_deeply($j->{super}[0]{sets}, { ready => 1, filling => 1, preparing => 27, refused => 1 }, 'sets of sp1');
    is_deeply($j->{super}[1]{sets}, { ready => 0, filling => 0, preparing => 30, refused => 0 }, 'sets of sp2');
};

subtest 'one' => sub {
    my $j = $t->status(id => $id);
    is_deeply([ @$j{qw(id url size version provider complete incomplete super root votes voters)} ],
        [ $id, "${url}r30", 1030, 'text:v', '', 15, 15, 2, $root[0], 1, 1 ], 'by id');
    is(@{ $j->{list} }, 30, 'its peers');
    like($_->{addr}, qr/^127\.0\.2\.\d+:20\d\d$/, 'a peer') for $j->{list}[0];
    is(scalar(grep { $_->{complete} } @{ $j->{list} }), 15, 'half of them complete');
    my %h = map { $_->{name} => $_ } @{ $j->{holders} };
    is_deeply([ @{ $h{sp1} }{qw(state root vote alive)} ],
        [ 'ready', $root[0], JSON::PP::true, JSON::PP::true ], 'sp1');
    is_deeply([ @{ $h{sp2} }{qw(state root)} ], [ 'preparing', undef ], 'sp2');

    my $u = $t->status(url => "HTTP://CDN.example.com:80/r30", size => 1030, version => 'text:v');
    is($u->{id}, $id, 'by URL');
    is(@{ $t->status(id => $id, numwant => 7)->{list} }, 7, 'numwant');
    is_deeply($t->status(id => $id, numwant => 0)->{list}, [], 'none wanted');
    my ($refused) = grep { $_->{name} eq 'sp1' } @{ $t->status(url => "${url}r28", size => 1028, version => 'text:v')->{holders} };
    is_deeply([ @$refused{qw(state reason)} ], [ 'refused', 'busy' ], 'refused');

    $sp[1]->say("+$id $root[1] cdn");
    $j = $t->status(id => $id);
    is_deeply([ @$j{qw(root votes voters)} ], [ undef, 0, 2 ], 'roots that differ');
};

subtest 'a torrent' => sub {
    my $hash = '0123456789abcdefghij';
    is(http(GET => $t->base . "/announce?info_hash=$hash&peer_id=$hash&port=77&left=0&uploaded=0&downloaded=0")
        ->{status}, 200, 'announced');
    my $j = $t->status(id => unpack 'H*', $hash);
    is_deeply([ @$j{qw(type complete url)} ], [ 'torrent', 1, undef ], 'by its info-hash');
    is($t->status->{swarms}{torrents}, 1, 'counted');
};

subtest 'not used by being looked at' => sub {
    my $before = $t->status(id => $id)->{idle};
    wait_for { $t->status(id => $id)->{idle} > $before } 5, 'it to grow older';
    ok(1, 'idle goes on');
};

subtest 'bad' => sub {
    my $bad = sub ($status, $text, %args) {
        my $r = http(GET => $page, args => \%args);
        is("$r->{status} $r->{body}", "$status $text\n", $text);
    };
    $bad->(404, 'id: not known', id => '0' x 40);
    $bad->(404, 'url: not known', url => "${url}r30", size => 7);
    $bad->(400, 'id: not 40 hex digits', id => '0' x 39);
    $bad->(400, 'id: not 40 hex digits', id => 'g' x 40);
    $bad->(400, 'id: not 40 hex digits', id => '');
    $bad->(400, 'id: not with url or size', id => $id, url => $url);
    $bad->(400, 'size: missing', url => $url);
    $bad->(400, 'url: missing', size => 1);
    $bad->(400, 'size: not a number from 0 to 9223372036854775807', url => $url, size => 'x');
    $bad->(400, 'numwant: not a number from 0 to 200', id => $id, numwant => 201);
    $bad->(403, 'url: host not served by this tracker', url => 'http://x/', size => 1);
    my $r = http(GET => "$page?id=$id&id=$id");
    is("$r->{status} $r->{body}", "400 id: given twice\n", 'given twice');
    is(http(POST => $page, body => '')->{status}, 405, 'GET only');
    is(http(HEAD => $page)->{body}, '', 'HEAD');
};

subtest 'many at once, some leave, a reload' => sub {
    my @all = map { http_start(GET => $page) } 1 .. 40;
    $_->close for splice @all, 0, 10;
    $t->reload;
    my @ok = grep { $_ && $_->{status} == 200 && @{ $_->json->{busiest} } == 20 } http_wait_all(10, @all);
    is(@ok, 30, 'all who stayed have the whole page');
    $t->wait_old_workers;
    $_->wait(5) for @poll;
    wait_for { $t->status->{parked}{polls} == 0 } 5, 'no poll';
    is($t->status->{workers}, 2, 'workers');
};

subtest 'away' => sub {
    my $j;
    wait_for { $j = $t->status; !grep { $_->{state} ne 'away' } @{ $j->{super} } } 10, 'both to be away';
    cmp_ok($j->{super}[0]{seen}, '>=', 5, 'since when');
};

finish();
