# What systemd hears: ready when everything listens, reloads, the end, and the
# watchdog as long as all parts move.

use v5.36;
use Shoal::Test;
use Shoal::FakeTracker qw(fake_tracker);
use Shoal::Net qw(port_open);
use Shoal::SuperPeer ();
use IO::Select;
use IO::Socket::UNIX;
use POSIX ();
use Socket qw(SOCK_DGRAM);

my $t  = fake_tracker();
my $sp = Shoal::SuperPeer->new(trackers => [ $t->conf ],
    origins => ['http://cdn.example.com']);
my $path = tmpdir('notify') . '/socket';
my $socket = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $path) or die "$!\n";
my $watchdog = deadline(8);    # seconds

# The messages up to one that matches.
sub hear($re, $seconds) {
    my ($end, @heard) = (now + deadline($seconds));
    while ((my $left = $end - now) > 0) {
        IO::Select->new($socket)->can_read($left) or last;
        $socket->recv(my $text, 65536);
        push @heard, $text;
        return @heard if $text =~ $re;
    }
    return;
}
sub quiet($re, $seconds) { return !hear($re, $seconds / deadline(1)) }

$sp->write_conf;
$sp->{process} = start_cmd({ name => 'sp', env => { san_env(), NOTIFY_SOCKET => $path,
    WATCHDOG_USEC => 1e6 * $watchdog } }, program('superpeer'), '-c', $sp->conf);
my @heard = hear(qr/^READY=1$/m, 10);
like($heard[-1] // '', qr/^STATUS=./m, 'ready, with a status');
ok(port_open($sp->addr, $sp->port), 'the block server listens');
is(http(GET => $sp->status_url('/healthz'))->{status}, 200, 'and the other listener');
ok(hear(qr/^WATCHDOG=1$/, $watchdog / 2), 'the watchdog hears of it') for 1 .. 2;

kill HUP => $sp->pid;
@heard = hear(qr/^READY=1$/m, 10);
my ($reloading) = grep { /^RELOADING=1$/m } @heard;
like($reloading // '', qr/^MONOTONIC_USEC=\d+$/m, 'reloading, since when');
like($heard[-1] // '', qr/^READY=1\nSTATUS=reloaded$/m, 'and ready again');
my $good = slurp($sp->conf);
spew($sp->conf, "nonsense: 1\n");
kill HUP => $sp->pid;
@heard = hear(qr/^READY=1$/m, 10);
like($heard[-1] // '', qr/^STATUS=goes on as before: the file has faults$/m, 'or not');
spew($sp->conf, $good);

# A thread that stands still.
my ($ptrace, $seize, $interrupt, $detach) = ({ x86_64 => 101, aarch64 => 117 }->{
    (POSIX::uname())[4] }, 0x4206, 0x4207, 17);

sub threads($name) {
    return grep { slurp("/proc/" . $sp->pid . "/task/$_/comm") =~ /^$name/ }
        map { m{(\d+)$} ? 0 + $1 : () } glob '/proc/' . $sp->pid . '/task/*';
}
sub freeze(@tids) {
    for my $tid (@tids) {
        return 0 if syscall($ptrace, $seize, $tid, 0, 0) != 0;
        syscall $ptrace, $interrupt, $tid, 0, 0;
        waitpid $tid, 0x40000000;
    }
    return 1;
}
sub thaw(@tids) { syscall $ptrace, $detach, $_, 0, 0 for @tids }

for ([ 'sync', "a sync of the cache's file hangs" ], [ 'writer', "the cache's writer hangs" ],
    [ 'MHD-worker', 'the block server does not answer' ])
{
    my ($name, $words) = @$_;
    SKIP: {
        my @tids = threads($name);
        skip "no thread $name here", 5 if !@tids;
        skip 'threads cannot be stopped here', 5 if !$ptrace || !freeze(@tids);
        my $r = wait_for {
            my $r = http(GET => $sp->status_url('/healthz'));
            $r->{status} == 503 ? $r : undef;
        } $watchdog, "$name to be missed";
        is($r->{body}, "$words\n", 'it is not well, and why');
        hear(qr/never/, 0.1);
        ok($name eq 'sync' || quiet(qr/^WATCHDOG=1$/, $watchdog / 3),
            'the watchdog hears nothing');
        is($sp->status->{name}, $sp->name, 'the state can be asked for');
        thaw(@tids);
        ok(hear(qr/^WATCHDOG=1$/, 10), 'it moves again');
        is(http(GET => $sp->status_url('/healthz'))->{status}, 200, 'and is well');
    }
}

# Trackers that are away are no reason for a restart.
$t->stop;
wait_for { !$sp->status->{trackers}[0]{connected} } 10, 'it to notice';
is(http(GET => $sp->status_url('/healthz'))->{status}, 200, 'no tracker: well');
my $r = http(GET => $sp->status_url('/healthz?trackers=1'));
is("$r->{status} $r->{body}", "503 no tracker can be reached\n", 'but for who asks');

kill TERM => $sp->pid;
ok(hear(qr/^STOPPING=1$/, 10), 'it says that it stops');
is($sp->stop, 0, 'and ends');

# The unit file.
SKIP: {
    skip 'no systemd-analyze here', 1 if !grep { -x "$_/systemd-analyze" } split /:/, $ENV{PATH};
    my $unit = slurp(top() . '/conf-examples/superpeer.service');
    my $bin = program('superpeer');
    $unit =~ s{^(ExecStart\w*=)\S+}{$1$bin}mg;
    my ($st, $out, $err) = run_cmd('systemd-analyze', 'verify', '--man=no',
        spew(tmpdir('unit') . '/superpeer.service', $unit));
    is("$st$out", '0', 'systemd-analyze has nothing against the unit file') or diag($err);
    unlike($err, qr/superpeer\.service/, 'not a word');
}

finish();
