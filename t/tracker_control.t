# Super peers' calls.

use v5.36;
use Shoal::Agent qw(agent);
use Shoal::Test;

my $t = tracker(delay => '0', workers => 2, http =>
    'tracker_superpeer swarm preset1 url=https://sp.example.com:9090/?k=v locality=a/b;'
    . 'client_max_body_size 4m;');
my $root = 'ab' x 32;
my $n = 0;

# A file nobody knows: (arguments, id); nobody is told to prepare it.
sub file() {
    my %f = (url => 'http://cdn.example.com/' . ++$n, size => 1000);
    return (\%f, $t->ask(%f, event => 'stopped')->json->{id});
}

sub supers($f) {
    return [ sort map { "$_->{state} $_->{url}" }
        @{ $t->ask(%$f, event => 'stopped')->json->{super} } ];
}

my $sp = agent($t);

sub refused($name, $line, $status, $r) {
    is("$r->{status} $r->{body}", "$status $line\n", $name);
}

subtest 'arguments' => sub {
    my $call = sub ($name, $line, %more) {
        refused($name, $line, 400, $sp->call('', %more));
    };
    $call->("$_ missing", "$_: missing", $_ => undef)
        for qw(name session seq port);
    my $bad = 'name: not letters, digits, ".", "_", "-", at most 64';
    $call->('bad name', $bad, name => $_) for 'a b', 'a/b', "\xc3\xa4", '';
    $call->('control character', 'name: has a control character', name => "a\n");
    $call->('long name', 'name: too long', name => 'x' x 65);
    $call->('session', 'session: not 16 hex digits', session => $_)
        for 'x' x 16, 'a' x 15, 'a' x 17;
    $call->('seq', 'seq: not a number from 1', seq => $_) for 0, -1, 'x', 2**63;
    $call->('epoch', 'epoch: not 16 hex digits', epoch => 'x');
    $call->('port', 'port: not a number from 1 to 65535', port => $_)
        for 0, 65536;
    $call->('scheme', 'scheme: not http or https', scheme => 'ftp');
    $call->('wait_ms', 'wait_ms: not a number from 0 to 60000', wait_ms => $_)
        for 60001, -1, '1s';
    $call->('full', 'full: not first, more or last', full => 'all');
    $call->('full poll', 'full: not with wait_ms', full => 'last', wait_ms => 1);
    $call->('locality', 'locality: not a path of labels', locality => 'a b');
    $call->('got', 'got: not SUPER,PEER,CDN in bytes', got => $_)
        for '', '1', '1,2', '1,2,', '1,2,3,4', '1,2,3,', '1,2,x', ',,', '-1,0,0',
        '0,0,9223372036854775808';
    $call->('sent', 'sent: not a number from 0 to 9223372036854775807', sent => -1);
    refused('GET', 'method: not POST', 405,
        http(GET => $t->control_url, headers => { Authorization => 'Bearer sesame' }));
    is($t->control($sp->args, token => 'guess')->{status}, 403, 'wrong token');
    my $r = $sp->call('', name => 'x' x 64, scheme => 'https', capacity => 1,
        free => 1, active => 0, rate => 0, cpu => 100, active_max => 1,
        rate_max => 2**40, got => '1,2,9223372036854775807', sent => 7, locality => 'cn/x', bogus => 1);
    is($r->{status}, 200, 'all of them');
    like($r->{body}, qr/^\{"epoch":"[0-9a-f]{16}","cursor":0\}\n$/, 'answer');
};

subtest 'lines' => sub {
    my ($f, $id) = file();
    for ([ 'rubbish', 'not ~, +, - or ? at its start' ],
        [ '', 'not ~, +, - or ? at its start' ],
        [ '+', 'id: not 40 hex digits' ], [ '-xyz', 'id: not 40 hex digits' ],
        [ "-${id}0", 'id: not 40 hex digits' ],
        [ "+$id", 'no space after the id' ], [ "+$id ", 'root: not 64 hex digits or -' ],
        [ "+$id $root", 'root: not 64 hex digits or -' ],
        [ "+$id ${root}0 cdn", 'root: not 64 hex digits or -' ],
        [ "+$id $root cd", 'neither cdn nor copy after the root' ],
        [ "+$id $root cdn\r", 'neither cdn nor copy after the root' ],
        [ "~$id", 'no space after the id' ], [ "~$id x", 'held: not a number' ],
        [ "?$id why", 'unknown reason' ], [ 'x' x 129, 'too long' ])
    {
        my ($line, $why) = @$_;
        refused(substr($line, 0, 20), "line 3: $why", 400,
            $sp->call("+$id $root copy\n~$id 1\n$line\n+$id $root cdn\n"));
    }
    is_deeply(supers($f), [ 'filling ' . $sp->base ],
        'what stood before was taken, what came after was not');
    refused('no line feed', 'line 2: not ended by a line feed', 400,
        $sp->call("-$id\n+$id $root cdn"));
    refused('a poll with lines', 'line 1: a poll has no lines', 400,
        $sp->call("-$id\n", wait_ms => 1000));
    refused('too many', 'body: more than 8192 lines', 413,
        $sp->call("-$id\n" x 8193));
    is($sp->call("~$id 1\n" x 8192)->{status}, 200, 'as many as there may be');
    is($sp->call("+$id - cdn\n")->{status}, 200, 'an empty file');
    my $j = $t->ask(%$f, event => 'stopped')->json;
    is($j->{digest}, undef, 'has no root');
    is($j->{super}[0]{state}, 'ready', 'and is ready');
};

subtest 'slow and chunked bodies' => sub {
    my ($f, $id) = file();
    my @other = map { sprintf '%040x', rand 2**31 } 1 .. 200;
    my $text = join('', map { "~$_ 17\n" } @other) . "+$id $root cdn\n";
    my $head = sub ($length) {
        my $args = $sp->args;
        return 'POST /control?' . join('&', map { "$_=$args->{$_}" } keys %$args)
            . " HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer sesame\r\n"
            . "Connection: close\r\n$length\r\n\r\n";
    };
    for my $cut (1, 7, 41, 1000) {
        $sp->say("-$id");
        my @piece = $text =~ /.{1,$cut}/gs;
        my $q = http_raw($t->addr, $t->port, $head->('Transfer-Encoding: chunked')
            . join('', map { sprintf("%x\r\n", length) . "$_\r\n" } @piece)
            . "0\r\n\r\n", method => 'POST', from => $sp->{from});
        is($q->wait(10)->{status}, 200, "chunks of $cut bytes");
        is_deeply(supers($f), [ 'ready ' . $sp->base ], 'taken');
    }
    $sp->say("-$id");
    my $q = http_raw($t->addr, $t->port, $head->('Content-Length: ' . length $text),
        method => 'POST', from => $sp->{from});
    for my $piece ($text =~ /.{1,997}/gs) {
        $q = http_raw(undef, undef, $piece, sock => $q->{sock}, method => 'POST');
        select undef, undef, undef, 0.01;
    }
    is($q->wait(10)->{status}, 200, 'slow');
    is_deeply(supers($f), [ 'ready ' . $sp->base ], 'taken');

    # cut short: what came is taken, the call is not finished
    $sp->say("-$id");
    my $seq = $sp->{seq} + 1;
    $q = http_raw($t->addr, $t->port, $head->('Content-Length: 5000')
        . "+$id $root cdn\n+$id", method => 'POST', from => $sp->{from});
    wait_for { @{ supers($f) } } 5, 'the first line to be taken';
    $q->close;
    is($sp->call("-$id\n", seq => $seq)->{status}, 200, 'the same seq again');
    is_deeply(supers($f), [], 'its lines are taken');
};

subtest 'seq and session' => sub {
    my ($f, $id) = file();
    $sp->say("+$id $root cdn");
    my $seq = $sp->{seq};
    is($sp->call("-$id\n", seq => $_)->{status}, 200, 'answered all the same')
        for $seq, 1;
    is_deeply(supers($f), [ 'ready ' . $sp->base ], 'not taken again');
    $sp->new_session;
    $sp->say("-$id");
    is_deeply(supers($f), [], 'a new session begins with 1');
    like($t->error_log, qr/super peer "\Q$sp->{name}\E" has a new session/, 'logged');
};

subtest 'full announcements' => sub {
    my @f = map { [ file() ] } 1 .. 4;
    my ($a, $b, $c, $d) = map { $_->[1] } @f;
    my $have = sub () { join ' ', map { scalar @{ supers($_->[0]) } } @f };
    $sp->say(map { "+$_ $root cdn" } $a, $b, $c);
    is($have->(), '1 1 1 0', 'news');
    $sp->_ok($sp->call('', full => 'first'));
    is($have->(), '1 1 1 0', 'nothing is dropped at its beginning');
    $sp->_ok($sp->call("+$b $root cdn\n", full => 'more'));
    $sp->say("+$d $root cdn");
    is($have->(), '1 1 1 1', 'news meanwhile');
    $sp->_ok($sp->call("~$c 1\n", full => 'more'));
    $sp->_ok($sp->call('', full => 'last'));
    is($have->(), '0 1 1 1', 'what was not named is dropped at its end');
    $sp->_ok($sp->call('', full => 'last'));
    is($have->(), '0 1 1 1', 'an end without a beginning says nothing');
    $sp->announce;
    is($have->(), '0 0 0 0', 'nothing left');
};

subtest 'commands' => sub {
    my $etag = qq{etag:"a\\\"\xe2\x82\xac \xf0\x9f\x98\x80</"};
    my $ask = sub () {
        $t->ask(url => 'http://cdn.example.com/p' . ++$n, size => 5,
            version => $etag, provider => "\xc3\xa4")->json->{id};
    };
    $sp->told($sp->poll(wait_ms => 1)) ;
    my $q = $sp->poll;
    $sp->say;
    my $id = $ask->();
    my @p = $sp->told($q);
    my $text = $etag;
    utf8::decode($text);
    is_deeply(\@p, [ { id => $id, url => "http://cdn.example.com/p$n", size => 5,
        version => $text, provider => "\xe4", super => [] } ],
        'prepare, with its text as it was');
    # the answer was lost: the same cursor again
    my $old = $sp->{cursor} - 1;
    is_deeply([ map { $_->{id} } $sp->told($sp->poll(cursor => $old)) ], [ $id ],
        'sent again');
    $q = $sp->poll;
    ok(!$q->wait(0.2), 'acknowledged: nothing to tell');
    my $id2 = $ask->();
    is_deeply([ map { $_->{id} } $sp->told($q) ], [ $id2 ], 'the next one');
    is_deeply([ map { $_->{id} } $sp->told($sp->poll(epoch => '0' x 16)) ],
        [ $id, $id2 ], 'another epoch: from the start');
    $sp->say("~$id2 1", "?$id busy");
    is_deeply([ map { $_->{id} } $sp->told($sp->poll(cursor => 0)) ], [ $id2 ],
        'what was refused is not sent again');
    $sp->say("+$id2 $root cdn");
    is_deeply([ $sp->told($sp->poll(cursor => 0)) ], [], 'what is held neither');

    # who else holds it
    $t->reload(peers => 'tracker_superpeers_per_file 8;');
    my $other = agent($t);
    $other->say("+$id2 $root cdn");
    $sp->say("-$id2");
    $t->ask(url => "http://cdn.example.com/p$n", size => 5,
        version => $etag, provider => "\xc3\xa4");
    is_deeply([ map { [ $_->{id}, $_->{super} ] } $sp->told($sp->poll) ],
        [ [ $id2, [ $other->base ] ] ], 'other holders');

    my $r = $sp->call('', wait_ms => 0);
    ok(!exists $r->json->{prepare}, 'news bring no commands');
    my $j = $sp->_ok($sp->call('', wait_ms => 30, cursor => 2**40));
    is_deeply([ map { $_->{id} } @{ $j->{prepare} } ], [ $id2 ],
        'a cursor from nowhere counts as 0');
};

subtest 'polls' => sub {
    my $one = $sp->poll;
    $sp->say;
    my $two = $sp->poll;
    is_deeply([ $sp->told($one) ], [], 'a new poll ends the older one');
    ok($two->pending, 'and goes on');
    my $r = $sp->poll(wait_ms => 300)->wait(5);
    cmp_ok($r->{seconds}, '>=', 0.3, 'its wait is over, never early');
    $two = $sp->poll;
    $sp->say;
    $sp->new_session;
    my $three = $sp->poll;
    $sp->say;
    ok(!$two->wait(0.3), 'a poll of the old session goes on');
    ok(!$three->wait(0.1), 'beside that of the new one');
    $t->ask(url => 'http://cdn.example.com/poll' . ++$n, size => 5);
    ok(scalar($sp->told($three)), 'which gets the commands');
    ok($two->pending, 'alone');
    $two->close;
};

subtest 'lost commands' => sub {
    my $slow = agent($t);
    $slow->say;
    $sp->told($sp->poll(wait_ms => 1));
    my @id = map { $t->ask(url => "http://cdn.example.com/l$_", size => 5)
        ->json->{id} } 1 .. 70;
    my @p = $slow->told($slow->poll);
    is($slow->{last}{lost}, 1, 'said so');
    is_deeply([ map { $_->{id} } @p ], [ @id[6 .. 69] ], 'the newest 64');
    is($slow->{cursor}, 70, 'cursor');
    is_deeply([ $slow->told($slow->poll(wait_ms => 10)) ], [], 'all told');
    ok(!exists $slow->{last}{lost}, 'nothing lost');
};

subtest 'bytes by source' => sub {
    my $sp = agent($t);
    my $count = sub () {
        my $m = $t->metrics;
        return join ' ', $m->{shoal_tracker_super_peers_sent_bytes_total},
            map { $m->{qq(shoal_tracker_super_peers_got_bytes_total{source="$_"})} }
            qw(super peer cdn);
    };
    my $call = sub ($got, $sent, %more) {
        is($sp->call('', got => $got, sent => $sent, %more)->{status}, 200, 'a call');
    };
    my ($s, @g) = split / /, $count->();
    my $is = sub ($name, $sent, @got) {
        is($count->(), join(' ', $s + $sent, map { $g[$_] + $got[$_] } 0 .. 2), $name);
    };
    $call->('5,6,7', 1000);
    $is->('the first call of a session sets the mark', 0, 0, 0, 0);
    $call->('15,6,107', 1500);
    $is->('then what is more counts', 500, 10, 0, 100);
    $call->('15,6,107', 1500, seq => $sp->{seq});
    $is->('once, however often it is said', 500, 10, 0, 100);
    $call->('10,0,50', 900);
    $is->('one that was overtaken counts nothing', 500, 10, 0, 100);
    $sp->say;
    $is->('nor does one that does not say it', 500, 10, 0, 100);
    $sp->poll(wait_ms => 1, got => '15,7,107', sent => 1501)->wait(5);
    $is->('a poll does', 501, 10, 1, 100);
    $sp->new_session;
    $call->('0,0,900', 900);
    $is->('a new session: a new mark', 501, 10, 1, 100);
    $call->('0,0,901', 902);
    $is->('from which it goes on', 503, 10, 1, 101);
};

subtest 'who may call' => sub {
    $t->reload(register => 0);
    refused('not preset', 'name: not a super peer of this tracker', 403, $sp->call);
    my $p = agent($t, name => 'preset1');
    is($p->call('', port => undef)->{status}, 200, 'preset, without a port');
    my ($f, $id) = file();
    $p->say("+$id $root cdn");
    is_deeply(supers($f), [ 'ready https://sp.example.com:9090?k=v' ],
        'the URL of the preset');
};

finish();
