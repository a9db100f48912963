# Askers, super peers and rubbish against four workers that are stopped for
# moments, reloaded and killed: nothing hangs, and at the end the tracker knows
# what it should. STRESS_SECONDS=60 goes on for so many seconds.

use v5.36;
use POSIX ();
use Shoal::Agent qw(agent);
use Shoal::Test;
use Time::HiRes qw(sleep);

my $seconds = $ENV{STRESS_SECONDS} // 6;
my $delay = 3;
my $t = tracker(delay => "${delay}s", workers => 4, connections => 1024,
    http => 'tracker_zone other:1m;', server =>
    'location = /rubbish { tracker_control other; tracker_register on; }');
$t->allow_log(qr/worker process \d+ exited on signal 9/,
    qr/shared memory zone "[^"]+" was locked by/);
my $root = 'd2' x 32;
my $out = tmpdir('out');
my $end = now + $seconds;
my (@kids, @names);

# Runs $code in a process; its lines are what results($name) has.
sub child($name, $code) {
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        srand $$;
        my @lines = eval { $code->() };
        push @lines, "died: $@" if $@;
        spew("$out/$name", join '', map { "$_\n" } @lines);
        POSIX::_exit(0);
    }
    push @kids, $pid;
    push @names, $name;
}

sub results($name) { return split /\n/, slurp("$out/$name") }

# A super peer: says "filling", then "ready", sometimes "busy"; says again what
# got no answer; announces all it has when the epoch is another.
sub super_peer($sp) {
    my (%held, %url, $epoch, $poll);
    my $tell = sub ($body, %more) {
        my $seq = ++$sp->{seq};
        for my $try (1 .. 50) {
            my $r = $sp->call_start($body, %more, seq => $seq)->wait(5);
            return $r->json->{epoch} if $r && $r->{status} == 200;
        }
        die "no answer to news\n";
    };
    my $all = sub {
        $tell->('', full => 'first');
        my @ids = keys %held;
        while (my @some = splice @ids, 0, 8000) {
            $tell->(join('', map { "+$_ $root cdn\n" } @some), full => 'more');
        }
        $epoch = $sp->{epoch} = $tell->('', full => 'last');
        $sp->{cursor} = 0;
    };
    $all->();
    # longer than askers, so that these never have to wait for the dead
    while (now < $end + $delay + 2) {
        my $r = $sp->poll(wait_ms => 1000)->wait(5) // next;
        die "poll: $r->{status} $r->{body}\n" if $r->{status} != 200;
        my $j = $r->json;
        if ($j->{epoch} ne $epoch) {
            $all->();
            next;
        }
        $sp->{cursor} = $j->{cursor};
        my @p = @{ $j->{prepare} } or next;
        my @busy = grep { rand() < 0.02 && !$held{ $_->{id} } } @p;
        my %busy = map { $_->{id} => 1 } @busy;
        $held{ $_->{id} } = 1, $url{ $_->{id} } = $_->{url}
            for grep { !$busy{ $_->{id} } } @p;
        $tell->(join '', map { "~$_->{id} 1\n" } @p);
        $tell->(join '', map { $busy{ $_->{id} } ? "?$_->{id} busy\n"
            : "+$_->{id} $root cdn\n" } @p);
    }
    $all->();
    return map { $url{$_} } keys %held;
}

# Asks on one connection after the other; what was too slow, what was lost.
sub asker($k) {
    my ($n, $lost, $slow, $on) = (0, 0, 0);
    while (now < $end) {
        my $what = rand;
        my $name = $what < 0.5 ? "$k/$n" : int rand 200;
        my $t0 = now;
        my $q = $t->ask_start(url => "http://cdn.example.com/$name",
            size => 100, $what > 0.3 ? (port => 1000 + int rand 60000) : (),
            $what > 0.9 ? (event => 'stopped') : (), numwant => int rand 200,
            $what > 0.97 ? (left => 101) : (), keepalive => 1, on => $on);
        if ($what > 0.4 && $what < 0.43) {
            $q->close;    # the client has left
            $on = undef;
            next;
        }
        my $r = $q->wait($delay + 5);
        if (!$r) {
            $q->{eof} ? $lost++ : die "no answer, no end, $name\n";
            $on = undef;
            next;
        }
        my $want = $what > 0.97 ? 400 : 200;
        die "$r->{status} $r->{body}\n" if $r->{status} != $want;
        $r->json if $want == 200;
        $slow++ if now - $t0 > $delay - 0.1;
        $on = ($r->{headers}{connection} // '') eq 'close' ? undef : $r;
        $n++;
    }
    return ($n, $lost, $slow);
}

# Calls that break off, or make no sense, in a zone that is soon full.
sub rubbish() {
    my $n = 0;
    while (now < $end) {
        my $id = sprintf '%040x', rand 2**31;
        my $body = "~$id 1\n" x rand 300;
        my $say = int rand 200 + length $body;
        my $head = 'POST /rubbish?name=r' . int(rand 5) . '&session='
            . sprintf('%016x', rand 2**31) . '&port=1&seq=' . ++$n
            . (rand() < 0.3 ? '&wait_ms=2000' : '') . " HTTP/1.1\r\nHost: t\r\n"
            . "Content-Length: $say\r\n\r\n";
        my $q = http_raw($t->addr, $t->port, $head . $body, method => 'POST',
            from => '127.0.0.99');
        $q->wait(0.05) if rand() < 0.7;
        $q->close;
    }
    return $n;
}

my @sp = map { agent($t) } 1 .. 3;
for my $sp (@sp) {
    $sp->say;
    child($sp->{name}, sub { super_peer($sp) });
}
child("asker$_", sub { asker($_) }) for 1 .. 4;
child('rubbish', \&rubbish);

my ($turn, $next, $hups, $kills) = (0, now + 0.5, 0, 0);
while (now < $end) {
    my @w = $t->worker_pids;
    if (now > $next && @w >= 4) {
        $next = now + 0.4 + rand 0.8;
        if (rand() < 0.4) {
            $t->process->signal('HUP');
            $hups++;
        } else {
            kill 'KILL', $w[ rand @w ];
            $kills++;
        }
        next;
    }
    # a moment in which others overtake what it is in the middle of
    my $w = $w[ $turn++ % @w ] // next;
    kill 'STOP', $w;
    sleep 0.003;
    kill 'CONT', $w;
    sleep 0.001;
}
waitpid $_, 0 for @kids;
note("$hups reloads, $kills kills");

my ($asked, $lost, $slow) = (0, 0, 0);
for my $name (@names) {
    my @r = results($name);
    ok(@r && !(grep { /^died/ } @r), $name) or diag("@r");
    next if $name !~ /^asker/;
    $asked += $r[0];
    $lost += $r[1];
    $slow += $r[2];
}
note("$asked answers, $lost connections lost, $slow waited to the end");
cmp_ok($asked, '>', 100 * $seconds, 'many are answered');
# each of the four has one request under way when a worker is killed or leaves
cmp_ok($lost, '<=', 4 * ($kills + $hups), 'few are lost');
# a super peer whose poll was in a killed worker is told a second later
cmp_ok($slow, '<=', 4 * ($kills + $hups), 'few had to wait to the end');

$t->wait_old_workers;
wait_for { $t->worker_pids == 4 } 5, 'workers';
for my $sp (@sp) {
    my @url = results($sp->{name});
    @url = @url[0 .. 49] if @url > 50;
    $sp->new_session->say;
    my @bad = grep {
        my $r = $t->ask(url => $_, size => 100, event => 'stopped');
        !grep { $_->{url} eq $sp->base && $_->{state} eq 'ready' }
            @{ $r->json->{super} };
    } @url;
    is(@bad, 0, "$sp->{name}: what it holds is listed");
}

finish();
