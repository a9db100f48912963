# Askers and polls over HTTP/2: many parked on one connection, woken, reset,
# gone; a reload; and curl over TLS, with a client certificate.

use v5.36;
use Shoal::Agent qw(agent);
use Shoal::H2 qw(h2);
use Shoal::Nginx qw(http2_conf);
use Shoal::Test;

my ($two, $tls) = map { free_port('127.0.0.2') } 1, 2;
my $dir = tmpdir('ca');

sub openssl(@args) {
    my ($st, undef, $err) = run_cmd({ cwd => $dir }, 'openssl', @args);
    die "openssl @args: $err\n" if $st ne '0';
}

openssl(qw(req -x509 -newkey rsa:2048 -nodes -days 2 -keyout), "$_.key",
    '-out', "$_.pem", '-subj', "/CN=$_",
    '-addext', 'subjectAltName=IP:127.0.0.2') for qw(server sp9);

my $t = tracker(workers => 2, delay => '20s', http => <<"EOC",
    tracker_zone other:1m;
    tracker_origin other cdn.example.com;
    server {
        @{[ http2_conf("127.0.0.2:$two") ]}
        location = /peers { tracker_peers swarm; tracker_delay 20s; }
        location = /soon { tracker_peers swarm; tracker_delay 200ms; }
        location = /control { tracker_control swarm; tracker_register on; }
    }
    server {
        @{[ http2_conf("127.0.0.2:$tls ssl") ]}
        ssl_certificate $dir/server.pem;
        ssl_certificate_key $dir/server.key;
        ssl_client_certificate $dir/sp9.pem;
        ssl_verify_client optional;
        location = /peers { tracker_peers other; tracker_delay 20s; }
        location = /control {
            if (\$ssl_client_verify != SUCCESS) { return 403; }
            tracker_control other;
            tracker_register on;
        }
    }
EOC
    server => 'location = /stub { stub_status; }');

sub active() {
    my ($n) = http(GET => $t->base . '/stub')->{body}
        =~ /Active connections: (\d+)/;
    return $n - 1;    # without this one
}

sub path($path, %args) {
    return "/$path?" . join '&', map { "$_=" . url_encode($args{$_}) }
        sort keys %args;
}

my $root = '5b' x 32;
my ($session, $seq, $cursor, $epoch) = ('0123456789abcdef', 0, 0, '');

sub call_path(%more) {
    return path('control', name => 'sp1', session => $session, port => 9001,
        seq => ++$seq, cursor => $cursor, epoch => $epoch, %more);
}

# The poll's answer; what it was told.
sub told($r) {
    my $j = JSON::PP->new->decode($r->{body});
    ($cursor, $epoch) = @$j{qw(cursor epoch)};
    return @{ $j->{prepare} // [] };
}

my $sp = h2('127.0.0.2', $two, from => '127.0.0.21');
my $s = $sp->request(POST => call_path(), end => 1);
is($sp->wait($s, 5)->{status}, 200, 'a call without a body');
told($sp->wait($s, 5));

subtest 'parked and woken' => sub {
    my $poll = $sp->request(POST => call_path(wait_ms => 20000), end => 1);
    my @c = map { h2('127.0.0.2', $two, from => "127.0.0.$_") } 31, 32;
    my @ask;
    for my $n (1 .. 40) {
        push @ask, map { [ $_, $_->request(GET => path('peers',
            url => 'http://cdn.example.com/' . $n % 4, size => 10), end => 1) ]
        } @c;
    }
    my %file;
    while (keys %file < 4) {
        my $r = $sp->wait($poll, 5) // last;
        $file{ $_->{id} } = 1 for told($r);
        $poll = $sp->request(POST => call_path(wait_ms => 20000), end => 1);
    }
    is(keys %file, 4, 'told');
    is(scalar(grep { $_->[0]->pending($_->[1]) } @ask), 80, 'all are parked');
    my @lines = map { "+$_ $root cdn\n" } sort keys %file;
    my $call = $sp->request(POST => call_path(), body => substr $lines[0], 0, 50);
    $sp->data($call, substr($lines[0], 50) . join('', @lines[1 .. 3]), 1);
    is($sp->wait($call, 5)->{status}, 200, 'news beside the poll');
    my @r = map { $_->[0]->wait($_->[1], 5) } @ask;
    is(scalar(grep { $_ && $_->{status} == 200 && $_->{body} =~ /"ready"/ } @r),
        80, 'all are woken');
    ok($sp->pending($poll), 'the poll goes on');
    $sp->reset($poll);
};

subtest 'delay, errors, HEAD' => sub {
    my $c = h2('127.0.0.2', $two);
    my $t0 = now;
    my $id = $c->request(GET => path('soon', url => 'http://cdn.example.com/d',
        size => 10), end => 1);
    my $bad = $c->request(GET => path('peers', size => 10), end => 1);
    my $r = $c->wait($bad, 5);
    is("$r->{status} $r->{body}", "400 url: missing\n", 'beside a parked one');
    is($c->wait($id, 5)->{status}, 200, 'answered');
    cmp_ok(now - $t0, '>=', 0.2, 'after the delay');
    $r = $c->wait($c->request(HEAD => path('soon',
        url => 'http://cdn.example.com/d', size => 10), end => 1), 5);
    is("$r->{status} $r->{body}", '200 ', 'HEAD');
    $r = $c->wait($c->request(GET => '/peers', end => 1, headers =>
        [ 'shoal-url' => 'http://cdn.example.com/d' ]), 5);
    is("$r->{status} $r->{body}", "400 size: missing\n", 'Shoal-URL');
    $r = $c->wait($c->request(PUT => '/peers', body => 'x' x 30000), 5);
    is("$r->{status} $r->{body}", "405 method: not GET or HEAD\n",
        'a body that nobody wants');
    $s = $c->request(POST => call_path(), body => "~1\n");
    $c->data($s, 'x' x 30000);
    $r = $c->wait($s, 5);
    is("$r->{status} $r->{body}", "400 line 1: id: not 40 hex digits\n",
        'refused before the end of the body');
    my $again = $c->wait($c->request(POST => call_path(), end => 1), 5);
    is($again->{status}, 200, 'and the connection goes on');
    $c->close;
};

subtest 'gone' => sub {
    $sp->close;
    wait_for { active() == 0 } 5, 'nobody';
    my $c = h2('127.0.0.2', $two);
    my @id = map { $c->request(GET => path('peers', size => 10,
        url => "http://cdn.example.com/g$_"), end => 1) } 1 .. 20;
    $s = $c->request(POST => call_path(), body => '~');
    my $poll = $c->request(POST => call_path(wait_ms => 20000), end => 1);
    $c->wait($c->request(GET => '/void', end => 1), 5);
    is(scalar(grep { $c->pending($_) } @id, $s), 21, 'parked');
    $c->reset($_) for @id[0 .. 9], $s, $poll;
    $c->close;
    wait_for { active() == 0 } 5, 'all to be gone';
    pass('reset, and closed');
    # one after the other, to find what a reset might leave; not so many in
    # one turn of the loop that nginx takes it for an attack
    $c = h2('127.0.0.2', $two);
    for my $n (1 .. 300) {
        $c->reset($c->request(GET => path('peers', size => 10,
            url => 'http://cdn.example.com/g'), end => 1));
        $s = $c->request(POST => call_path(), body => '~ab');
        $c->reset($s);
        $c->wait($c->request(GET => '/void', end => 1), 5) if $n % 10 == 0;
    }
    my $r = $c->wait($c->request(GET => path('soon', size => 10,
        url => 'http://cdn.example.com/g'), end => 1), 5);
    is($r && $r->{status}, 200, 'the connection goes on');
    $c->close;
    wait_for { active() == 0 } 5, 'all to be gone';
};

subtest 'reload' => sub {
    my $c = h2('127.0.0.2', $two);
    $c->wait($c->request(POST => call_path(name => 'sp2'), end => 1), 5);
    my @id = map { $c->request(GET => path('peers', size => 10,
        url => "http://cdn.example.com/r$_"), end => 1) } 1 .. 20;
    $c->wait($c->request(GET => '/void', end => 1), 5);
    is(scalar(grep { $c->pending($_) } @id), 20, 'parked');
    my $t0 = now;
    $t->reload;
    is(scalar(grep { ($c->wait($_, 5) // {})->{status} } @id), 20, 'answered');
    cmp_ok(now - $t0, '<', deadline(5), 'at once');
    ok($c->goes_away(5), 'and the end of the connection announced');
    $c->close;
    $t->wait_old_workers;
};

subtest 'TLS' => sub {
    my @curl = (qw(curl -sS --http2 --max-time), deadline(15), '--cacert',
        "$dir/server.pem", '-w', ' %{http_code} %{http_version}');
    my @cert = ('--cert', "$dir/sp9.pem", '--key', "$dir/sp9.key");
    my $base = "https://127.0.0.2:$tls";
    my $curl = sub (@args) {
        my ($st, $out, $err) = run_cmd({ deadline => 20 }, @curl, @args);
        return $st eq '0' ? $out : "$st $err";
    };
    my $post = sub (@args) { return $curl->(@cert, '--data-binary', @args) };
    my $call = sub (%more) {
        return $base . path('control', name => 'sp9', port => 9009,
            session => '00000000000000ab', seq => ++$seq, %more);
    };
    like($curl->('-d', '', $call->()), qr/ 403 2$/, 'no certificate');
    like($post->('', $call->()), qr/^\{"epoch".* 200 2$/s, 'the right one');
    my $asker = start_cmd(@curl, $base . path('peers', size => 10,
        url => 'http://cdn.example.com/tls'));
    my $told = $post->('', $call->(wait_ms => 10000));
    my ($id) = $told =~ /"prepare":\[\{"id":"(\w+)"/;
    ok($id, 'a poll is told') or diag($told);
    ok($asker->alive, 'the asker is parked');
    like($post->("+$id $root cdn\n", $call->()), qr/ 200 2$/, 'news');
    is($asker->wait(10), 0, 'woken');
    like($asker->stdout, qr/"state":"ready".* 200 2$/s, 'with the one that is ready');
};

finish();
