# The log variables: what a request got, when and why; nothing in other
# locations.

use v5.36;
use Shoal::Agent qw(agent);
use Shoal::Test;

my $log = tmpdir('logs') . '/tracker.log';
my $t = tracker(delay => '300ms',
    http => 'log_format t "$arg_tag $status $tracker_reason '
          . '$tracker_waited $tracker_id $tracker_supers $tracker_peers '
          . '$sent_http_x_supers";',
    server => "access_log $log t; add_header X-Supers \$tracker_supers;"
        . ' location = /other { return 204; }'
        . ' location = /denied { deny all; tracker_peers swarm; }'
        . ' location = /moved { error_page 403 = /other?tag=moved; deny all; tracker_peers swarm; }'
        . ' location = /slow { tracker_peers swarm; tracker_delay 20s; }'
        . ' location = /now { tracker_peers swarm; tracker_delay 0; }'
        . ' location = /subst { return 200 "[$tracker_id$tracker_reason]"; }');
my $root = 'e7' x 32;
my $url = 'http://cdn.example.com/';

# The log's fields for the request with this tag.
sub logged($tag) {
    my @line;
    wait_for { @line = slurp($log) =~ /^(\Q$tag\E .*)$/mg; @line } 5, "the line of $tag";
    is(@line, 1, "$tag: one line");
    my %f;
    @f{qw(tag status reason waited id supers peers header)} = split ' ', $line[0];
    return \%f;
}

sub is_logged($tag, %want) {
    my $f = logged($tag);
    is($f->{$_}, $want{$_}, "$tag: $_") for sort keys %want;
    return $f;
}

is_deeply(
    [ sort slurp(top() . '/docs/operations.md') =~ /^\| `\$(tracker_\w+)` \|/mg ],
    [ sort slurp(top() . '/ngx_tracker_module/ngx_http_tracker_variables.c')
        =~ /^    ngx_http_tracker_var\("(\w+)"/mg ], 'documented');

my %none = (waited => '-', id => '-', supers => '-', peers => '-');

my $id = $t->ask(url => $url . 'a', size => 9, tag => 'alone', port => 1)->json->{id};
is_logged('alone', status => 200, reason => 'none', waited => '-', id => $id,
    supers => 0, peers => 0, header => 0);
$t->ask(url => $url . 'a', size => 9, tag => 'second', from => '127.0.0.9');
is_logged('second', reason => 'none', id => $id, supers => 0, peers => 1);
$t->ask(url => $url . 'a', size => 9, tag => 'stop', port => 1, event => 'stopped');
is_logged('stop', status => 200, reason => 'stopped', id => $id, peers => 0);

$t->ask(url => $url . 'a', size => 'x', tag => 'bad');
is_logged('bad', status => 400, reason => 'bad', %none);
$t->ask(url => 'http://x.example.com/', size => 1, tag => 'foreign');
is_logged('foreign', status => 403, reason => 'forbidden', %none);
http(POST => $t->url . '?tag=post', body => '');
is_logged('post', status => 405, reason => 'bad', %none);
http(GET => $t->base . '/denied?tag=denied');
is_logged('denied', status => 403, reason => 'forbidden', %none);
http(GET => $t->base . '/moved');
is_logged('moved', reason => '-', %none);
http(GET => $t->base . '/other?tag=other');
is_logged('other', status => 204, reason => '-', %none);
is(http(GET => $t->base . '/subst')->{body}, '[]', 'empty in a text');
http(GET => $t->base . "/now?tag=now&url=${url}a&size=9");
is_logged('now', status => 200, reason => 'now', id => $id, waited => '-');

my $sp = agent($t, args => { tag => 'call' });
my $poll = $sp->poll(tag => 'poll1');
$sp->say;
is_logged('call', status => 200, reason => 'now', %none);

my $gone = http_start(GET => $t->base . "/slow?url=${url}b&size=9&tag=leaves");
my ($p) = $sp->told($poll);
my $f = is_logged('poll1', status => 200, reason => 'ready', id => '-', supers => '-');
like($f->{waited}, qr/^\d+\.\d{3}$/, 'a poll waits');
wait_for { $t->metrics->{'shoal_tracker_parked{kind="peers"}'} } 5, 'it to be parked';
$gone->close;
my $q = $t->ask_start(url => $url . 'b', size => 9, tag => 'waits');
$f = is_logged('leaves', status => 499, reason => 'left', id => $p->{id}, supers => '-', peers => '-');
like($f->{waited}, qr/^\d+\.\d{3}$/, 'waited');
my $r = $q->wait(5);
$f = is_logged('waits', status => 200, reason => 'deadline', id => $p->{id}, supers => 0, peers => 0);
cmp_ok($f->{waited}, '>=', 0.3, 'the whole delay');
cmp_ok($f->{waited}, '<=', $r->{seconds} + 0.1, 'not more than the client saw');

$poll = $sp->poll(tag => 'poll2');
$q = http_start(GET => $t->base . "/slow?url=${url}c&size=9&tag=early");
($p) = $sp->told($poll);
$sp->say("+$p->{id} $root cdn");
$q->wait(5);
$f = is_logged('early', status => 200, reason => 'ready', supers => 1, header => 1);
isnt($f->{waited}, '-', 'had waited');
$t->ask(url => $url . 'c', size => 9, tag => 'known');
is_logged('known', reason => 'ready', waited => '-', supers => 1);

$sp->call('', tag => 'badcall', seq => 'x');
is_logged('badcall', status => 400, reason => 'bad', %none);
$poll = $sp->poll(tag => 'short', wait_ms => 50);
$poll->wait(5);
$f = is_logged('short', status => 200, reason => 'deadline');
cmp_ok($f->{waited}, '>=', 0.05, 'wait_ms');

$poll = $sp->poll(tag => 'exits');
wait_for { ($t->metrics->{'shoal_tracker_parked{kind="poll"}'}) == 1 } 5, 'the poll';
$t->reload;
$poll->wait(5);
is_logged('exits', status => 200, reason => 'exiting');

finish();
