# What a worker leaves that is killed in the middle of a change: the mark that
# it was at work. Set here from outside, in the memory that workers share.

use v5.36;
use Shoal::Agent qw(agent);
use Shoal::Test;
no warnings 'portable';    # addresses have 64 bits

my $t = tracker(delay => '20s', workers => 2, zone => '16m');
my $root = '3c' x 32;
my %held = (url => 'http://cdn.example.com/held', size => 1);

# Memory shared between nginx's processes: [address, size].
sub shared() {
    my ($pid) = $t->worker_pids;
    return map { /^([0-9a-f]+)-([0-9a-f]+) rw-s .*\/dev\/zero/
        ? [ hex $1, hex($2) - hex $1 ] : () }
        split /\n/, slurp("/proc/$pid/maps");
}

sub mem($addr, $value = undef) {
    my ($pid) = $t->worker_pids;
    open my $fh, '+<:raw', "/proc/$pid/mem" or return undef;
    sysseek $fh, $addr, 0;
    return syswrite $fh, pack 'Q', $value if defined $value;
    sysread $fh, my $bytes, 8;
    return unpack 'Q', $bytes;
}

# The module's own part of a zone: nginx's header (ngx_slab_pool_t) ends with
# its address, and then that of the zone itself.
sub data_of($zone) {
    my ($at) = grep { mem($_) == $zone } map { $zone + 8 * $_ } reverse 1 .. 40;
    return $at ? [ mem($at - 8), $at - 8 ] : ();
}

my @zones = shared();
plan(skip_all => 'no look into the memory of processes')
    if !@zones || !defined mem($zones[0][0]);

my @sp = map { agent($t) } 1 .. 2;
$_->say for @sp;
my $id = $t->ask(%held, event => 'stopped')->json->{id};
$_->say("+$id $root cdn") for @sp;
my $known = sub () { scalar @{ $t->ask(%held, event => 'stopped')
    ->json->{super} } };
is($known->(), 2, 'known');

# What a super peer is told next; a poll is also answered, with nothing, where a
# command came up that it has carried out meanwhile.
sub told($sp) {
    for (1 .. 3) {
        my @told = $sp->told($sp->poll);
        return @told if @told;
    }
    return;
}

# Polls that wait, and an asker that does; the answer to what polls were told.
my $n = 0;
sub parked() {
    my $q = $t->ask_start(url => 'http://cdn.example.com/' . ++$n, size => 1);
    my @p = map { told($_) } @sp;
    is(@p, 2, 'told');
    my @poll = map { $_->poll } @sp;
    $_->say for @sp;
    return ($q, $p[0]{id}, @poll);
}

# Everybody is told of the new epoch; what was known then is known again.
sub recovers($q, $file, @poll) {
    my $old = $sp[0]{epoch};
    for my $i (0, 1) {
        $sp[$i]->told($poll[$i], 5);
        isnt($sp[$i]{epoch}, $old, 'a new epoch');
    }
    is($known->(), 0, 'what they held is forgotten');
    $_->announce("+$id $root cdn", "+$file $root cdn") for @sp;
    is($q->wait(5)->{status}, 200, 'the asker has its answer');
    is($known->(), 2, 'known again');
}

subtest 'stripes' => sub {
    my @parked = parked();
    my $asker = $parked[0];
    my @stripes = map { data_of($_->[0]) } grep { $_->[1] == 2**20 } @zones;
    is(@stripes, 16, 'found');
    mem($_->[0], 1) for @stripes[0 .. 11];
    # the last ones: killed while such a stripe was made anew
    mem($_->[1], 0) for @stripes[12 .. 15];
    # what finds them
    for my $k (1 .. 200) {
        $t->ask(url => "http://cdn.example.com/other$k", size => 1,
            event => 'stopped');
    }
    my $log = $t->error_log;
    like($log, qr/died in stripe $_ of zone "swarm"/, "stripe $_") for 0 .. 15;
    ok($asker->pending, 'the asker waits on');
    recovers(@parked);
    is((() = $t->error_log =~ /died in stripe/g), 16, 'once each');
    is($t->metrics->{shoal_tracker_stripe_resets_total}, 16, 'and counted');
};

subtest 'roster' => sub {
    my @parked = parked();
    my @roster = grep { mem($_->[0] + 8) == hex $sp[0]{epoch} }
        map { data_of($_->[0]) } grep { $_->[1] != 2**20 } @zones;
    is(@roster, 1, 'found');
    mem($roster[0][0], 1);
    # nobody has come back yet
    is_deeply($t->status(id => $id)->{holders}, [], 'void');
    recovers(@parked);
    is((() = $t->error_log =~ /died in the roster/g), 1, 'once');
};

finish();
