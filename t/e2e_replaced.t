# A file that is replaced while it is fetched: renamed over or rewritten in
# place, with and without validators, at one node or at all, in one run or
# between two. What is saved is one version as a whole, never a mixture.

use v5.36;
use Shoal::Test;

my $size = 3 * 1048576;
my %bare = (location => 'etag off; add_header Last-Modified "";');
my ($old, $new, $newer) =
    map { make_file(tmpdir('versions') . "/$_", $size, $_,
                    1_600_000_000 + 100 * $_) } 1 .. 3;

sub nodes($n, %o) {
    return cdn(nodes => $n, limit_rate => $n > 1 ? '300k' : '1m',
        host => 'c' . ++state($i) . '.example.com', %o);
}

sub put($node, $name, $from) {
    run_cmd('cp', '--preserve=timestamps', $from, $node->path("$name.new"));
    rename $node->path("$name.new"), $node->path($name)
        or die "$name: $!\n";
}

sub rewrite($node, $name, $from) {
    open my $f, '+<:raw', $node->path($name) or die "$name: $!\n";
    print $f slurp($from);
    close $f;
}

# Under way, and something of it is there.
sub start($cdn, $name, @more) {
    my $p = shoal_start($cdn->client_args, @more, $cdn->url($name));
    $p->{file} = "$p->{dir}/$name";
    return $p;
}

sub under_way($p, $bytes = 300_000) {
    my $pid = $p->pid;
    wait_for { slurp("/proc/$pid/io") =~ /^wchar: (\d+)/m && $1 > $bytes } 20,
        "the beginning of $p->{file}";
    return $p;
}

sub ends_with($p, $want, $what) {
    my $r = shoal_end($p, 60);
    $r->{file} = $p->{file};
    download_ok($r, $want, $what);
    return $r;
}

# ---- all of these at once ----

my %case = (
    renamed  => [ nodes(1), \&put ],
    inplace  => [ nodes(1), \&rewrite ],
    plain    => [ nodes(1, server => 'max_ranges 0;'), \&rewrite ],
    all      => [ nodes(3), \&put ],
    all_in   => [ nodes(2), \&rewrite ],
    twice    => [ nodes(1), \&rewrite ],
    covered  => [ nodes(1), \&put, '--checksum',
        'sha-256=' . sha256_file($old) ],
);
my %p;
for my $name (sort keys %case) {
    my ($cdn, $replace, @more) = @{ $case{$name} };
    put($_, $name, $old) for $cdn->nodes;
    $p{$name} = under_way(start($cdn, $name, @more));
    $replace->($_, $name, $new) for $cdn->nodes;
}

# Without validators: the connection breaks, and another file is there.
my $bare = nodes(1, %bare);
put($bare->node(0), 'bare', $old);
$p{bare} = under_way(start($bare, 'bare'));
$bare->node(0)->kill9;
put($bare->node(0), 'bare', $new);
$bare->node(0)->start;

# One of three: the others have what was begun.
my $three = nodes(3);
put($_, 'one', $old) for $three->nodes;
$p{one} = under_way(start($three, 'one'));
put($three->node(1), 'one', $new);

under_way($p{twice}, $size + 500_000);
rewrite($case{twice}[0]->node(0), 'twice', $newer);

my $changed = qr/changed while it was fetched, begun anew/;
for my $name (qw(renamed inplace plain all all_in)) {
    my $r = ends_with($p{$name}, $new, "$name: the new file");
    like($r->{stderr}, $changed, "$name: and the user hears of it");
}
ends_with($p{bare}, $new, 'no validators: the new file alone');
ends_with($p{one}, $old, 'at one of three: the old file');
my $r = ends_with($p{covered}, $old, 'a checksum: one answer is enough');
unlike($r->{stderr}, $changed, 'nothing is fetched twice');
$r = shoal_end($p{twice}, 60);
isnt($r->{status}, 0, 'again and again: an error');
like($r->{stderr}, qr/file changed while it was read/, 'that says why');
ok(!-e $p{twice}{file}, 'and no file');

# ---- killed in between, then -c ----

my %two = (c => nodes(1), c_bare => nodes(1, %bare));
for my $name (sort keys %two) {
    put($two{$name}->node(0), $name, $old);
    $p{$name} = start($two{$name}, $name);
}
for my $name (sort keys %two) {
    under_way($p{$name});
    $p{$name}->kill9;
    put($two{$name}->node(0), $name, $new);
    $two{$name}->set(limit_rate => '20m');
    $r = shoal({ cwd => $p{$name}{dir} }, $two{$name}->client_args, '-c',
        $two{$name}->url($name));
    is($r->{status}, 0, "$name: goes on");
    my ($file) = grep { !/\.(?:part|ctl)$/ } glob "$p{$name}{file}*";
    same_file($file, $new, "$name: the new file alone");
}

# ---- a node without validators that is asked twice ----

# Where there may be others to fetch from, little is asked for at first.
$bare->clear_logs;
$bare->set(limit_rate => '20m');
$r = shoal($bare->client_args, '--tracker', 'http://127.0.0.1:9/t',
    $bare->url('bare'));
$r->{file} = "$r->{dir}/bare";
download_ok($r, $new, 'no validators, and a tracker');
is((grep { $_->{bytes} == $size } $bare->node(0)->requests), 1,
    'all of the file came in one answer');
$r = shoal($bare->client_args, '--tracker', 'http://127.0.0.1:9/t', '-O',
    '-', $bare->url('bare'));
is($r->{status}, 0, 'and to standard output');
ok($r->{stdout} eq slurp($new), 'alike');

# One that breaks off each time.

my $breaks = cdn(nodes => [ { bad => { handler => sub ($q) {
    return (200, { 'Content-Length' => $size }, '')
        if $q->{method} eq 'HEAD';
    my ($from) = ($q->{h}{range} // '') =~ /^bytes=(\d+)-/;
    $from //= 0;
    return (206, { 'Content-Range' => "bytes $from-@{[ $size - 1 ]}/$size",
        'Content-Length' => $size - $from },
        sub ($write) { $write->(substr slurp($old), $from, 1_000_000) });
} } } ]);
$r = shoal({ deadline => 60 }, $breaks->client_args, $breaks->url('b.bin'));
isnt($r->{status}, 0, 'breaks off each time: an error');
like($r->{stderr}, qr/broke off \d+ times, and shows no ETag/, 'says why');

finish();
