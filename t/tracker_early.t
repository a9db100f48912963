# tracker_early filling: an answer comes as soon as the chosen super peers have
# begun to fill, if these are listed.

use v5.36;
use Shoal::Agent qw(agent);
use Shoal::Test;

my $url = 'http://cdn.example.com/';

# Both are told, one refuses, the other begins: the answer to who asked.
sub ask_while_it_begins($t) {
    my @sp = map { agent($t) } 1 .. 2;
    my @poll = map { $_->poll } @sp;
    $_->say for @sp;
    my $q = $t->ask_start(url => $url . 'a', size => 1000);
    my ($id) = map { my ($p) = $sp[$_]->told($poll[$_]); $p->{id} } 0, 1;
    $sp[0]->say("?$id busy");
    ok($q->pending, 'one of two is not enough');
    $sp[1]->say("~$id 0");
    return ($q->wait(5), $sp[1], $id);
}

subtest 'at once' => sub {
    my $t = tracker(delay => '900ms', peers => 'tracker_early filling;');
    my ($r, $sp, $id) = ask_while_it_begins($t);
    cmp_ok($r->{seconds}, '<', 0.8, 'before the delay is over');
    is_deeply($r->json->{super}, [ { url => $sp->base, state => 'filling' } ],
        'it is listed');
    is($r->json->{interval}, 2, 'ask again soon');
    $r = $t->ask(url => $url . 'a', size => 1000);
    cmp_ok($r->{seconds}, '<', 0.8, 'the next one does not wait either');
    $t->stop;
};

subtest 'not where it would not be listed' => sub {
    my $t = tracker(delay => '900ms',
        peers => 'tracker_early filling; tracker_list_filling off;');
    my ($r) = ask_while_it_begins($t);
    cmp_ok($r->{seconds}, '>=', 0.9, 'never early');
    is_deeply($r->json->{super}, [], 'nobody is ready');
    $t->stop;
};

subtest 'not with tracker_early on' => sub {
    my $t = tracker(delay => '900ms', peers => 'tracker_early on;');
    my ($r, $sp) = ask_while_it_begins($t);
    cmp_ok($r->{seconds}, '>=', 0.9, 'never early');
    is($r->json->{super}[0]{state}, 'filling', 'and listed');
    $t->stop;
};

finish();
