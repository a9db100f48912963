# The store of peers: crowds, fair lists, who is preferred, expiry by the
# timer alone, torrents and resources apart, a zone of another size.

use v5.36;
use Shoal::Agent qw(agent);
use Shoal::Test;

my $t = tracker(delay => '0', workers => 2, zone => '64m', real_ip => 1);

sub ip($net, $i) { return sprintf '%s.%d.%d', $net, $i / 250, $i % 250 + 1 }

sub list($from, %f) {
    return map { $_->{addr} } @{ $t->ask(headers => { 'X-Real-IP' => $from },
        %f)->json->{peers} };
}

subtest 'a crowd' => sub {
    my %f = (url => 'http://cdn.example.com/crowd', size => 1000);
    my @peers = map { [ ip('198.18', $_), 1024 + $_ ] } 1 .. 6000;
    $t->crowd(\%f, @peers);
    $t->crowd(\%f, @peers[ 0 .. 999 ]);
    my (%seen, $twice);
    for (1 .. 600) {
        my %one;
        $one{$_}++ for list('203.0.113.9', %f, numwant => 200);
        $twice++ if grep { $_ > 1 } values %one;
        die 'not 200' if keys %one != 200;
        $seen{$_}++ for keys %one;
    }
    is($twice, undef, 'nobody twice in a list');
    is(keys %seen, 6000, 'everybody is listed in time');
    is(scalar(grep { !$seen{"$_->[0]:$_->[1]"} } @peers), 0, 'as registered');
    # each is expected 20 times
    my @n = sort { $a <=> $b } values %seen;
    cmp_ok($n[60], '>=', 5, 'hardly anybody seldom');
    cmp_ok($n[-60], '<=', 45, 'hardly anybody often');
    $t->crowd({ %f, event => 'stopped' }, @peers[ 0 .. 5989 ]);
    is_deeply([ sort(list('203.0.113.9', %f, numwant => 200)) ],
        [ sort map { "$_->[0]:$_->[1]" } @peers[ 5990 .. 5999 ] ],
        'and those that stay when the others leave');
};

subtest 'IPv6' => sub {
    my %f = (url => 'http://cdn.example.com/six', size => 1000);
    my @peers = map { [ sprintf('2001:db8::%x:%x', $_ % 7, $_), 2000 + $_ ] }
        1 .. 1500;
    $t->crowd(\%f, @peers);
    my %seen;
    for (1 .. 100) {
        $seen{$_} = 1 for list('2001:db8:1::1', %f, numwant => 200);
    }
    is(keys %seen, 1500, 'everybody');
    $t->crowd({ %f, event => 'stopped' }, @peers);
    is_deeply([ list('2001:db8:1::1', %f) ], [], 'and nobody');
};

subtest 'who is preferred' => sub {
    my %f = (url => 'http://cdn.example.com/near', size => 900);
    # a list looks at three times as many as it has, and 16
    $t->crowd(\%f, map { [ ip('198.18', $_), 4000 ] } 1 .. 120);
    $t->crowd(\%f, map { [ "192.0.2.$_", 4000 ] } 1 .. 30);
    my @near = grep { /^192\.0\.2\./ } list('192.0.2.200', %f, numwant => 40);
    cmp_ok(scalar(@near), '>=', 20, 'most of those with its prefix');
    # as many near ones as are looked at: a few others all the same
    $f{url} .= 1;
    $t->crowd(\%f, (map { [ ip('198.18', $_), 4000 ] } 1 .. 60),
        map { [ "192.0.2.$_", 4000 ] } 1 .. 60);
    my $far = 0;
    for (1 .. 50) {
        $far += grep { /^198\.18\./ } list('192.0.2.200', %f, numwant => 10);
    }
    cmp_ok($far, '>=', 15, 'and not only those');
    cmp_ok($far, '<=', 150, 'but mostly');

    $f{url} .= 2;
    $t->crowd({ %f, left => 900 }, map { [ ip('198.18', $_), 4000 ] } 1 .. 100);
    $t->crowd({ %f, left => 0 }, map { [ ip('198.18', $_), 4001 ] } 1 .. 30);
    my @more = grep { /:4001/ } list('203.0.113.1', %f, numwant => 40);
    cmp_ok(scalar(@more), '>=', 20, 'those that hold all');
    @more = grep { /:4001/ } list('203.0.113.1', %f, numwant => 40, left => 0);
    cmp_ok(scalar(@more), '<', 20, 'but who has all itself gets others');
};

subtest 'another interval' => sub {
    my %f = (url => 'http://cdn.example.com/shift', size => 1000);
    $t->crowd(\%f, map { [ ip('198.18', $_), 4000 ] } 1 .. 50);
    $t->reload(peers => 'tracker_interval 1h;');
    is(scalar(list('203.0.113.9', %f)), 50, 'longer: all are still there');
    $t->reload(peers => 'tracker_interval 2s;');
    my $t0 = now;
    is(scalar(list('203.0.113.9', %f)), 50, 'shorter: and again');
    wait_for { list('203.0.113.9', %f) == 0 } 20, 'them to go';
    pass('gone in the new time');
};

subtest 'the timer alone' => sub {
    my $z = tracker(delay => '0', workers => 2, zone => '16m', real_ip => 1,
        peers => 'tracker_interval 1s;');
    my $in = sub { my $m = $z->metrics;
        my $n = 0;
        $n += $m->{$_} for grep { /^shoal_tracker_peers\{/ } keys %$m;
        return $n };
    for my $i (1 .. 20) {
        my %f = (url => "http://cdn.example.com/$i", size => 1000);
        $z->crowd(\%f, (map { [ ip('198.18', $_), 4000 ] } 1 .. 300),
                  map { [ sprintf('2001:db8::%x', $_), 4000 ] } 1 .. 50);
    }
    my $t0 = now;
    my $n = $in->();
    cmp_ok($n, '>', 0, "$n peers");
    wait_for { $in->() == 0 } 15, 'all to go, though nobody asks';
    note(sprintf 'gone after %.1f s', now - $t0);
};

subtest 'another size' => sub {
    # both have room for the most super peers, so the roster stays
    my $z = tracker(delay => '0', workers => 2, zone => '96m');
    my $sp = agent($z);
    my %f = (url => 'http://cdn.example.com/a', size => 1, event => 'stopped');
    my $id = $z->ask(%f)->json->{id};
    $sp->announce("+$id " . 'ab' x 32 . ' cdn');
    my $epoch = $sp->{epoch};
    is(@{ $z->ask(%f)->json->{super} }, 1, 'listed');
    $z->reload(zone => '96m');
    is(@{ $z->ask(%f)->json->{super} }, 1, 'the same size keeps all');
    $sp->say;
    is($sp->{epoch}, $epoch, 'and the epoch');
    $z->reload(zone => '128m');
    is(@{ $z->ask(%f)->json->{super} }, 0, 'another size is empty');
    $sp->say;
    isnt($sp->{epoch}, $epoch, 'and has another epoch');
    $epoch = $sp->{epoch};
    for my $c ('a' .. 'z') {
        $z->ask(url => "http://cdn.example.com/$c", size => 1, port => 4000);
    }
    $sp->announce("+$id " . 'ab' x 32 . ' cdn');
    is($sp->{epoch}, $epoch, 'one for all its stripes');
    is(@{ $z->ask(%f)->json->{super} }, 1, 'listed again');
};

finish();
