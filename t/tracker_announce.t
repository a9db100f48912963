# BitTorrent's announce: registration, lists of both address families, events,
# and what is refused.

use v5.36;
use IO::Socket::IP;
use Shoal::Bencode qw(bdecode);
use Shoal::Test;
use Shoal::Torrent qw(announce scrape failure info_hash bt_query bt_answer);

my $six = eval { IO::Socket::IP->new(LocalHost => '::1', Listen => 1) } ? 1 : 0;
my $port6 = free_port($six ? '::1' : '127.0.0.1');

my $t = tracker(workers => 2, delay => '0',
    http => 'map $arg_where $where { default ""; ~^[a-z]+$ $arg_where; }'
        . 'tracker_zone short:1m; tracker_zone full:1m;'
        . 'large_client_header_buffers 4 16k;',
    server => ($six ? "listen [::1]:$port6;" : '') . q{
        location = /announce { tracker_announce swarm; tracker_interval 30m;
                               tracker_locality $where; }
        location = /scrape   { tracker_scrape swarm; }
        location = /full     { tracker_announce full; }
        location = /short    { tracker_announce short; tracker_interval 2s; }
        location = /odd      { tracker_announce short; tracker_interval 1s; }
        location = /if       { if ($arg_port) { set $x 1; }
                               tracker_announce swarm; }
    });

my $id = info_hash('q');
my $q = bt_query('announce', info_hash => $id, port => 6881);

subtest 'answers, byte by byte' => sub {
    my $head = 'd8:completei0e10:downloadedi0e10:incompletei%de'
        . '8:intervali1800e12:min intervali900e5:peers';
    my $url = $t->base . '/' . bt_query('announce', info_hash => info_hash('b'),
        port => 258, left => 1, compact => 1);
    is(http(GET => $url, from => '127.0.0.5')->{body},
        sprintf($head, 1) . '0:e', 'alone');
    is(http(GET => $url, from => '127.0.0.6')->{body},
        sprintf($head, 2) . "6:\x7f\0\0\5\1\2e", 'two');
    is(http(GET => $url =~ s/compact=1/compact=0/r, from => '127.0.0.6')
        ->{body}, sprintf($head, 2) . 'ld2:ip9:127.0.0.54:porti258eeee',
        'a list of dictionaries');
    my $r = http(HEAD => $url, from => '127.0.0.6');
    is("$r->{status} $r->{body}", '200 ', 'HEAD');
    is($r->{headers}{'content-length'}, length(sprintf $head, 2) + 9, 'length');
    is_deeply([ announce($t, 'i', path => 'odd')->@{'interval',
        'min interval'} ], [ 1, 1 ], 'the shortest interval');
    is(announce($t, 'i', path => 'if')->{interval}, 60, 'default, in an "if"');
};

subtest 'registration' => sub {
    my @me = (from => '127.0.0.11', port => 4000);
    is_deeply(announce($t, 'a', @me)->{peers}, [], 'not on its own list');
    is_deeply(announce($t, 'a', from => '127.0.0.12', port => 4000)->{peers},
        [ '127.0.0.11:4000' ], 'on that of others');
    is_deeply(announce($t, 'a', from => '127.0.0.12', port => 4001)->{peers},
        [ '127.0.0.11:4000', '127.0.0.12:4000' ], 'another port, another peer');
    my $two = [ '127.0.0.12:4000', '127.0.0.12:4001' ];
    is_deeply(announce($t, 'a', @me)->{peers}, $two, 'again: still once');
    is_deeply(announce($t, 'a', @me, ip => '192.0.2.1', ipv4 => '192.0.2.1',
        ipv6 => '2001:db8::1')->{peers}, $two, 'told other addresses');
    is_deeply(announce($t, 'a', from => '127.0.0.13', port => 1)->{peers},
        [ '127.0.0.11:4000', @$two ], 'which are not believed');
    is_deeply(announce($t, 'a2', @me)->{peers}, [], 'another torrent');
    my $hash = pack('C*', 0 .. 9, 27, 37, 38, 61, 127, 128, 160, 192, 254, 255);
    my $bin = bt_query('announce', info_hash => $hash, port => 1, compact => 1);
    bt_answer(http(GET => $t->base . "/$bin", from => '127.0.0.11'));
    is(length bt_answer(http(GET => $t->base . '/' . $bin =~ s/%[0-9A-F]{2}/\L$&/gr,
        from => '127.0.0.12'))->{peers}, 6, 'any byte, however it is escaped');
    my $plain = 'announce?port=2&compact=1&info_hash=ABCDEFGHIJKLMNOPQR+-';
    bt_answer(http(GET => $t->base . "/$plain", from => '127.0.0.11'));
    is(length bt_answer(http(GET => $t->base . '/' . $plain =~ s/\+/%2b/r,
        from => '127.0.0.12'))->{peers}, 6, 'a plus is a plus');
};

subtest 'IPv6' => sub {
    plan(skip_all => 'no IPv6 here') if !$six;
    my @six = (base => "http://[::1]:$port6");
    announce($t, '6', @six, port => 6000);
    announce($t, '6', from => '127.0.0.5', port => 6001);
    my $a = announce($t, '6', from => '127.0.0.6', port => 6001);
    is_deeply([ $a->@{qw(peers peers6)} ], [ [ '127.0.0.5:6001' ],
        [ '[::1]:6000' ] ], 'both families, asked over IPv4');
    $a = announce($t, '6', @six, port => 6002);
    is_deeply([ $a->@{qw(peers peers6)} ], [ [ '127.0.0.5:6001',
        '127.0.0.6:6001' ], [ '[::1]:6000' ] ], 'over IPv6');
    is($a->{incomplete}, 4, 'one over both is two peers');
    $a = announce($t, '6', @six, port => 6000, compact => undef);
    is_deeply([ $a->@{qw(peers peers6)} ], [ [ '127.0.0.5:6001',
        '127.0.0.6:6001', '[::1]:6002' ], [] ], 'dictionaries: in one list');
    announce($t, '6', @six, port => 6002, event => 'stopped');
    $a = announce($t, '6', @six, port => 6000, numwant => 1);
    is(@{ $a->{peers} } + @{ $a->{peers6} }, 1, 'numwant is for both');
    announce($t, '6only', @six, port => 6000);
    $a = announce($t, '6only', from => '127.0.0.6');
    is($a->{bytes}, 0, 'only IPv6: no peers');
    is_deeply($a->{peers6}, [ '[::1]:6000' ], 'but peers6');
};

subtest 'numwant' => sub {
    my @q = map { http_start(GET => $t->base . '/' . bt_query('announce',
        info_hash => info_hash('n'), port => 5000 + $_, left => 1),
        from => "127.0.1.$_") } 1 .. 250;
    http_wait_all(10, @q);
    my $n = sub ($want) { scalar @{ announce($t, 'n', port => 1,
        numwant => $want)->{peers} } };
    is($n->($_->[0]), $_->[1], 'numwant ' . ($_->[0] // 'not given'))
        for [ 0, 0 ], [ 1, 1 ], [ 200, 200 ], [ 201, 200 ],
            [ '9223372036854775807', 200 ], [ -1, 50 ], [ undef, 50 ];
    my $list = announce($t, 'n', port => 1)->{peers};
    my %uniq = map { $_ => 1 } @$list;
    is(keys %uniq, 50, 'nobody twice');
    my %seen;
    $seen{$_} = 1 for map { @{ announce($t, 'n', port => 1,
        numwant => 200)->{peers} } } 1 .. 20;
    is(keys %seen, 250, 'everybody has a turn');
    is(@{ announce($t, 'n', port => 1, numwant => 200, compact => 0)->{peers} },
        200, 'as dictionaries');
};

subtest 'events' => sub {
    my @me = (from => '127.0.0.11', port => 4000);
    announce($t, 'e', @me, event => 'started');
    my $a = announce($t, 'e', from => '127.0.0.12', event => 'stopped');
    is_deeply($a->{peers}, [], 'who stops gets no peers');
    is($a->{incomplete}, 1, 'but numbers, where it is not in');
    for my $event ('', 'paused', 'started', 'Stopped') {
        announce($t, 'e', @me, event => $event);
        is_deeply(announce($t, 'e', from => '127.0.0.12')->{peers},
            [ '127.0.0.11:4000' ], "event=$event");
    }
    announce($t, 'e', from => '127.0.0.11', port => 4001, event => 'stopped');
    announce($t, 'e', from => '127.0.0.13', port => 4000, event => 'stopped');
    is_deeply(announce($t, 'e', from => '127.0.0.12')->{peers},
        [ '127.0.0.11:4000' ], 'others can not take it off');
    announce($t, 'e', @me, event => 'stopped');
    is_deeply(announce($t, 'e', from => '127.0.0.12')->{peers}, [],
        'it can');
    announce($t, 'e', @me, event => 'stopped');
    announce($t, 'e', @me);
    is_deeply(announce($t, 'e', from => '127.0.0.12')->{peers},
        [ '127.0.0.11:4000' ], 'and come back');
};

subtest 'numbers' => sub {
    my $numbers = sub ($a) { join ' ', $a->@{qw(complete incomplete downloaded)} };
    my $say = sub ($n, $what, $want, %o) {
        is($numbers->(announce($t, 'c', from => "127.0.0.1$n", %o)), $want, $what);
    };
    $say->(1, 'a leecher', '0 1 0', event => 'started', left => 9);
    $say->(2, 'a seed was complete before', '1 1 0', event => 'started', left => 0);
    $say->(3, 'without left: a leecher', '1 2 0', left => undef);
    $say->(1, 'completed', '2 1 1', event => 'completed', left => 0);
    $say->(1, 'again', '2 1 1', event => 'completed', left => 0);
    $say->(1, 'and on', '2 1 1', left => 0);
    $say->(3, 'completed without left', '3 0 2', event => 'completed', left => undef);
    $say->(3, 'lost some: a leecher again', '2 1 2', left => 5);
    $say->(4, 'paused: complete in what it wants', '2 2 2', event => 'paused', left => 5);
    $say->(1, 'a seed stops', '1 2 2', event => 'stopped', left => 0);
    $say->(1, 'again', '1 2 2', event => 'stopped', left => 0);
    $say->(3, 'a leecher stops', '1 1 2', event => 'stopped', left => 5);
    my $s = scrape($t, info_hash('c'))->{files};
    is($numbers->($s->{ info_hash('c') }), '1 1 2', 'in a scrape');
    $say->($_, "peer $_ stops", $_ == 2 ? '0 1 2' : '0 0 2', event => 'stopped')
        for 2, 4;
    $say->(1, 'what was is remembered', '1 0 2', left => 0);
};

subtest 'torrents and resources' => sub {
    my %f = (url => 'http://cdn.example.com/a', size => 1000);
    $t->ask(%f, from => '127.0.0.21', port => 4000);
    my $hash = pack 'H*', $t->ask(%f)->json->{id};
    my $a = announce($t, undef, hash => $hash, from => '127.0.0.22', port => 4001);
    is_deeply([ $a->@{qw(peers incomplete)} ], [ [], 1 ], 'by the same id');
    is_deeply([ map { $_->{addr} } @{ $t->ask(%f)->json->{peers} } ],
        [ '127.0.0.21:4000' ], 'are apart');
    announce($t, undef, hash => $hash, from => '127.0.0.21', port => 4000,
        event => 'stopped');
    is(@{ $t->ask(%f)->json->{peers} }, 1, 'when one stops, too');
    is(scrape($t, $hash)->{files}{$hash}{incomplete}, 1, 'and in a scrape');
};

subtest 'locality' => sub {
    announce($t, 'l', from => "127.0.0.$_", where => 'a') for 1 .. 40;
    announce($t, 'l', from => "127.0.1.$_", where => 'b') for 1 .. 15;
    # all of them are looked at
    my @near = grep { /^127\.0\.1\./ } @{ announce($t, 'l', from => '127.0.2.1',
        where => 'b', numwant => 15)->{peers} };
    cmp_ok(@near, '>=', 9, 'mostly those of the same one');
};

subtest 'a full zone' => sub {
    # more than 1m has room for
    my ($r, $bad) = (undef, 0);
    for my $n (1 .. 8000) {
        $r = http_start(GET => $t->base . '/' . bt_query('full', info_hash =>
            info_hash("full $n"), port => $n, left => 1, compact => 1),
            keepalive => 1, $r && $n % 500 ? (on => $r) : (),
            from => '127.0.0.31')->wait(5);
        $bad++ if bt_answer($r)->{interval} != 60;
    }
    is($bad, 0, 'every announce is answered');
    is_deeply(announce($t, 'full 8000', path => 'full')->{peers},
        [ '127.0.0.31:8000' ], 'what was used last is known');
    is_deeply(announce($t, 'full 1', path => 'full')->{peers}, [],
        'what was used first is not');
};

subtest 'one torrent fills its stripe' => sub {
    my ($r, $last, $log) = (undef, {}, qr/zone "full" is full/);
    for my $n (1 .. 12000) {
        $r = http_start(GET => $t->base . '/' . bt_query('full', info_hash =>
            info_hash('crowd'), port => $n, left => 1, numwant => 1),
            keepalive => 1, $r && $n % 500 ? (on => $r) : (),
            from => '127.0.0.31')->wait(5);
        $last = bt_answer($r);
        last if $n % 500 == 0 && $t->error_log =~ $log;
    }
    cmp_ok($last->{incomplete}, '>', 1000, 'as many as there is room for');
    is(@{ $last->{peers} }, 1, 'who is not registered gets a list');
    announce($t, 'crowd', path => 'full', port => 65000 + $_) for 1 .. 20;
    my @lines = grep { $_ =~ $log } split /\n/, $t->error_log;
    is(@lines, 1, 'the log says so, once for all workers');
};

subtest 'bad arguments' => sub {
    my $number = 'not a number from 0 to 9223372036854775807';
    my %bad = (
        'port=1' => 'info_hash: missing',
        "info_hash=&port=1" => 'info_hash: not 20 bytes',
        'info_hash=' . 'x' x 19 . '&port=1' => 'info_hash: not 20 bytes',
        'info_hash=' . 'x' x 21 . '&port=1' => 'info_hash: too long',
        'info_hash=' . 'x' x 12000 . '&port=1' => 'info_hash: too long',
        'info_hash=' . '%00' x 21 . '&port=1' => 'info_hash: too long',
        'info_hash=' . '%00' x 19 . '&port=1' => 'info_hash: not 20 bytes',
        'info_hash=' . '%00' x 19 . '%0' => 'info_hash: badly escaped',
        'info_hash=' . '%00' x 19 . '%' => 'info_hash: badly escaped',
        'info_hash=' . '%00' x 19 . '%0g' => 'info_hash: badly escaped',
        'info_hash=' . 'x' x 20 . '&info_hash=' . 'x' x 20 . '&port=1'
            => 'info_hash: given twice',
        'info_hash=' . 'x' x 20 => 'port: missing',
        "Info_hash=" . 'x' x 20 . '&port=1' => 'info_hash: missing',
    );
    is(failure($t, "announce?$_"), $bad{$_}, length > 60 ? substr($_, 0, 60)
        : $_) for sort keys %bad;
    is(failure($t, 'announce'), 'info_hash: missing', 'no query');
    my $hash = bt_query('announce', info_hash => $id);
    is(failure($t, "$hash&port=$_"), 'port: not a number from 1 to 65535',
        "port=$_") for '', 0, 65536, -1, '1x', '+1', '%31%3a', '4294967297';
    is(failure($t, "$hash&port=1&port=1"), 'port: given twice', 'two ports');
    is(failure($t, "$q&port=" . '0' x 65), 'port: given twice', 'the same');
    is(failure($t, "$hash&port=" . '0' x 65), 'port: too long', 'long port');
    for my $name (qw(uploaded downloaded left)) {
        is(failure($t, "$q&$name=$_"), "$name: $number", "$name=$_")
            for '', -1, 'x', '1.0', '9223372036854775808',
                '18446744073709551616';
        is(failure($t, "$q&$name=1&$name=1"), "$name: given twice", 'twice');
        is(failure($t, "$q&$name=%0a"), "$name: has a control character",
            'control character');
        is(failure($t, "$q&$name=%3"), "$name: badly escaped", 'escape');
        is(failure($t, "$q&$name=" . '1' x 65), "$name: too long", 'long');
    }
    is(failure($t, "$q&numwant=$_"), 'numwant: not a number', "numwant=$_")
        for '', 'all', -2, '9223372036854775808';
    is(failure($t, "$q&event=%00"), 'event: has a control character', 'event');
    is(failure($t, "$q&event=" . 'x' x 65), 'event: too long', 'long event');
    my $a = announce($t, 'q', from => '127.0.0.9');
    is_deeply([ $a->@{qw(peers incomplete)} ], [ [], 1 ],
        'none of them left a trace');
};

subtest 'what is passed over' => sub {
    my $r = bdecode(http(GET => $t->base . "/$q&peer_id=%zz&key=%0&trackerid="
        . 'x' x 3000 . '&no_peer_id=1&supportcrypto=1&a&&=&b=b=b&x=%00')
        ->{body});
    is($r->{incomplete}, 2, 'all else');
    is(http(GET => $t->base . "/$q", body => 'x' x 100_000)->{status}, 200,
        'a body');
};

subtest 'methods' => sub {
    for my $m (qw(POST PUT DELETE)) {
        my $r = http($m => $t->base . "/$q", body => '');
        is("$r->{status} $r->{body}", "405 method: not GET or HEAD\n", $m);
        is($r->{headers}{allow}, 'GET, HEAD', 'Allow');
    }
};

subtest 'expiry' => sub {
    my @short = (path => 'short', port => 4000);
    my $t0 = now;
    announce($t, 'x', @short, from => '127.0.0.11');
    announce($t, 'x', @short, from => '127.0.0.12');
    my $a;
    wait_for {
        announce($t, 'x', @short, from => '127.0.0.12');
        $a = announce($t, 'x', @short, from => '127.0.0.13');
        @{ $a->{peers} } == 1;
    } 15, 'the silent one to be dropped';
    cmp_ok(now - $t0, '>=', 4, 'not before two intervals and a half');
    is_deeply($a->{peers}, [ '127.0.0.12:4000' ], 'the other is still there');
};

finish();
