# Five hundred readers that take nothing of what they asked for: what each
# costs, that others can read, also more sets than LMDB has readers for, and
# that those who stall are ended.

use v5.36;
use IO::Socket::IP;
use Socket qw(IPPROTO_TCP SOL_SOCKET SO_RCVBUF TCP_MAXSEG);
use Shoal::Test;
use Shoal::FakeTracker qw(fake_tracker);

my $n = 500;
my $cdn = cdn(nodes => 1);
my $size = 3 * 1048576;
my $path = $cdn->file('a.bin', $size);
my $data = slurp($path);
my $t = fake_tracker();
my $sp = superpeer(trackers => [ $t->conf ], cdn => $cdn, settings => {
    limits => { connections_per_address => 0, upload_rate => 0,
                min_rate_window => '60s' } });
my $id = $t->prepare($cdn->url('a.bin'), $size);
$t->wait_line(qr/^\+$id /);
my $blocks = "/blocks/$id";
my $conf = slurp($sp->conf);

sub rss() {
    return slurp('/proc/' . $sp->pid . '/status') =~ /^RssAnon:\s+(\d+)/m ? $1 : 0;
}

sub serving($count) {
    return wait_for { $sp->status->{serve}{active} == $count } 20,
        "$count uploads";
}

sub reload($from, $to) {
    my $before = length $sp->stderr;
    spew($sp->conf, $conf =~ s/$from/$to/r);
    kill HUP => $sp->pid;
    wait_for { substr($sp->stderr, $before) =~ /reload: done$/m } 10, 'reload';
}

# 1.5 MiB each. As on a real network, whose segments are small, little of it
# fits into the systems' buffers.
sub stalled() {
    my @r;
    for my $i (1 .. $n) {
        my $s = IO::Socket::IP->new(PeerHost => $sp->addr,
            PeerPort => $sp->port,
            Sockopts => [ [ SOL_SOCKET, SO_RCVBUF, 4096 ],
                [ IPPROTO_TCP, TCP_MAXSEG, 1460 ] ])
            or die "connect: $@\n";
        my $from = $i * 1000;
        my $to = $from + 1_572_863;
        syswrite $s, "GET $blocks HTTP/1.1\r\nHost: x\r\n"
            . "Range: bytes=$from-$to\r\n\r\n";
        push @r, $s;
    }
    serving($n);
    select undef, undef, undef, 0.5;    # let them fill up what there is
    return @r;
}

# Every byte that comes of a reader's range, once it reads.
sub reads_on($s, $from) {
    my $buf = '';
    while (length $buf < 200_000) {
        sysread $s, $buf, 65536, length $buf or last;
    }
    $buf =~ s/^HTTP\/1\.1 206 .*?\r\n\r\n//s or return 0;
    return $buf eq substr $data, $from, length $buf;
}

sub check($how) {
    http(GET => $sp->base . $blocks, headers => { Range => 'bytes=0-99999' });
    serving(0);
    my $before = rss();
    my @r = stalled();
    my $each = (rss() - $before) / $n;
    note(sprintf '%s: %.1f KiB each', $how, $each);
    cmp_ok($each, '<', sanitized() ? 400 : 96, "$how: what each costs");
    for my $from (0, 1_000_000) {
        my $got = http(GET => $sp->base . $blocks,
            headers => { Range => "bytes=$from-" });
        ok($got->{body} eq substr($data, $from), "$how: others can read");
    }
    ok(reads_on($r[17], 18_000), "$how: one that goes on gets its bytes");
    return @r;
}

# With the shorter time for which they may.
sub ends($how, @r) {
    cmp_ok($sp->status->{serve}{connections}, '>=', $n, "$how: all are there");
    reload(qr/min_rate_window: \K60s/, '1s');
    serving(0);
    like(http(GET => $sp->status_url('/metrics'))->{body},
        qr/_ended_connections_total\{deadline="min_rate"\} $n$/m,
        "$how: all are ended, and counted");
}

ends('without a rate', check('without a rate'));
is($sp->stop, 0, 'it ends');
$conf =~ s/upload_rate: \K0/1000000000/ or die;
$sp->{settings}{limits}{upload_rate} = 1_000_000_000;
$sp->start;
ends('with a rate', check('with a rate'));

finish();
