# What is there already, and what it is called: -nc, -N, --content-disposition,
# --spider.

use v5.36;
use Shoal::Test;

my $size = 3 * 65536 + 5;
my ($old, $time, $new) = (1600000000, 1700000000, 1800000000);
my $origin = cdn(nodes => [ { bad => { each => sub ($q) {
    $q->{uri} =~ /^\/named/ ? (headers => { 'Content-Disposition' =>
        'attachment; filename="../../.b.bin"' }) : () } } } ]);
my $node = $origin->node(0);
my $file = $origin->file('a.bin', $size, 1);
$origin->link_file($file, $_) for 'named', 'named.bin';

sub get($dir, @args) {
    $origin->clear_logs;
    my $url = @args && $args[-1] =~ m{^/(.*)} && pop @args ? $1 : 'a.bin';
    return shoal({ cwd => $dir }, $origin->client_args, @args,
        $origin->url($url));
}

sub folder($name, %files) {
    my $dir = tmpdir('existing/' . $name =~ s/\W+/_/gr);
    for my $f (keys %files) {
        my ($text, $mtime) = @{ $files{$f} };
        spew("$dir/$f", $text);
        utime $mtime, $mtime, "$dir/$f";
    }
    return $dir;
}

sub names($dir) { return [ map { s{.*/}{}r } sort glob "$dir/* $dir/.??*" ] }

my $same = slurp($file);
my $other = reverse $same;

# -N: what is there (text, time), whether it is fetched
my @dated = (
    [ 'nothing', undef, undef, 1 ],
    [ 'the same, of the same time', $same, $time, 0 ],
    [ 'the same, newer', $same, $new, 0 ],
    [ 'another one of the same size, newer', $other, $new, 0 ],
    [ 'another one of the same size, older', $other, $old, 1 ],
    [ 'another size, newer', "$other!", $new, 1 ],
    [ 'empty, newer', '', $new, 1 ],
);
for my $case (@dated) {
    my ($name, $text, $mtime, $fetched) = @$case;
    my $dir = folder("dated-$name",
        defined $text ? ('a.bin' => [ $text, $mtime ]) : ());
    my $r = get($dir, '-N');
    is($r->{status}, 0, "-N, $name") or diag($r->{stderr});
    is_deeply(names($dir), ['a.bin'], "-N, $name: one file");
    if ($fetched) {
        same_file("$dir/a.bin", $file, "-N, $name: the new one");
        is((stat "$dir/a.bin")[9], $time, "-N, $name: and its time");
    } else {
        is(slurp("$dir/a.bin"), $text, "-N, $name: it stays");
        is((stat "$dir/a.bin")[9], $mtime, "-N, $name: as it is");
        cmp_ok($node->bytes, '<', 100, "-N, $name: nothing is sent");
        like($r->{stderr}, qr/no newer than 'a\.bin'/, "-N, $name: says so");
    }
}
my $dir = folder('dated-O', 'x' => [ $same, $new ]);
my $r = get($dir, '-N', '-O', 'x');
is($r->{status}, 0, '-N -O');
like($r->{stderr}, qr/timestamping does nothing/, 'a warning');
is((stat "$dir/x")[9], $time, 'it is fetched');

# -nc
for my $case ([ [], 'a.bin' ], [ [ '-O', 'x' ], 'x' ],
    [ [ '-P', 'sub' ], 'sub/a.bin' ])
{
    my ($args, $name) = @$case;
    my $in = folder("spared-$name");
    mkdir "$in/sub";
    spew("$in/$name", 'mine');
    $r = get($in, '-nc', @$args);
    is($r->{status}, 0, "-nc @$args: exit status as wget's");
    is(slurp("$in/$name"), 'mine', 'what is there stays');
    like($r->{stderr}, qr/^file '\Q$name\E' already there/m, 'says so');
    is(scalar $node->requests, 0, 'nobody is asked');
}
$dir = folder('spared-not');
download_ok(get($dir, '-nc'), $file, '-nc, nothing there');
$r = get($dir, '-nc', '-N');
is($r->{status}, 2, '-nc -N contradict') or diag($r->{stderr});

# --content-disposition
my @named = (
    # name, arguments, what is there, what is there then
    [ 'without', [], {}, ['named'] ],
    [ 'with', ['--content-disposition'], {}, ['b.bin'] ],
    [ 'with -O', [ '--content-disposition', '-O', 'x' ], {}, ['x'] ],
    [ 'taken', ['--content-disposition'], { 'b.bin' => [ 'mine', $old ] },
      [ 'b.bin', 'b.bin.1' ] ],
    [ 'with -nc', [ '--content-disposition', '-nc' ],
      { 'b.bin' => [ 'mine', $old ] }, ['b.bin'] ],
    [ 'with -N', [ '--content-disposition', '-N' ],
      { 'b.bin' => [ $other, $old ] }, ['b.bin'] ],
    [ 'with -N, fresh', [ '--content-disposition', '-N' ],
      { 'b.bin' => [ $other, $new ] }, ['b.bin'] ],
);
for my $case (@named) {
    my ($name, $args, $there, $then) = @$case;
    $dir = folder("named-$name", %$there);
    $r = get($dir, @$args, '/named');
    is($r->{status}, 0, "$name") or diag($r->{stderr});
    is_deeply(names($dir), $then, "$name: the name");
    my $kept = $name =~ /-nc|fresh/;
    same_file("$dir/$then->[-1]", $file, "$name: the file") if !$kept;
    is(slurp("$dir/b.bin"), $there->{'b.bin'}[0], "$name: it stays") if $kept;
}
$dir = folder('named-P');
get($dir, '--content-disposition', '-P', 'sub', '/named');
is_deeply([ glob "$dir/sub/*" ], ["$dir/sub/b.bin"], 'below -P');

# A name that is known only when the server has said it, and -c.
my $broken = cdn(nodes => [ { addr => '127.0.0.51', bad => {
    headers => { 'Content-Disposition' => 'attachment; filename=c.bin' },
    each => sub ($q) { $q->{method} eq 'GET' && $q->{before} == 0
        ? (truncate => 150_000) : () } } } ]);
$broken->link_file($file, 'a.bin');
$dir = folder('resumed');
my @resumed = ({ cwd => $dir }, $broken->client_args, '-t1', '-c',
    '--content-disposition', $broken->url('a.bin'));
is(shoal(@resumed)->{status}, 4, 'broken off');
is_deeply(names($dir), [ 'c.bin.part', 'c.bin.part.ctl' ], 'partial, by name');
$r = shoal(@resumed);
is($r->{status}, 0, '-c --content-disposition') or diag($r->{stderr});
is_deeply(names($dir), ['c.bin'], 'the name');
same_file("$dir/c.bin", $file, 'the file');
like($r->{stderr}, qr/kept from before/, 'goes on with it');

# --spider
$dir = folder('spider');
$r = get($dir, '--spider', '-P', 'sub');
is($r->{status}, 0, '--spider');
like($r->{stderr}, qr/^remote file exists: $size bytes$/m, 'says so');
is($node->bytes, 0, 'asks only');
is(scalar $node->requests(method => 'GET'), 0, 'with HEAD');
$r = get($dir, '--spider', '/none.bin');
is($r->{status}, 8, '--spider, 404: exit status 8');
like($r->{stderr}, qr/^shoal: .*none\.bin: .*HTTP 404/m, 'says so');
is_deeply(names($dir), [], 'no file, no folder');
my $no_head = cdn(nodes => [ { bad => { head => 'forbid' } } ]);
$no_head->link_file($file, 'a.bin');
$r = shoal({ cwd => $dir }, $no_head->client_args, '--spider',
    $no_head->url('a.bin'));
is($r->{status}, 0, '--spider, HEAD forbidden');
cmp_ok($no_head->bytes, '<', 100, 'asks only');
is_deeply(names($dir), [], 'no file');

finish();
