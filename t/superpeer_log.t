# The log: a line has level and id; no query strings, no tokens; syslog, the
# journal; and nobody waits for who does not read it.

use v5.36;
use Shoal::Test;
use Shoal::FakeTracker qw(fake_tracker);
use Shoal::SuperPeer ();
use Fcntl qw(O_RDWR O_NONBLOCK);
use IO::Socket::UNIX;
use POSIX qw(mkfifo);
use Socket qw(SOCK_DGRAM);

my $cdn = cdn(nodes => 1);
$cdn->file('a.bin', 100_000);
my $t = fake_tracker();
my $line = qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (?:error|warn|info|debug) (?:-|[0-9a-f]{40}) \S.*$/;

# What has a query string is fetched, and refused, and not logged.
my $sp = superpeer(trackers => [ { %{ $t->conf }, token => 'sesame' } ], cdn => $cdn,
    settings => { log => { level => 'debug' } });
my $id = $t->prepare($cdn->url('a.bin') . '?token=geheim', 100_000);
$t->wait_line(qr/^\+$id /);
my $no = $t->prepare($cdn->url('b.bin') . '?token=geheim', 100_000);
$t->wait_line(qr/^\?$no /);
$t->prepare('http://forbidden.example.com/x?token=geheim#geheim', 5);
$t->wait_line(qr/^\?\w+ origin/);
is($sp->stop, 0, 'it ends');
my $log = $sp->stderr;
unlike($log, qr/geheim|sesame|\?/, 'no query string, no token');
is_deeply([ grep { $_ !~ $line } split /\n/, $log ], [], 'each line has its form');
like($log, qr/ $id prefetch .*a\.bin: complete/, 'the id of the file');
like($log, qr/ info - stops: Terminated\n(?:.*\n)*\z/, 'up to the last one');

# stderr is a pipe that nobody reads: calls, prepares and blocks go on.
my $fifo = tmpdir('log') . '/fifo';
mkfifo($fifo, 0600) or die "mkfifo: $!\n";
sysopen my $end, $fifo, O_RDWR | O_NONBLOCK or die "$fifo: $!\n";
sub up() { wait_for { eval { $sp->wait_connected(1) } } 10, 'its start' }
sub start_with($redirection, %env) {
    $sp->{process} = start_cmd({ env => { san_env(), %env }, name => 'sp' }, 'sh', '-c',
        "exec \"\$0\" -c \"\$1\" $redirection", program('superpeer'), $sp->conf);
    up();
}
$t->clear;
start_with("2>$fifo");
my $n = 500;
$t->prepare('http://forbidden.example.com/' . $_ . 'x' x 200, 5) for 1 .. $n;
wait_for { (grep { /^\?\w+ origin/ } $t->lines) >= $n } 30, 'all refusals';
my $begun = now;
is(http(GET => $sp->base . "/blocks/$id")->{status}, 200, 'blocks are served');
is(http(GET => $sp->status_url('/healthz'))->{status}, 200, 'it is well');
cmp_ok(now - $begun, '<', deadline(5), 'at once');
is($sp->stop, 0, 'it ends');
cmp_ok(now - $begun, '<', deadline(10), 'although the last lines are not read');
my ($taken, $more) = ('');
$taken .= $more while sysread $end, $more, 65536;
is_deeply([ grep { $_ !~ $line } (split /\n/, $taken)[0 .. 100] ], [],
    'what the pipe took is whole lines');

# The journal is told the level in its own way.
my $journal = tmpdir('log') . '/journal';
spew($journal, '');
my ($dev, $ino) = stat $journal;
start_with("2>$journal", JOURNAL_STREAM => "$dev:$ino");
is($sp->stop, 0, 'it ends');
like(slurp($journal), qr/^<6>info - super peer \S+ serves on port \d+$/m, 'prefix, no time');
is_deeply([ grep { !/^<[3467]>\w+ (?:-|[0-9a-f]{40}) / } split /\n/, slurp($journal) ], [],
    'in each line');
start_with("2>$journal", JOURNAL_STREAM => "1:1");
is($sp->stop, 0, 'it ends');
like(slurp($journal), qr/^\S+Z info - super peer/m, 'another file is none');

# syslog, in a mount namespace with a /dev/log of our own.
SKIP: {
    skip 'a /dev of our own needs root', 4 if $> != 0;
    my ($st) = run_cmd(qw(unshare -m true));
    skip 'no mount namespaces here', 4 if $st ne '0';
    my $dev = tmpdir('dev');
    my $socket = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => "$dev/log") or die "$!\n";
    spew("$dev/null", '');
    $sp->{settings}{log} = { level => 'info', to => 'syslog' };
    $sp->write_conf;
    $sp->{process} = start_cmd({ env => { san_env() }, name => 'sp' }, 'unshare', '-m', 'sh', '-c',
        'mount --bind /dev/null "$2/null" && mount --rbind "$2" /dev && exec "$0" -c "$1"',
        program('superpeer'), $sp->conf, $dev);
    up();
    $socket->blocking(0);
    my @got;
    while (defined $socket->recv(my $text, 4096)) { push @got, $text }
    my ($serves) = grep { /serves on port/ } @got;
    like($serves, qr/^<30>.*superpeer\[\d+\]: - super peer \S+ serves on port \d+$/,
        'facility daemon, level info');
    $sp->{settings}{log}{to} = 'stderr';
    $sp->write_conf;
    kill HUP => $sp->pid;
    wait_for { $sp->stderr =~ /reload: done/ } 10, 'stderr again';
    is($sp->stop, 0, 'it ends');
    like($sp->stderr, qr/ info - stops: /, 'a reload changes where it goes');
    unlike($sp->stderr, qr/serves on port/, 'and before it was there alone');
}

finish();
