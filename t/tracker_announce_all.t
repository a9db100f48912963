# A full announcement of 100,000 sets: taken in short turns, so that the other
# requests of that worker go on; streamed, without a temporary file; and what
# a second one does not name is gone.

use v5.36;
use IO::Select;
use Shoal::Agent qw(agent);
use Shoal::Test;

my ($sets, $lines) = (100_000, 8192);
my $h2 = free_port('127.0.0.2');
my $t = tracker(delay => '0', workers => 1, zone => '64m',
    control => 'client_max_body_size 2m;',
    server => "listen 127.0.0.2:$h2 http2; location = /ping { return 200 x; }");
my $root = 'ab' x 32;

# Ids of files that can be asked for, and others.
my @file = map { { url => "http://cdn.example.com/$_", size => $_ } } 1 .. 20;
my @known = map { $t->ask(%$_, event => 'stopped')->json->{id} } @file;
my @id = (@known, map { sprintf '%08x%032x', rand 2**32, $_ }
    scalar(@known) + 1 .. $sets);

sub listed() {
    return join '', map { scalar @{ $t->ask(%$_, event => 'stopped')
        ->json->{super} } } @file;
}

# Another client of the same worker, always with a request under way: a child
# that writes how long each took.
sub pinging($file) {
    return Shoal::Process->start_perl('ping', sub {
        my $end = 0;
        local $SIG{TERM} = sub { $end = 1 };
        open my $out, '>', $file or die;
        my $q;
        while (!$end) {
            my $begun = now;
            $q = http_start(GET => $t->base . '/ping', keepalive => 1,
                $q ? (on => $q->{answer}) : ());
            $q->wait(10) or die "no answer\n";
            syswrite $out, sprintf "%.6f\n", now - $begun;
            select undef, undef, undef, 0.0005;
        }
    });
}

# All calls of a full announcement: how long each took.
sub announce($sp, @ids) {
    my @seconds;
    $sp->_ok($sp->call('', full => 'first'));
    while (my @part = splice @ids, 0, $lines) {
        my $r = $sp->call(join('', map { "+$_ $root cdn\n" } @part), full => 'more');
        die "$r->{status} $r->{body}" if $r->{status} != 200;
        push @seconds, $r->{seconds};
    }
    $sp->_ok($sp->call('', full => 'last'));
    return @seconds;
}

my $sp = agent($t);
$sp->say;
my $ping = pinging($t->dir . '/ping');
wait_for { -s $t->dir . '/ping' } 5, 'the first ping';
my @seconds = announce($sp, @id);
is(scalar @seconds, 13, '100,000 sets in 13 calls');
is(listed(), '1' x 20, 'a sample of them is listed');
my @again = announce($sp, @id[10 .. $#id]);
is(listed(), '0' x 10 . '1' x 10, 'what is not named again is gone');
$ping->stop;

my @took = sort { $a <=> $b } split /\n/, slurp($t->dir . '/ping');
my ($slowest) = sort { $b <=> $a } @seconds, @again;
note(sprintf 'calls: %.1f ms at most; %d pings: median %.2f, 99 %% %.2f, '
    . 'at most %.2f ms', 1000 * $slowest, scalar @took, 1000 * $took[@took / 2],
    1000 * $took[@took * 0.99], 1000 * $took[-1]);
cmp_ok(scalar @took, '>', 100, 'many requests meanwhile');
cmp_ok($took[@took * 0.99], '<', deadline(0.05), 'none was held up for long');
ok(!glob($t->dir . '/tmp/body/*'), 'no temporary file');

# The largest body there is; file 1 is named in its last line.
my $filler = join '', map { "+$_ $root cdn\n" } @id[100 .. 100 + $lines - 2];
sub largest($sign) {
    return $filler . ($sign eq '+' ? "+$known[0] $root cdn\n" : "-$known[0]\n");
}

sub held() {
    return scalar @{ $t->ask(%{ $file[0] }, event => 'stopped')->json->{super} };
}

subtest 'a client that leaves' => sub {
    for my $i (1 .. 5) {
        $sp->say("-$known[0]");
        my $q = $sp->call_start(largest('+'));
        $q->close;
        wait_for { $sp->say; held() } 10, 'all lines to be taken';
    }
    pass('behind its body: all of it is taken');
    $sp->say("-$known[0]");
    for my $i (1 .. 5) {
        my $args = $sp->args;
        my $q = http_raw($t->addr, $t->port, 'POST /control?'
            . join('&', map { "$_=$args->{$_}" } keys %$args)
            . " HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer sesame\r\n"
            . "Content-Length: 900000\r\n\r\n" . substr($filler, 0, 150_000 * $i),
            method => 'POST', from => $sp->{from});
        $q->close;
    }
    $sp->say("+$known[0] $root cdn");
    is(held(), 1, 'in the middle of it: the next call goes on');
};

subtest 'pipelined calls' => sub {
    my $text = '';
    for my $sign ('-', '+') {
        my ($args, $body) = ($sp->args, largest($sign));
        $text .= 'POST /control?' . join('&', map { "$_=$args->{$_}" } keys %$args)
            . " HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer sesame\r\nContent-Length: "
            . length($body) . ($sign eq '+' ? "\r\nConnection: close" : '')
            . "\r\n\r\n$body";
    }
    my $q = http_raw($t->addr, $t->port, $text, method => 'POST', from => $sp->{from});
    is($q->wait(15)->{status}, 200, 'the first one');
    wait_for { $q->{sock}->blocking(1); my $n = sysread $q->{sock}, $q->{buf}, 65536,
        length $q->{buf}; !$n } 10, 'the second one';
    is(scalar(() = $q->{buf} =~ m{^HTTP/1\.1 200}mg), 2, 'both are answered');
    is(held(), 1, 'in their order');
};

subtest 'HTTP/2' => sub {
    my $curl = sub (@more) {
        my $args = $sp->args;
        my $url = "http://127.0.0.2:$h2/control?"
            . join '&', map { "$_=$args->{$_}" } keys %$args;
        my ($st, $out) = run_cmd({ deadline => 30 }, qw(curl -s -o /dev/null
            --http2-prior-knowledge --interface), $sp->{from}, '-w',
            '%{http_version} %{http_code}', '-H', 'Authorization: Bearer sesame',
            @more, $url);
        return $out;
    };
    for my $sign ('-', '+') {
        spew($t->dir . '/body', largest($sign));
        is($curl->('--data-binary', '@' . $t->dir . '/body'), '2 200', 'a call');
        is(held(), $sign eq '+' ? 1 : 0, 'all of it is taken');
    }
    like($curl->('--data-binary', '@' . $t->dir . '/body', '--limit-rate', '200k',
        '--max-time', '1'), qr{ 000$}, 'a client that leaves in the middle');
    $sp->say("-$known[0]", "+$known[0] $root cdn");
    is(held(), 1, 'the next call goes on');
};

subtest 'a reload meanwhile' => sub {
    for my $i (1 .. 3) {
        my @sp = map { agent($t) } 1 .. 4;
        my @q = map { $_->call_start(largest('+')) } @sp;
        $t->reload;
        is(scalar(grep { $_ && $_->{status} == 200 } http_wait_all(15, @q)), 4,
            'all calls are answered');
        my $n = 4 * $i + 1;
        is(held(), $n < 8 ? $n : 8, 'and all lines taken');
    }
    $t->wait_old_workers;
};

subtest 'a worker killed meanwhile' => sub {
    my @q = map { agent($t)->call_start($filler) } 1 .. 4;
    my ($pid) = $t->worker_pids;
    kill KILL => $pid;
    wait_for { my ($new) = $t->worker_pids; $new && $new != $pid } 10, 'a new worker';
    http_wait_all(10, @q);
    $t->allow_log(qr/exited on signal 9/, qr/was locked by/);
    my $new = agent($t);
    $new->announce("+$known[5] $root cdn");
    my $j = $t->ask(%{ $file[5] }, event => 'stopped')->json;
    ok((grep { $_->{url} eq $new->base } @{ $j->{super} }), 'others go on');
};

finish();
