# Which super peer is told to prepare a file: the nearest, then the idlest,
# then always the same one.

use v5.36;
use Shoal::Agent qw(agent);
use Shoal::Test;

my $t = tracker(delay => '0', workers => 2, peers =>
    'tracker_superpeers_per_file 1; tracker_locality $http_x_where;');
my $root = 'ab' x 32;
my $n = 0;
my @sp;

# The names of those that are told when a new file is asked for.
sub told(%o) {
    my $size = delete $o{size} // 1000;
    my $where = delete $o{where};
    $_->say for @sp;
    $t->ask(url => 'http://cdn.example.com/' . ++$n, size => $size, %o,
        defined $where ? (headers => { 'X-Where' => $where }) : ());
    return join ' ', map { $_->{name} }
        grep { $_->told($_->poll(wait_ms => 1)) } @sp;
}

# How often each is told for a number of files.
sub share($files, %o) {
    my %share;
    $share{ told(%o) }++ for 1 .. $files;
    return \%share;
}

# Super peers of the subtest; those before have no poll any more.
sub supers(@o) {
    my $old = @sp;
    $t->restart if $old;
    @sp = map { agent($t, %$_) } @o;
    return map { $_->{name} } @sp;
}

sub place($locality, %o) {
    return { %o, args => { locality => $locality } };
}

sub load($from, %load) { return { from => $from, args => \%load } }

subtest 'locality' => sub {
    my ($sh, $bj, $de, $none) = supers(place('cn/telecom/shanghai'),
        place('cn/telecom/beijing'), place('de/telecom/shanghai'), {});
    for ([ 'cn/telecom/shanghai', $sh ], [ 'cn/telecom/beijing/x', $bj ],
        [ 'de', $de ], [ 'de/x/shanghai', $de ])
    {
        is_deeply(share(6, where => $_->[0]), { $_->[1] => 6 }, $_->[0]);
    }
    my $both = share(24, where => 'cn/telecom/xian');
    is_deeply([ sort keys %$both ], [ sort $sh, $bj ], 'as near: both of them');
    for my $where (undef, '', 'c', 'cn2/telecom', 'fr', "cn/telecom/\xe4", 'c n',
        'cn/telecom/shanghai' . '/x' x 60)
    {
        my $all = share(24, where => $where);
        cmp_ok(keys %$all, '>', 2, ($where // 'no') . ': counts as none')
            or diag(explain $all);
    }
};

subtest 'network prefix' => sub {
    my ($a, $b, $c) = supers(map { { from => $_ } } '127.1.1.1', '127.1.2.1',
        '127.2.1.1');
    is_deeply(share(6, from => '127.1.1.9'), { $a => 6 }, '/24');
    is_deeply(share(6, from => '127.2.9.9'), { $c => 6 }, '/16');
    my $share = share(24, from => '127.1.3.1');
    is_deeply([ sort keys %$share ], [ sort $a, $b ], '/16, two of them');
    $share = share(40, from => '127.3.1.1');
    is(keys %$share, 3, '/8, all of them');
    $_->{args}{locality} = $_->{name} eq $a ? 'x/y' : 'x/z' for @sp;
    is_deeply(share(6, from => '127.2.1.9', where => 'x/y'), { $a => 6 },
        'a label more goes before');
};

subtest 'load' => sub {
    my %max = (active_max => 100, rate_max => 1000000);
    my ($busy, $idle, $far) = supers(load('127.1.1.1', %max, active => 60),
        load('127.1.1.2', %max, active => 10, rate => 1000, cpu => 20),
        load('127.2.1.1', %max));
    is_deeply(share(6, from => '127.1.1.9'), { $idle => 6 }, 'uploads');
    $sp[0]{args} = { %max, rate => 600000 };
    is_deeply(share(6, from => '127.1.1.9'), { $idle => 6 }, 'rate');
    $sp[0]{args} = { cpu => 60 };
    is_deeply(share(6, from => '127.1.1.9'), { $idle => 6 }, 'CPU');
    $sp[0]{args} = { %max, active => 20, rate => 240000, cpu => 0 };
    my $share = share(24, from => '127.1.1.9');
    is_deeply([ sort keys %$share ], [ sort $busy, $idle ], 'about the same');

    # overloaded ones: somebody farther away, but not nobody
    $_->{args} = { %max, active => 100, rate => 0 } for @sp[0, 1];
    is_deeply(share(6, from => '127.1.1.9'), { $far => 6 }, 'overloaded');
    $sp[2]{args}{cpu} = 99;
    $share = share(24, from => '127.1.1.9');
    is_deeply([ sort keys %$share ], [ sort $busy, $idle ], 'all of them');
    for ([ cpu => 101, 'not a number from 0 to 100' ], [ cpu => '', '' ],
        [ active_max => -1, '' ], [ rate_max => '1k', '' ])
    {
        my ($name, $value, $why) = @$_;
        my $r = $sp[0]->call('', $name => $value);
        is($r->{status}, 400, "$name=$value");
        like($r->{body}, qr/^$name: $why/, 'says why');
    }
};

subtest 'what a call leaves out stands' => sub {
    my ($a, $b) = supers({}, {});
    $sp[0]->say;
    $sp[0]->_ok($sp[0]->poll(wait_ms => 1, active => 10, active_max => 10)->wait(5));
    is_deeply(share(6), { $b => 6 }, 'overloaded as it said');
};

subtest 'room' => sub {
    my ($small, $large) = supers(load('127.1.1.1', capacity => 5000),
        load('127.2.1.1', capacity => 50000));
    is_deeply(share(6, from => '127.1.1.9', size => 5000), { $small => 6 },
        'it goes into its cache');
    is_deeply(share(6, from => '127.1.1.9', size => 5001), { $large => 6 },
        'a cache that is too small');
    is(told(size => 50001), '', 'nobody has the room');
};

subtest 'lists' => sub {
    my ($a, $b, $c) = supers(place('x', from => '127.1.1.1'), { from => '127.1.1.2' },
        { from => '127.2.1.1' });
    my %f = (url => 'http://cdn.example.com/l', size => 1000, from => '127.1.1.9',
        headers => { 'X-Where' => 'x/y' });
    my $id = $t->ask(%f, event => 'stopped')->json->{id};
    my $list = sub () {
        my %name = map { $_->base => $_->{name} } @sp;
        return [ map { $name{ $_->{url} } } @{ $t->ask(%f, event => 'stopped')
            ->json->{super} } ];
    };
    $_->say("+$id $root cdn") for reverse @sp;
    is_deeply($list->(), [ $a, $b, $c ], 'the nearest first');
    $sp[1]->say("~$id 5");
    is_deeply($list->(), [ $a, $c, $b ], 'complete ones before');
    $sp[0]->_ok($sp[0]->call('', cpu => 100));
    is_deeply($list->(), [ $c, $b, $a ], 'overloaded ones behind');
    # and somebody else is told beside them
    $_->_ok($_->call('', cpu => 100)) for @sp;
    push @sp, agent($t);
    $sp[3]->say;
    $t->ask(%f);
    is(scalar($sp[3]->told($sp[3]->poll(wait_ms => 1))), 1,
        'all that hold it are overloaded: another one is told');
};

subtest 'peers' => sub {
    my %f = (url => 'http://cdn.example.com/peers', size => 1000);
    for my $i (1 .. 60) {
        $t->ask(%f, port => 4000, from => "127.5.1.$i", left => 500, numwant => 0,
            headers => { 'X-Where' => $i <= 20 ? 'cn/telecom' : 'de/x' });
    }
    my %near;
    for my $where ('cn/telecom', 'de/x') {
        my @p = map { $_->{addr} =~ /\.(\d+):/ ? $1 : () }
            @{ $t->ask(%f, numwant => 10, event => 'stopped', from => '127.9.9.9',
                headers => { 'X-Where' => $where })->json->{peers} };
        is(scalar @p, 10, "$where: as many as were asked for");
        $near{$where} = grep { $where eq 'de/x' ? $_ > 20 : $_ <= 20 } @p;
    }
    cmp_ok($near{'cn/telecom'}, '>=', 7, 'mostly those of the same locality');
    cmp_ok($near{'de/x'}, '>=', 8, 'the others likewise');
};

subtest 'few super peers for one file' => sub {
    supers(map { {} } 1 .. 8);
    my %f = (url => 'http://cdn.example.com/same', size => 1000);
    my %who;
    for my $round (1 .. 3) {
        $_->say for @sp;
        $t->ask(%f, from => "127.0.0.$_") for 1 .. 5;
        $who{ $_->{name} }++ for grep { $_->told($_->poll(wait_ms => 1)) } @sp;
    }
    is_deeply([ values %who ], [1], 'one, once');

    # the same ones when the tracker has forgotten everything
    my $who = sub () {
        my @told;
        for my $file ('a' .. 'l') {
            $_->say for @sp;
            $t->ask(%f, url => "http://cdn.example.com/same-$file");
            push @told, map { $_->{name} } grep { $_->told($_->poll(wait_ms => 1)) } @sp;
        }
        return "@told";
    };
    my $before = $who->();
    $t->restart;
    is($who->(), $before, 'the same ones after a restart');
    my $share = share(40);
    cmp_ok(keys %$share, '>', 3, 'and other files go to others');
};

finish();
