# What strangers can make super peers do is bounded: tracker_prepare_after,
# tracker_prepare_budget, tracker_min_size.

use v5.36;
use Shoal::Agent qw(agent);
use Shoal::Test;

my $port = free_port('::1');
my $t = tracker(delay => '0', workers => 2, listen => "; listen [::1]:$port");
my $root = 'ab' x 32;
my $n = 0;
my @sp = map { agent($t) } 1 .. 2;

sub file(%o) { return { url => 'http://cdn.example.com/' . ++$n, size => 1000, %o } }

# How many super peers were told since the last time.
sub told() {
    my $told = 0;
    $told += $_->told($_->poll(wait_ms => 1)) for @sp;
    return $told;
}

# Asks and says how many were told upon it.
sub ask($f, @from) {
    $_->say for @sp;
    my $status = '';
    $status .= $t->ask(%$f, from => $_)->{status} . ' ' for @from;
    return $status . told();
}

subtest 'tracker_prepare_after' => sub {
    $t->reload(peers => 'tracker_prepare_after 3;');
    my $f = file();
    is(ask($f, ('127.0.0.1') x 5), '200 200 200 200 200 0', 'one asker, five times');
    is(ask($f, '127.0.0.2'), '200 0', 'the second one');
    is(ask({ %$f, port => 4000 }, '127.0.0.1'), '200 0', 'again, and serving');
    is(ask({ %$f, event => 'stopped' }, '127.0.0.3'), '200 0', 'one that leaves');
    is(ask($f, '127.0.0.4'), '200 2', 'the third one: two super peers are told');
    is(ask($f, '127.0.0.5'), '200 0', 'once');
    is(ask(file(), map { "127.0.0.$_" } 1 .. 2), '200 200 0', 'another file: anew');

    my ($g, $id) = file();
    $id = $t->ask(%$g, event => 'stopped')->json->{id};
    $sp[0]->say("+$id $root cdn");
    my $j = $t->ask(%$g)->json;
    is(scalar(@{ $j->{super} }), 1, 'who holds it is listed for the first asker');

    # IPv6: a host may have any address of its /64
    my $h = file();
    for my $i (1 .. 2) {
        my $r = http(GET => "http://[::1]:$port/peers", args => $h);
        is($r->{status}, 200, 'IPv6');
    }
    is(ask($h, '127.0.0.1'), '200 0', 'counts once');
    is(ask($h, '127.0.0.2'), '200 2', 'third address');

    $t->reload(peers => 'tracker_prepare_after 31;');
    my $k = file();
    is(ask($k, map { "127.0.0.$_" } 1 .. 30), '200 ' x 30 . '0', 'thirty');
    is(ask($k, '127.0.0.31'), '200 2', 'thirty-one');
    $t->reload(peers => '');
    is(ask(file(), '127.0.0.1'), '200 2', 'the default: the first one');
};

subtest 'a waiting asker' => sub {
    $t->reload(delay => '5s', peers => 'tracker_prepare_after 2;');
    my $f = file();
    $_->say for @sp;
    my $r = $t->ask(%$f, from => '127.0.0.1');
    cmp_ok($r->{seconds}, '<', 3, 'nobody is told, nobody is waited for');
    my $q = $t->ask_start(%$f, from => '127.0.0.2');
    ok(!$q->wait(0.2), 'the second asker is parked');
    is(told(), 2, 'two are told');
    $t->reload(delay => '0');
    ok($q->wait(5), 'answered');
};

subtest 'tracker_prepare_budget' => sub {
    $t->reload(peers => 'tracker_prepare_budget 10k;');
    is(ask(file(size => 4000), '127.1.1.1'), '200 2', '8,000 of 10,240 bytes');
    my $f = file(size => 2000);
    is(ask($f, '127.1.1.2'), '200 1', 'room for one super peer of two');
    is(ask($f, '127.1.1.2'), '200 0', 'and no more');
    is(ask(file(size => 300), '127.1.1.3'), '200 0', 'another file');
    is(ask($f, '127.1.2.1'), '200 1', 'another /24 has its own');
    is(ask(file(size => 240), '127.1.1.4'), '200 1', 'to the last byte');
    is(ask(file(size => 0), '127.1.1.4'), '200 2', 'what costs nothing');
    is(ask(file(size => 10241), '127.1.3.1'), '200 0', 'more than the budget');
    is(ask(file(size => '9223372036854775807'), '127.1.3.1'), '200 0', 'as large as can be');
    is(ask(file(size => 5120), '127.1.3.1'), '200 2', 'all of it');

    my $g = file(size => 4000);
    my $id = $t->ask(%$g, event => 'stopped')->json->{id};
    $sp[0]->say("+$id $root cdn");
    my $j = $t->ask(%$g, from => '127.1.3.2')->json;
    is($j->{super}[0]{state}, 'ready', 'without a budget the list is as good');
    is(told(), 0, 'and nobody is told');

    my $r = http(GET => "http://[::1]:$port/peers", args => file(size => 5120));
    is($r->{status} . ' ' . told(), '200 2', 'IPv6');
    $r = http(GET => "http://[::1]:$port/peers", args => file(size => 1));
    is($r->{status} . ' ' . told(), '200 0', 'has its own, too');

    $t->reload(peers => '');
    is(ask(file(size => 1000), '127.1.1.1'), '200 2', 'the default: no limit');
};

subtest 'tracker_min_size' => sub {
    $t->reload(delay => '5s', peers => 'tracker_min_size 1k;');
    my $f = file(size => 1023);
    $_->say for @sp;
    my $r = $t->ask(%$f, port => 4000, left => 0);
    cmp_ok($r->{seconds}, '<', 3, 'answered at once');
    my $id = $r->json->{id};
    is_deeply($r->json, { id => $id, interval => 60, super => [], peers => [] },
        'an empty list');
    is(told(), 0, 'nobody is told');
    $sp[0]->say("+$id $root cdn");
    is_deeply($t->ask(%$f, from => '127.0.0.2')->json->{$_}, [], "no $_")
        for qw(super peers);
    is($t->ask(%$f, event => 'stopped')->{status}, 200, 'stopped');
    is($t->ask(%$f, size => 'x')->{status}, 400, 'arguments are checked');
    my $q = $t->ask_start(%{ file(size => 1024) });
    ok(!$q->wait(0.2), 'one byte more: parked');
    is(told(), 2, 'and prepared');
    $t->reload(delay => '0', peers => '');
    ok($q->wait(5), 'answered');
};

subtest 'values' => sub {
    for ([ 'prepare_after 0', 'value must be between 1 and 31' ],
        [ 'prepare_after 32', 'value must be between 1 and 31' ],
        [ 'prepare_after x', 'invalid number' ],
        [ 'prepare_budget x', 'invalid value' ], [ 'min_size -1', 'invalid value' ])
    {
        my ($text, $why) = @$_;
        my $c = nginx_conf_test(module => 1, http => "tracker_$text;");
        ok(!$c->{ok}, $text);
        like($c->{out}, qr/$why/, 'says why');
    }
};

finish();
