# What was fetched outlives the super peer, however it ends; all of it is
# announced to a tracker that does not know it.

use v5.36;
use Shoal::Test;
use Shoal::FakeTracker qw(fake_tracker);

my $size = 32 * 1048576;
my $cdn = cdn(nodes => 1, limit_rate => '4m');
my $path = $cdn->file('a.bin', $size);
my $t  = fake_tracker();
my $sp = superpeer(trackers => [ $t->conf ], cdn => $cdn,
    settings => { limits => { nodes_per_file => 1 } });

# Killed in mid-prefetch.
my $id = $t->prepare($cdn->url('a.bin'), $size, 'mtime:1700000000');
wait_for { (grep { /^~$id (\d+)/ && $1 >= 64 } $t->lines) } 20, '64 blocks';
$sp->kill9;
$cdn->set(limit_rate => '100m');
$t->clear;
$sp->start;
$t->wait_line(qr/^\+$id \S+ cdn http$/, 20);
pass('it goes on by itself');
like($sp->stderr, qr/ $id prefetch: goes on with \d+ of 512 blocks/,
     'where it was');
my ($held) = $sp->stderr =~ /goes on with (\d+) of/;
# But for what was not committed yet when it said so.
cmp_ok($held, '>=', 32, 'with most of what it had said');
# In all: the file, and what was on its way when it was killed.
cmp_ok($cdn->bytes, '<', $size + 32 * 65536, 'and fetches the rest only');
ok(http(GET => $sp->base . "/blocks/$id")->{body} eq slurp($path),
   'right bytes');

# Killed when complete: announced again, nothing fetched.
$sp->kill9;
$cdn->clear_logs;
$t->clear;
$sp->start;
$t->wait_line(qr/^\+$id \S+ cdn http$/);
my ($call) = grep { @{ $_->{lines} } } $t->calls;
is($call->{args}{full}, 'first', 'announced in full');
wait_for { grep { ($_->{args}{full} // '') eq 'last' } $t->calls } 5, 'last';
is(scalar $cdn->node(0)->requests, 0, 'nothing is fetched');
ok(http(GET => $sp->base . "/blocks/$id")->{body} eq slurp($path),
   'right bytes');

# Two starts are two sessions.
my %sessions = map { $_->{args}{session} => 1 } $t->calls;
is(scalar keys %sessions, 1, 'one session a start');

# The tracker restarts: a new epoch.
$t->clear;
$t->new_epoch;
$t->stop;
$t->start;
$t->wait_line(qr/^\+$id \S+ cdn http$/, 15);
pass('a new epoch: all is announced again');
wait_for { grep { ($_->{args}{full} // '') eq 'last' } $t->calls } 5, 'last';
my @full = map { $_->{args}{full} // () } $t->calls;
is("@full", 'first last', 'in full, once');

# The tracker talks rubbish, is down, is late: nothing is lost.
for my $how (qw(rubbish down late)) {
    $t->misbehave($how);
    $t->clear;
    $cdn->file("$how.bin", 300_000, 5);
    my $new = $t->prepare($cdn->url("$how.bin"), 300_000);
    $t->stop;
    $t->start;
    select undef, undef, undef, 0.5 if $how ne 'late';
    $t->misbehave('') if $how ne 'late';
    $t->wait_line(qr/^\+$new \S+ cdn http$/, 20);
    pass("$how: told in the end");
}
ok($sp->alive, 'still there');

# Ends within seconds of SIGTERM and SIGINT, polls and prefetches open.
for my $sig (qw(TERM INT)) {
    $cdn->set(limit_rate => '100k');
    $cdn->file("$sig.bin", 3_000_000, 6);
    my $new = $t->prepare($cdn->url("$sig.bin"), 3_000_000);
    $t->wait_line(qr/^~$new /);
    my $begun = now;
    is($sp->stop($sig), 0, "SIG$sig: status 0");
    cmp_ok(now - $begun, '<', deadline(4), 'soon');
    $sp->start;
}

finish();
