# Ordinary peers: registered by asking with a port, listed to others, taken
# off by leaving and by silence.

use v5.36;
use IO::Socket::IP;
use Shoal::Test;

my $six = eval { IO::Socket::IP->new(LocalHost => '::1', Listen => 1) } ? 1 : 0;
my $port6 = free_port($six ? '::1' : '127.0.0.1');

my $t = tracker(delay => '0', workers => 2, zone => '1m',
    http => 'tracker_interval 2s;',
    server => $six ? "listen [::1]:$port6;" : '');
my $url = 'http://cdn.example.com/';

# The addresses that the answer lists, sorted.
sub peers($r) {
    return [ sort map { $_->{addr} . ($_->{complete} ? ' complete' : '') }
        @{ $r->json->{peers} } ];
}

subtest 'registration' => sub {
    my %f = (url => "${url}a", size => 1000);
    is_deeply(peers($t->ask(%f, from => '127.0.0.11', port => 4000)), [],
        'not on its own list');
    is_deeply(peers($t->ask(%f, from => '127.0.0.12')), [ '127.0.0.11:4000' ],
        'on that of others');
    is_deeply(peers($t->ask(%f, from => '127.0.0.13')), [ '127.0.0.11:4000' ],
        'who asks without a port is on none');
    $t->ask(%f, from => '127.0.0.12', port => 4001, left => 0);
    $t->ask(%f, from => '127.0.0.12', port => 4002, event => 'started');
    is_deeply(peers($t->ask(%f, from => '127.0.0.12', port => 4002)),
        [ '127.0.0.11:4000', '127.0.0.12:4001 complete' ],
        'another port is another peer');
    is_deeply(peers($t->ask(%f, size => 999)), [], 'another size, another swarm');
    is_deeply(peers($t->ask(%f, version => 'text:1')), [], 'another version');
    is_deeply(peers($t->ask(%f, provider => 'x')), [], 'another provider');
    $t->ask(%f, from => '127.0.0.11', port => 4000, left => 0,
        event => 'completed');
    is_deeply(peers($t->ask(%f, numwant => 200)), [
        '127.0.0.11:4000 complete', '127.0.0.12:4001 complete',
        '127.0.0.12:4002' ], 'completed');
    my $r = $t->ask(%f, from => '127.0.0.12', port => 4001, event => 'stopped');
    is(scalar(@{ $r->json->{peers} }), 2, 'who stops gets a list all the same');
    is_deeply(peers($t->ask(%f)),
        [ '127.0.0.11:4000 complete', '127.0.0.12:4002' ], 'and is off it');
    $t->ask(%f, from => '127.0.0.99', port => 4001, event => 'stopped');
    is(scalar(@{ peers($t->ask(%f)) }), 2, 'an unknown one may stop too');
};

subtest 'numwant' => sub {
    my %f = (url => "${url}n", size => 1000);
    my @q = map { $t->ask_start(%f, from => "127.0.1.$_", port => 5000 + $_) }
        1 .. 250;
    http_wait_all(10, @q);
    for ([ 0, 0 ], [ 1, 1 ], [ 200, 200 ]) {
        is(@{ peers($t->ask(%f, numwant => $_->[0])) }, $_->[1],
            "numwant $_->[0]");
    }
    my $list = peers($t->ask(%f));
    is(@$list, 50, 'default');
    my %uniq = map { $_ => 1 } @$list;
    is(keys %uniq, 50, 'nobody twice');
    my %seen;
    $seen{$_} = 1 for map { @{ peers($t->ask(%f, numwant => 200)) } } 1 .. 20;
    is(keys %seen, 250, 'everybody has a turn');
};

subtest 'IPv6' => sub {
    plan(skip_all => 'no IPv6 here') if !$six;
    my $ask = sub (%o) {
        my $port = delete $o{port};
        http(GET => "http://[::1]:$port6/peers", args => { url => "${url}6",
            size => 1, $port ? (port => $port) : () })->json->{peers};
    };
    $ask->(port => 6000);
    $t->ask(url => "${url}6", size => 1, from => '127.0.0.5', port => 6001);
    is_deeply([ map { $_->{addr} } @{ $ask->() } ],
        [ '[::1]:6000', '127.0.0.5:6001' ], 'both, its own family first');
    is_deeply([ map { $_->{addr} } @{ $ask->(port => 6000) } ],
        [ '127.0.0.5:6001' ], 'not itself');
};

subtest 'expiry' => sub {
    my %f = (url => "${url}x", size => 1000);
    my $t0 = now;
    $t->ask(%f, from => '127.0.0.11', port => 4000);
    $t->ask(%f, from => '127.0.0.12', port => 4000);
    my $r;
    wait_for {
        $t->ask(%f, from => '127.0.0.12', port => 4000);
        $r = peers($t->ask(%f));
        @$r == 1;
    } 15, 'the silent one to be dropped';
    # 2.5 intervals of 2 s, in whole seconds
    cmp_ok(now - $t0, '>=', 4, 'not before two intervals and a half');
    cmp_ok(now - $t0, '<', 8, 'nor much later');
    is_deeply($r, [ '127.0.0.12:4000' ], 'the other is still there');
};

subtest 'a full zone' => sub {
    # far more than 1m has room for
    my $sock;
    my $bad = 0;
    for my $n (1 .. 12000) {
        my $r = $t->ask_start(url => "${url}f$n-" . 'y' x 200, size => $n,
            from => '127.0.0.' . (2 + $n % 50), port => 1000 + $n % 5000,
            keepalive => 1, on => $sock)->wait(5);
        $bad++ if $r->{status} != 200;
        $sock = ($n % 500) ? $r : undef;
    }
    is($bad, 0, 'every request is answered');
    my $last = peers($t->ask(url => "${url}f12000-" . 'y' x 200, size => 12000));
    like("@$last", qr/^127\.0\.0\.\d+:3000$/, 'what was used last is known');
    is_deeply(peers($t->ask(url => "${url}f1-" . 'y' x 200, size => 1)), [],
        'what was used first is not');
};

finish();
