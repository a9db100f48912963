# -O - and -O of a FIFO: the bytes go out in order as they come, once, and
# sources run ahead of a slow reader no further than a window.

use v5.36;
use MIME::Base64 qw(encode_base64);
use POSIX ();
use Shoal::Env qw(san_env);
use Shoal::Net qw(free_port);
use Shoal::Test;

my $MB = 1048576;

# The client with its standard output in a pipe that we read; the rest as
# shoal_start().
sub start_piped(@args) {
    my $dir = tmpdir('piped');
    my $fifo = "$dir/fifo" . ++(state $n);
    POSIX::mkfifo($fifo, 0600) or die "mkfifo: $!";
    mkdir "$dir/tmp";
    my $p = Shoal::Process->start(name => 'sh', cwd => $dir,
        env => { san_env(), TMPDIR => "$dir/tmp" },
        cmd => [ 'sh', '-c', 'exec "$@" >"$0"', $fifo, program('shoal'),
            @args ]);
    open my $in, '<:raw', $fifo or die "$fifo: $!";
    return ($p, $in);
}

sub read_some($in, $n) {
    my $got = '';
    while (length $got < $n) {
        my $most = $n - length $got;
        sysread($in, $got, $most < 65536 ? $most : 65536, length $got) or last;
    }
    return $got;
}

sub rest_of($in) { return read_some($in, 1 << 40) }

sub names($dir) {
    opendir my $d, $dir or die "$dir: $!";
    return join ' ', grep { !/^\.\.?$/ } readdir $d;
}

# The first bytes are there long before the last ones, plain stream or not.
my $cdn = cdn(nodes => 1, limit_rate => '1m');
my $path = $cdn->file('early.bin', 2 * $MB, 1);
my $want = slurp($path);
my $plain = cdn(nodes => [ { bad => { ranges => 0, length => 'chunked',
                                      rate => $MB } } ], host => 'plain.example.com');
$plain->file('early.bin', 2 * $MB, 1);
my @both = map { [ start_piped($_->client_args, '-nv', '-O', '-',
    $_->url('early.bin')) ] } $cdn, $plain;
my @got = map { read_some($_->[1], 100_000) } @both;
ok($_->[0]->alive, 'the first bytes come while it is under way') for @both;
for my $i (0, 1) {
    $got[$i] .= rest_of($both[$i][1]);
    is($both[$i][0]->wait(10), 0, 'success');
    ok($got[$i] eq $want, 'the content');
}

# Nodes of different speed, and one that has them all.
my $three = cdn(host => 'three.example.com',
    nodes => [ { limit_rate => '1m' }, { limit_rate => '4m' },
               { limit_rate => '8m' } ]);
my $mixed = $three->file('mixed.bin', 12 * $MB, 2);
my $r = shoal($three->client_args, '-c', '-O', '-', $three->url('mixed.bin'));
is($r->{status}, 0, 'nodes of different speed');
ok($r->{stdout} eq slurp($mixed), 'the content');
is(names($r->{dir}), '', 'no file beside');
like($r->{stderr}, qr/warning: continue does nothing together/, '-c is told');
cmp_ok(scalar(grep { $_->bytes > 0 } $three->nodes), '>', 1,
    'several gave some');

# A FIFO, whose reader comes late; a file without a byte is an end, too.
$three->file('none.bin', 0, 1);
for my $name ('mixed.bin', 'none.bin') {
    my $fifo = tmpdir('late') . "/$name";
    POSIX::mkfifo($fifo, 0600) or die "mkfifo: $!";
    my $p = shoal_start($three->client_args, '-q', '-O', $fifo,
        $three->url($name));
    ok(!$p->wait(0.3), 'a FIFO that nobody reads is waited for');
    open my $in, '<:raw', $fifo or die "$fifo: $!";
    my $got = rest_of($in);
    is($p->wait(10), 0, "a FIFO: $name");
    ok($got eq slurp($three->node(0)->path($name)), 'the content');
}

# With a tracker: super peers' blocks are taken where a root covers them.
my $stage = stage(nodes => 2, superpeers => 1, limit_rate => '8m');
my $shared = $stage->cdn->file('shared.bin', 12 * $MB, 6);
$stage->get('shared.bin');
$stage->wait_ready('shared.bin');
$stage->cdn->set(limit_rate => '1m');
$r = $stage->get('shared.bin', '-O', '-', '--listen-port=' . free_port());
is($r->{status}, 0, 'super peers');
ok($r->{stdout} eq slurp($shared), 'the content');
like($r->{stderr}, qr/ super peer +[1-9]/, 'they gave some');
like($r->{stderr}, qr/^not shared: what goes out is not kept/m, 'not shared');

# Who reads nothing makes it wait: no more than the window in memory, nothing
# on disk, no work, and nobody is blamed for it.
sub stat_of($pid) {
    my @f = split ' ', slurp("/proc/$pid/stat") =~ s/^.*\)//sr;
    return { cpu => $f[11] + $f[12], rss => $f[21] * 4096 };
}

my $fast = cdn(nodes => 2, host => 'fast.example.com');
my $long = $fast->file('long.bin', 120 * $MB, 3);
my ($p, $in) = start_piped($fast->client_args, '-T', 1, '--explain', '-O',
    '-', $fast->url('long.bin'));
my $got = read_some($in, 1000);
my $last = 0;
wait_for {
    select undef, undef, undef, 0.3;
    my $now = stat_of($p->pid)->{rss};
    my $same = $now == $last && $now > 40 * $MB;
    $last = $now;
    return $same;
} 20, 'it to stand still';
my $before = stat_of($p->pid);
select undef, undef, undef, 2.5; # longer than its patience with sources
my $after = stat_of($p->pid);
cmp_ok($after->{rss}, '<', 110 * $MB, 'memory is bounded') if !sanitized();
cmp_ok($after->{cpu} - $before->{cpu}, '<', 60, 'it waits without work');
is(names(tmpdir('piped/tmp')), '', 'nothing on disk');
is(scalar(grep { (readlink $_ // '') =~ m{piped/tmp|\(deleted\)} }
    glob '/proc/' . $p->pid . '/fd/*'), 0, 'nor in a file without a name');
$got .= rest_of($in);
is($p->wait(20), 0, 'then it goes on');
ok($got eq slurp($long), 'the content');
unlike($p->stderr, qr/stalled|closed early|asked again|no data/,
    'no node is blamed');

# A reader that leaves.
($p, $in) = start_piped($fast->client_args, '-nv', '-O', '-',
    $fast->url('long.bin'));
read_some($in, 100);
close $in;
is($p->any_status->wait(10), 3, 'the reader leaves: the status of wget');
like($p->stderr, qr/^shoal: -: Broken pipe$/m, 'is said');
is($p->stderr =~ tr/\n//, 1, 'in one line');

# What only the whole can tell goes out when it is whole.
my $small = $three->file('small.bin', 3 * $MB, 4);
my $sum = sha256_file($small);
$r = shoal($three->client_args, '-O', '-', "--checksum=sha-256=$sum",
    $three->url('small.bin'));
is($r->{status}, 0, 'a checksum');
ok($r->{stdout} eq slurp($small), 'the content');
$r = shoal($three->client_args, '-O', '-', '--checksum=sha-256=' . '0' x 64,
    $three->url('small.bin'));
is($r->{status}, 32, 'a wrong checksum');
is($r->{stdout}, '', 'nothing went out');

# So with the origin's own.
my $said = cdn(host => 'said.example.com', nodes => 2,
    headers => { Digest => 'SHA-256=' . encode_base64("\0" x 32, '') });
$said->link_file($small, 'small.bin');
$r = shoal($said->client_args, '-O', '-', $said->url('small.bin'));
is($r->{status}, 32, "a wrong checksum of the origin's");
is($r->{stdout}, '', 'nothing went out');

# The file is replaced after a part went out: never a mixture.
($p, $in) = start_piped($cdn->client_args, '-nv', '-O', '-',
    $cdn->url('early.bin'));
$got = read_some($in, 200_000);
$cdn->stop;
$cdn->file('early.bin', 2 * $MB, 5, mtime => time + 100);
$cdn->start;
$got .= rest_of($in);
is($p->any_status->wait(20), 32, 'another version is no success');
like($p->stderr, qr/went out already turned out to be wrong$/m, 'says why');
cmp_ok(length $got, '<', length $want, 'a part');
ok($got eq substr($want, 0, length $got), 'of the first version alone');

# One that is rewritten in place shows it only at the end: that is told.
my @changed = map {
    my $c = cdn(nodes => 1, limit_rate => '1m', server => $_,
        host => 'c' . ++state($i) . '.example.com');
    my $file = $c->file('place.bin', 4 * $MB, 7);
    my ($q, $out) = start_piped($c->client_args, '-nv', '-O', '-',
        $c->url('place.bin'));
    read_some($out, 200_000);
    open my $f, '+<:raw', $file or die "$file: $!";
    print {$f} slurp($small);
    close $f;
    [ $q, $out ];
} '', 'max_ranges 0;';
for (@changed) {
    rest_of($_->[1]);
    is($_->[0]->any_status->wait(20), 32, 'rewritten in place');
    like($_->[0]->stderr, qr/ out already/, 'says so');
}

finish();
