# Reports of dead and wrong holders: those of three networks make that others
# go before it, for ten minutes, as long as there are others.

use v5.36;
use Shoal::Agent qw(agent);
use Shoal::Test;

my $t = tracker(delay => '0', workers => 2, clock => 1, http =>
    'tracker_superpeer swarm named url=http://sp.example.com:7070/?k=v;'
    . 'tracker_superpeer swarm literal url=http://127.8.8.8:7171;',
    peers => 'tracker_superpeers_per_file 1;');
my $root = 'ab' x 32;
my $n = 0;

sub file(@supers) {
    my %f = (url => 'http://cdn.example.com/' . ++$n, size => 1000);
    my $id = $t->ask(%f, event => 'stopped')->json->{id};
    $_->say("+$id $root cdn") for @supers;
    return { %f, id => $id };
}

sub ask($f, %o) {
    return $t->ask((map { $_ => $f->{$_} } qw(url size)), %o)->json;
}

# What an asker is told: super peers, then peers.
sub supers($f) {
    return join ' ', sort map { $_->{url} } @{ ask($f, event => 'stopped')->{super} };
}

sub peers($f) {
    return join ' ', sort map { $_->{addr} }
        @{ ask($f, event => 'stopped', from => '127.9.9.9')->{peers} };
}

sub report($f, $bad, @from) {
    ask($f, event => 'stopped', bad => $bad, from => $_) for @from;
}

sub where($agent) { return "$agent->{from}:$agent->{port}" }

my @net = map { "127.2.$_.1" } 1 .. 9;    # one address of each /24
my ($a, $b, $c) = map { agent($t) } 1 .. 3;

subtest 'a super peer' => sub {
    my $f = file($a, $b);
    my $both = supers($f);
    like($both, qr/\Q$_\E/, 'listed') for $a->base, $b->base;
    report($f, 'dead,' . where($a), ('127.2.1.1', '127.2.1.2', '127.2.1.3') x 3);
    is(supers($f), $both, 'three reports from one network');
    report($f, 'dead,' . where($a), $net[1]);
    is(supers($f), $both, 'a second one');
    report($f, 'wrong,' . where($a), $net[2]);
    is(supers($f), $b->base, 'the third one: the other is listed alone');
    is(supers(file($a, $b)), $both, 'for other files it is as before');

    report($f, 'dead,' . where($b), @net[0 .. 2]);
    is(supers($f), $both, 'all of them reported: all are listed');
    $c->say("+$f->{id} $root cdn");
    is(supers($f), $c->base, 'one that is not');
    $c->say("~$f->{id} 5");
    my @list = map { $_->{url} } @{ ask($f, event => 'stopped')->{super} };
    is_deeply([ $list[0], scalar @list ], [ $c->base, 3 ],
        'it is still filling: before them, not in their place');
    $c->say("-$f->{id}");

    # it prepares beside them
    $c->say;
    ask($f);
    is(scalar($c->told($c->poll(wait_ms => 1))), 1, 'another one is told');
    $t->ahead(590);
    $_->say for $a, $b, $c;
    $c->say("+$f->{id} $root cdn");
    is(supers($f), $c->base, 'after nearly ten minutes');
    $t->ahead(620);
    $_->say for $a, $b, $c;
    like(supers($f), qr/\Q$_\E/, 'after ten minutes it is listed again')
        for $a->base, $b->base, $c->base;
    report($f, 'dead,' . where($a), @net[0 .. 1]);
    like(supers($f), qr/\Q@{[ $a->base ]}\E/, 'and begins anew');
};

subtest 'reports that are old' => sub {
    my $f = file($a, $b);
    report($f, 'dead,' . where($a), @net[0 .. 1]);
    $t->ahead(620 + 610);
    $_->say for $a, $b;
    report($f, 'dead,' . where($a), $net[2]);
    like(supers($f), qr/\Q@{[ $a->base ]}\E/, 'do not count with new ones');
    report($f, 'dead,' . where($a), @net[3, 4]);
    is(supers($f), $b->base, 'three new ones do');
};

subtest 'peers' => sub {
    my $f = file();
    my @p = map { "127.3.0.$_" } 1 .. 4;
    ask($f, port => 4000, from => $_) for @p;
    is(peers($f), join(' ', map { "$_:4000" } @p), 'four peers');
    report($f, "dead,$p[1]:4000", @net[0 .. 1]);
    report($f, "dead,$p[1]:4001", $net[2]);
    is(peers($f), join(' ', map { "$_:4000" } @p), 'another port is another peer');
    report($f, "dead,$p[1]:4000", $net[2]);
    is(peers($f), join(' ', map { "$_:4000" } @p[0, 2, 3]), 'one is passed over');
    report($f, "wrong,$_:4000", @net[0 .. 2]) for @p[0, 2];
    is(peers($f), "$p[3]:4000", 'three are');
    report($f, "wrong,$p[3]:4000", @net[0 .. 2]);
    is(peers($f), join(' ', map { "$_:4000" } @p), 'all are: all are listed');
};

subtest 'whose address it is' => sub {
    my ($named, $literal) = map { agent($t, name => $_) } qw(named literal);
    my $check = sub ($who, $bad, $counts) {
        my $f = file($a, $who);
        report($f, "dead,$bad", @net[0 .. 2]);
        my $got = supers($f);
        is(scalar(split ' ', $got), $counts ? 1 : 2, "$who->{name}: $bad");
    };
    $check->($literal, '127.8.8.8:7171', 1);
    $check->($literal, "$literal->{from}:7171", 1);
    $check->($literal, "$literal->{from}:$literal->{port}", 0);
    $check->($literal, '127.8.8.9:7171', 0);
    $check->($named, "$named->{from}:7070", 1);
    $check->($named, '127.8.8.8:7070', 0);
    $check->($b, '[::ffff:' . $b->{from} . ']:' . $b->{port}, 1);
    $check->($b, where($c), 0);
};

subtest 'what is kept is bounded' => sub {
    my $f = file();
    my @p = map { "127.4.0.$_" } 1 .. 12;
    ask($f, port => 4000, from => $_) for @p;

    # strangers' addresses, and peers with a report or two, in many calls
    for my $i (1 .. 40) {
        report($f, "dead,127.5.5.$i:9", @net[0 .. 2]);
    }
    report($f, "dead,$p[0]:4000", @net[0 .. 2]);
    report($f, "dead,$_:4000", $net[0]) for @p[1 .. 11], @p[1 .. 11];
    is(peers($f), join(' ', map { "$_:4000" } sort @p[1 .. 11]),
        'what is passed over is not forgotten for others');
    report($f, "dead,$_:4000", @net[0 .. 2]) for @p[1 .. 11];
    is(scalar(split ' ', peers($f)), 4, 'eight at most');

    my $many = join '&', map { "bad=dead,$_:4000" } @p[0 .. 7];
    my $url = $t->url . '?url=http://cdn.example.com/' . ++$n . "&size=5&$many";
    is(http(GET => $url)->{status}, 200, 'eight in one call, of nobody');
    is(http(GET => "$url&bad=dead,$p[8]:4000")->{status}, 400, 'nine are too many');
};

subtest 'counted' => sub {
    my $f = file($a);
    my %before = %{ $t->metrics };
    report($f, 'dead,' . where($a), @net[0 .. 1]);
    report($f, 'wrong,' . where($a), $net[2]);
    report($f, 'wrong,127.7.7.7:7', $net[2]);
    my %m = %{ $t->metrics };
    my $more = sub ($kind) {
        my $name = qq(shoal_tracker_reports_total{kind="$kind"});
        return $m{$name} - $before{$name};
    };
    is($more->('dead'), 2, 'dead');
    is($more->('wrong'), 1, 'wrong; not of those who hold nothing');
};

finish();
