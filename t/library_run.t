# What a program may do with libshoal: run, step, cancel, copy, several
# downloads at once; what it is told.

use v5.36;
use Shoal::Embed qw(embed_install embed embed_run);
use Shoal::Test;

my $driver = embed(embed_install(), 't/library/driver.c');
my $s = stage(nodes => 2, superpeers => 0, no_tracker => 1);
my $size = 5_000_000;
my $path = $s->cdn->file('file.bin', $size, 1);
my $url = $s->cdn->url('file.bin');
my @resolve = (resolve => $s->cdn->resolve);
my $dir = tmpdir('out');
my ($stopped, $again) = (-14, -18);

sub value($r, $key) {
    return $r->{stdout} =~ /^\Q$key\E (.*)/m ? $1 : undef;
}

# The same through shoal_run() and shoal_step().
for my $how (qw(run step)) {
    my $r = embed_run($driver, $how, $url, "$dir/$how", @resolve);
    is($r->{status}, '0', $how) or diag($r->{stderr});
    is(value($r, 'result'), 0, "$how: result");
    same_file("$dir/$how", $path, "$how: content");
    is(value($r, 'again'), 0, "$how: the same result again");
    like($r->{stdout}, qr/^progress [1-9]\d* backwards 0 stages (?:\d+) held $size$/m,
        "$how: progress");
    my ($stages) = $r->{stdout} =~ /stages (\d+)/;
    ok($stages & 1 << 2 && $stages & 1 << 4, "$how: stages");
    like($r->{stdout}, qr{^report result 0 saved 1 there 0 size $size held $size file \Q$dir/$how\E$}m,
        "$how: report");
    my $used = 0;
    $used += $_ for $r->{stdout} =~ /^source .* used (\d+)/mg;
    is($used, $size, "$how: bytes by source");
    like($r->{stdout}, qr/^trust 1 votes 0 root (?:[0-9a-f]{64})? version etag:"/m,
        "$how: trust");
    my @events = $r->{stdout} =~ /^event \d+\.\d+ (.*)$/mg;
    for my $want (qr/^127\.0\.0\.11: found: behind cdn\.example\.com$/,
        qr/^127\.0\.0\.11: answers a (?:GET|HEAD): HTTP 20\d, $size bytes/,
        qr/^127\.0\.0\.11: taken$/, qr/^127\.0\.0\.11: gave its first/,
        qr/^-: the standard: $size bytes, etag:/, qr/^-: whole, and checked$/) {
        ok(scalar(grep { $_ =~ $want } @events), "$how: event $want");
    }
    like($r->{stdout}, qr/^source cdn 127\.0\.0\.11 .* first \d+\.\d+ last/m,
        "$how: times");
    is($r->{stderr}, '', "$how: the library prints nothing");
    next if $how eq 'run';
    cmp_ok(value($r, 'steps'), '>', 2, 'in steps');
    cmp_ok(value($r, 'longest'), '<', deadline(1), 'that are short');
    is(value($r, 'set'), -2, 'what has begun is not changed');
}

# A node that does not answer has its reason, too.
my $mute = stage(nodes => [ {}, { bad => { hang => 1 } } ],
    superpeers => 0, no_tracker => 1);
my $small = $mute->cdn->file('small.bin', 100_000, 3);
my $m = embed_run($driver, 'run', $mute->cdn->url('small.bin'), "$dir/small",
    resolve => $mute->cdn->resolve);
same_file("$dir/small", $small, 'beside a mute node');
like($m->{stdout}, qr/^event \S+ 127\.0\.0\.12: (?:had not answered|not used)/m,
    'of which it is said');

my %wish = (none => '', mtime => 'mtime:\d+', '1.0' => 'text:1\.0');
for my $wish (sort keys %wish) {
    my $r = embed_run($driver, 'run', $url, "$dir/v$wish", @resolve,
        'version-id' => $wish);
    like($r->{stdout}, qr/^trust 1 .* version $wish{$wish}$/m,
        "version-id $wish");
    same_file("$dir/v$wish", $path, 'content');
}

# -c from the API; what is there already.
my $r = embed_run($driver, 'run', $url, "$dir/run", continue => 'yes',
    @resolve);
like($r->{stdout}, qr/^report result 0 saved 1 there 1 /m, 'there already');
like($r->{stdout}, qr/^message 1 .*is there already/m, 'a notice says so');

$r = embed_run($driver, 'copy', $url, "$dir/copy");
like($r->{stdout}, qr/^template -2 no URL$/m, 'a template cannot be run');
like($r->{stdout}, qr{^error \S+/file\.bin: cdn\.example\.com: cannot resolve}m,
    'a copy can: its own URL, the settings of the other');
is($r->{status}, '0', 'and errors end nothing');

# Two at once in one process, with standard output between them.
my $other = $s->cdn->file('other.bin', 3_000_000, 2);
my $local = sub ($name) {
    my ($node) = $s->cdn->node(0);
    return 'http://' . $node->addr . ':' . $s->cdn->port . "/$name";
};
$r = embed_run($driver, 'threads', $local->('file.bin'), "$dir/t1",
    $local->('other.bin'), "$dir/t2", $local->('file.bin'), "$dir/t3");
is($r->{stdout}, "result 0\n" x 3, 'three in three threads');
same_file("$dir/t1", $path, 'the first');
same_file("$dir/t2", $other, 'the second');
same_file("$dir/t3", $path, 'the third');

# Cancelled, in the middle of a slow one.
$s->cdn->set(limit_rate => '400k');
$r = embed_run($driver, 'cancel', $url, "$dir/cancel", @resolve);
is(value($r, 'result'), $stopped, 'cancelled from another thread');
like(value($r, q(error)), qr{/file\.bin: stopped$}, "the words");
cmp_ok(value($r, 'returned') - value($r, 'cancelled'), '<', deadline(1),
    'at once');
ok(!-e "$dir/cancel", 'no file under that name');
ok(-s "$dir/cancel.part.ctl", 'what came is kept');
like($r->{stdout}, qr/^report result $stopped saved 0 /m, 'report');

$r = embed_run($driver, 'signal', $url, "$dir/signal", @resolve);
is(value($r, 'result'), $stopped, 'cancelled from a signal handler');
ok(-s "$dir/signal.part.ctl", 'what came is kept');

$r = embed_run($driver, 'leave', $url, "$dir/leave", @resolve);
like($r->{stdout}, qr/^result $again held [1-9]/m, 'freed in the middle');
$s->cdn->set(limit_rate => 0);
for my $name (qw(cancel leave)) {
    $r = embed_run($driver, 'run', $url, "$dir/$name", continue => 'yes',
        @resolve);
    is(value($r, 'result'), 0, "$name: gone on with");
    same_file("$dir/$name", $path, "$name: content");
}

$r = embed_run($driver, 'pipe', $url, '-', @resolve);
is($r->{status}, '0', 'a closed pipe does not end the program')
    or diag($r->{stderr});
like($r->{stdout}, qr/^result -3\nerror -: Broken pipe\nblocked 0 pending 0$/m,
    'it is an error, and signals are as they were');

# Whom a tracker hears of. There is none at that port.
my $tracker = 'http://127.0.0.2:' . free_port('127.0.0.2') . '/peers?key=hush';
for my $case (['cdn.example.com' => 1], ['*.example.com' => 1],
    ['*.EXAMPLE.com' => 1], ['example.com' => 0], ['*.cdn.example.com' => 0],
    ['*.ample.com' => 0]) {
    my ($hosts, $asked) = @$case;
    $r = embed_run($driver, 'run', $url, "$dir/hosts", @resolve,
        tracker => $tracker, 'tracker-hosts' => $hosts);
    is(value($r, 'result'), 0, "tracker-hosts $hosts");
    is(scalar($r->{stdout} =~ m{^tracker http://127\.0\.0\.2:\d+/peers: }m),
        $asked ? 1 : '', $asked ? 'it is asked' : 'it is not');
    unlike($r->{stdout}, qr/hush/, 'its key is not shown');
}

# Settings and errors.
$r = embed_run($driver, 'set', tries => 'x', 'no-such' => 1,
    'output-document' => '', password => "hush\n", 'listen-port' => 9,
    'no-upload' => 'yes');
is($r->{stdout}, <<'EOT', 'what is wrong is named');
set -2 tries: expected a number from 0 to 1000000, or inf, got 'x'
set -5 no-such: there is no such setting
set -2 output-document: expected a file name, got ''
set -2 password: expected printable text
set 0
set 0
check -2 listen-port and no-upload contradict
EOT
$r = embed_run($driver, 'run', 'ftp://example.com/x', "$dir/x");
like($r->{stdout},
    qr{^result -2\nerror ftp://example.com/x: not an http or https URL}m,
    'a bad URL');
$r = embed_run($driver, 'run', $s->cdn->url('none'), "$dir/none", @resolve);
like($r->{stdout}, qr{^result -5\nerror \S+/none: 127\.0\.0\.1\d: HTTP 404$}m,
    'what is not there');
like($r->{stdout}, qr/^event \S+ 127\.0\.0\.12: not used: HTTP 404$/m,
    'of each source why it is not used');
$r = embed_run($driver, 'run', $url, "$dir/no/such/place", @resolve);
like($r->{stdout}, qr{^result -3\nerror \Q$dir\E/no/such/place}m,
    'a folder that is not there');
$r = embed_run($driver, 'run', $url, "$dir/sum", @resolve,
    checksum => 'sha256=' . '0' x 64);
is(value($r, 'result'), -11, 'the wrong bytes');
ok(!-e "$dir/sum", 'have no name');

finish();
