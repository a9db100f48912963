# kill -9 at random moments of prefetch, serving and eviction. Whatever is
# there afterwards is right, nothing is called complete that is not, no block
# is in the file that no set accounts for, and what was being filled goes on
# from where it was.
#
# SHOAL_KILLS: how many; SHOAL_SEED: repeat a run.

use v5.36;
use IO::Select;
use JSON::PP;
use Time::HiRes qw(sleep);
my ($kills, $seed);
BEGIN { ($kills, $seed) = @ENV{qw(SHOAL_KILLS SHOAL_SEED)} }
use Shoal::Test;
use Shoal::FakeTracker qw(fake_tracker);

$kills //= sanitized() ? 30 : 200;
$seed //= time;
note("SHOAL_SEED=$seed");
srand $seed;

my $block = 65536;
my $cdn = cdn(nodes => 1, limit_rate => '24m');
my $t  = fake_tracker();
my $sp = Shoal::SuperPeer->new(trackers => [ $t->conf ], cdn => $cdn,
    cache_size => '24MiB', cache_pin => '0s');
$sp->write_conf;

# 12 files of 1 to 6 MiB: twice what there is room for.
my (%file, %name);
for my $i (1 .. 12) {
    my $name = "f$i.bin";
    my $size = int(($i % 6 + 1) * 1048576 - rand 100_000);
    my $path = $cdn->file($name, $size, $i);
    my $id = Shoal::Stage::resource_id($cdn->url($name), $size,
        'mtime:1700000000');
    $file{$id} = { name => $name, size => $size, data => slurp($path),
        blocks => int(($size + $block - 1) / $block) };
    $name{$name} = $id;
}

my @bad;
sub bad($what) { push @bad, $what if @bad < 20 }

sub admin($command) {
    my ($st, $out, $err) = run_cmd({ env => { san_env() } },
        program('superpeer'), 'cache', $command, '--json', '-c', $sp->conf);
    bad("cache $command: status $st: $err") if $st ne '0';
    return eval { decode_json($out) } // {};
}

# All that is in the file, without an agent: { id => blocks held }.
sub look() {
    my $v = admin('verify')->{verified};
    bad("verify: " . encode_json($v)) if $v->{wrong} || $v->{astray};
    my $all = admin('ls');
    my $room = 0;
    my %held;
    for my $set (@{ $all->{sets} }) {
        $room += $set->{room};
        $held{ $set->{id} } = $set->{held};
        bad("$set->{id} is complete with $set->{held} of $set->{blocks}")
            if $set->{state} eq 'complete' && $set->{held} < $set->{blocks};
    }
    my $blocks = 0;
    $blocks += $_ for values %held;
    bad("$blocks blocks are said to be there, $v->{blocks} are")
        if $blocks != $v->{blocks};
    bad("used $all->{cache}{used}, but the sets have $room")
        if $room != $all->{cache}{used};
    return \%held;
}

sub get($path, @range) {
    return eval { http(GET => $sp->base . $path, timeout => 5,
        headers => { @range ? (Range => "bytes=$range[0]-$range[1]") : () }) };
}

# What one set serves now; the number of bytes.
sub read_set($set) {
    my $f = $file{ $set->{id} } or return bad("an unknown set $set->{id}");
    if ($set->{state} eq 'complete') {
        my $r = get("/blocks/$set->{id}") // return 0;
        return 0 if $r->{status} == 404; # evicted meanwhile
        bad("$f->{name}: complete, but $r->{status}") if $r->{status} != 200;
        my $got = $r->{body} // '';
        bad("$f->{name}: wrong bytes")
            if $got ne substr $f->{data}, 0, length $got;
        return length $got;
    }
    my $have = get("/blocks/$set->{id}/have") // return 0;
    return 0 if $have->{status} != 200;
    my $bits = unpack 'B*', $have->{body} // '';
    my $sum = 0;
    while ($bits =~ /1+/g) {
        my ($from, $to) = ($-[0] * $block, $+[0] * $block - 1);
        my $r = get("/blocks/$set->{id}", $from, $to) // return $sum;
        next if $r->{status} != 206;
        my $got = $r->{body} // '';
        bad("$f->{name}: wrong bytes at $from")
            if $got ne substr $f->{data}, $from, length $got;
        $sum += length $got;
    }
    return $sum;
}

sub read_all() {
    my $status = eval { $sp->status } or return 0;
    my $sum = 0;
    $sum += read_set($_) for @{ $status->{sets} };
    return $sum;
}

# Some files are to be prepared as soon as it asks.
sub wishes(@names) {
    spew("$t->{dir}/commands", '');
    for my $name (@names) {
        my $f = $file{ $name{$name} };
        $t->prepare($cdn->url($name), $f->{size}, 'mtime:1700000000');
    }
}

# What the agent said that it goes on with: what it held, and no block of it
# was asked for again.
my $resumed = 0;
sub check_resumed($held, $since) {
    my %sent;
    for my $q ($cdn->node(0)->requests(method => 'GET')) {
        # The end of what the one before had asked for may be logged late.
        next if $q->{msec} - $q->{time} < $since;
        $sent{ $q->{uri} } += $q->{bytes};
    }
    my $log = $sp->stderr;
    bad("log: $1") if $log =~ /^(.*damaged.*)$/m;
    my @goes = $log =~ / (\w{40}) prefetch: goes on with (\d+) of (\d+) blocks/g;
    while (my ($id, $n, $of) = splice @goes, 0, 3) {
        my $f = $file{$id};
        $resumed++;
        bad("$f->{name}: goes on with $n of $held->{$id} blocks")
            if $held && $n != ($held->{$id} // 0);
        my $sent = $sent{"/$f->{name}"} // 0;
        my $times = () = $log =~ / $id prefetch \S+: begins/g;
        bad("$f->{name}: $sent bytes for " . ($of - $n) . ' blocks')
            if $times == 1 && $sent > ($of - $n + 2) * $block;
    }
}

my ($read, $rounds, $partial, $evicted) = (0, 0, 0, 0);
my $began = now;
while ($rounds < $kills) {
    $rounds++;
    my $held = $rounds % 3 == 0 ? look() : undef;
    $partial++ if $held
        && grep { $held->{$_} < $file{$_}{blocks} } keys %$held;
    $cdn->clear_logs;
    wishes(map { 'f' . (1 + int rand 12) . '.bin' } 1 .. 3);
    my $since = now;
    $sp->_start;
    my $pid = $sp->pid;
    my $pause = 0.01 + rand 0.25;
    pipe my $killed, my $alive or die "pipe: $!\n";
    my $killer = fork // die "fork: $!\n";
    if (!$killer) {
        sleep $pause;
        kill 'KILL', $pid;
        POSIX::_exit(0);
    }
    close $alive;
    do { $read += read_all() } until IO::Select->new($killed)->can_read(0.005);
    waitpid $killer, 0;
    $sp->kill9; # notes that it was to be
    check_resumed($held, $since);
    $evicted += () = $sp->stderr =~ / cache: deleted: the least recently/g;
}
note(sprintf '%d kills in %.1f s, %d MiB read, %d sets gone on with',
    $rounds, now() - $began, $read / 1048576, $resumed);
is_deeply(\@bad, [], "nothing wrong after $kills kills");
cmp_ok($resumed, '>=', $kills / 10, 'sets were gone on with');
cmp_ok($partial, '>=', $kills / 30, 'some were found incomplete');
cmp_ok($evicted, '>=', $kills / 10, 'and evicted for others');
cmp_ok($read, '>=', $kills * 65536, 'and served');

# In peace everything can be had.
look();
wishes();
$t->clear;
$sp->start;
my @open;
sub is_whole() {
    my $status = $sp->status;
    @open = grep { $_->{state} ne 'complete' } @{ $status->{sets} };
    return !@open && !$status->{prefetch}{running}
        && !$status->{prefetch}{queued};
}
eval { wait_for { is_whole() } 30, 'what was begun to be complete' };
is_deeply(\@open, [], 'all sets are complete');
for my $name ('f5.bin', 'f11.bin') {
    my $f = $file{ $name{$name} };
    $t->prepare($cdn->url($name), $f->{size}, 'mtime:1700000000');
    # It may have been there, and have gone for the other: not the line that
    # said so is waited for, but the file.
    wait_for { $sp->holds($name) } 20, "$name to be there";
    ok(get("/blocks/$name{$name}")->{body} eq $f->{data}, "$name is right");
}
is($sp->stop, 0, 'a clean end');
is_deeply(\@bad, [], 'and nothing wrong');

finish();
