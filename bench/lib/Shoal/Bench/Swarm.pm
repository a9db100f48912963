package Shoal::Bench::Swarm;

# A crowd that fetches one file: clients, a CDN node and a tracker, each
# behind a line of its own; and the same crowd with other programs.
#
#   my $s = swarm(clients => [ { up => 50, down => 50 }, .. ], size => $n);
#   my $r = $s->shoal;         # { last, mean: seconds; copies: of the file }
#   my $r = $s->libtorrent; $s->aria2; $s->plain
#   my $r = $s->leaving;       # shoal whose clients exit when they are done
#
# All others but plain stay until the last one has the file, and the time of a
# client is when it has.
#
#   $s->bound                  # seconds, of Kumar and Ross
#
# cdn (50 Mbit/s up); rtt_ms (between any two); superpeer (Mbit/s, an empty
# one; then no layer is published); starts (seconds, by client); killed (how
# many of the last ones) and killed_at (seconds).

use v5.36;
use Exporter qw(import);
use List::Util qw(max min sum);
use Shoal::Bench::Client qw(source_file sha256 tool fetch_start fetch_end);
use Shoal::Cdn ();
use Shoal::Env qw(program spew tmpdir top);
use Shoal::Net qw(free_port wait_port);
use Shoal::Process qw(run_cmd start_cmd wait_for);
use Shoal::Star qw(star);
use Shoal::SuperPeer ();
use Shoal::Torrent qw(make_torrent);
use Shoal::Tracker ();
use Time::HiRes qw(sleep clock_gettime CLOCK_MONOTONIC);

our @EXPORT_OK = qw(swarm);

my $host = 'cdn.example.com';
my $port = 7000;
my $piece = 65536;
my $serial = 0;
my $torrent_script = top() . '/bench/bt_tuned.py';

sub now() { return clock_gettime(CLOCK_MONOTONIC) }

sub swarm(%o) {
    my $self = bless { cdn_mbit => 50, rtt_ms => 0, starts => [],
        killed => 0, %o, star => star() }, __PACKAGE__;
    my @rtt = (rtt_ms => $self->{rtt_ms} / 2);
    my $cdn = $self->{star}->host(up => $self->{cdn_mbit}, @rtt);
    my $tracker = $self->{star}->host(@rtt);
    $self->{hosts} = [ map { $self->{star}->host(%$_, @rtt) }
        @{ $self->{clients} } ];
    $self->{cdn} = Shoal::Cdn::cdn(host => $host, port => 8080,
        nodes => [ { addr => $cdn->addr, wrap => [ $cdn->wrap ] } ]);
    $self->{cdn_host} = $cdn;
    $self->{tracker} = Shoal::Tracker::tracker(addr => $tracker->addr,
        port => 8080, wrap => [ $tracker->wrap ], origin => $host,
        peers => 'tracker_early filling;',
        server => 'location = /announce { tracker_announce swarm; }');
    $self->_superpeer(@rtt) if $self->{superpeer};
    return $self;
}

sub _superpeer($self, @rtt) {
    my $h = $self->{star}->host(up => $self->{superpeer},
        down => $self->{superpeer}, @rtt);
    my $sp = Shoal::SuperPeer->new(addr => $h->addr, port => 9090,
        trackers => [ $self->{tracker} ], cdn => $self->{cdn},
        wrap => [ $h->wrap ],
        settings => { allow_addresses => ['198.18.0.0/15'] });
    $sp->write_conf;
    $sp->_start;
    wait_port($h->addr, 9090, $sp->process);
    $self->{sp} = $sp;
    return;
}

# A file that nobody knows yet.
sub file($self) {
    my $n = ++$serial;
    my $file = source_file($self->{cdn}->node(0)->root, "swarm$n.bin",
        $self->{size}, $n);
    if (!$self->{superpeer}) {
        my ($st, undef, $err) = run_cmd({ deadline => 60 }, program('shoal'),
            '--make-layer', $file->{path});
        die "shoal --make-layer: $err\n" if $st ne '0';
    }
    $self->{cdn}->clear_logs;
    return $file;
}

sub bound($self) {
    my @c = @{ $self->{clients} };
    my $bits = 8 * $self->{size} / 1e6;
    my $all = $self->{cdn_mbit} + ($self->{superpeer} // 0)
        + sum(map { $_->{up} } @c);
    return max($bits / $self->{cdn_mbit}, $bits / min(map { $_->{down} } @c),
        @c * $bits / $all);
}

# Starts each at its time, kills those that are to be killed, and ends with
# the last of the others; what $end tells of each of these.
sub _crowd($self, $start, $end) {
    my @hosts = @{ $self->{hosts} };
    my $began = now();
    my @runs;
    for my $i (0 .. $#hosts) {
        my $at = $began + ($self->{starts}[$i] // 0);
        sleep $at - now() if $at > now();
        push @runs, $start->($hosts[$i], $i);
    }
    my @doomed = splice @runs, @runs - $self->{killed};
    if (@doomed) {
        my $at = $began + $self->{killed_at};
        sleep $at - now() if $at > now();
        $_->{process}->kill9 for @doomed;
    }
    my @ended = map { $end->($_) } @runs;
    return { runs => \@runs, last => max(map { $_->{end} } @ended)
                 - min(map { $_->{start} } @ended),
             mean => sum(map { $_->{end} - $_->{start} } @ended) / @ended };
}

sub _copies($self, $r, $bytes) {
    $r->{copies} = $bytes / $self->{size};
    return $r;
}

# To be added to the client's arguments.
sub _args($self) {
    return ('--resolve', $self->{cdn}->resolve, '--tracker',
        $self->{tracker}->url, '--listen-port', $port,
        '--max-upload-limit', 0,
        $self->{superpeer} ? () : ('--layer', 'auto'));
}

# When the output got its name, of the monotonic clock.
sub _named($path) {
    my $at = (Time::HiRes::stat($path))[10] // return;
    return $at - Time::HiRes::time() + now();
}

sub shoal($self, @more) {
    my $file = $self->file;
    my @cmd = (program('shoal'), '-q', '-O', $file->{name}, $self->_args,
        '--seed-time=10', @more, $self->{cdn}->url($file->{name}));
    my $r = $self->_crowd(
        sub ($h, $i) {
            my $dir = tmpdir('get/' . ++$serial);
            my $at = now();
            return { start => $at, dir => $dir, process => start_cmd(
                { name => 'shoal', cwd => $dir }, $h->wrap, @cmd) };
        },
        sub ($run) {
            wait_for {
                $run->{end} = _named("$run->{dir}/$file->{name}")
                    // ($run->{process}->alive ? undef
                        : die 'shoal: ' . $run->{process}->stderr)
            } 120, 'a client';
            return $run;
        });
    $_->{process}->stop for @{ $r->{runs} };
    _check($file, $_->{dir}) for @{ $r->{runs} };
    return $self->_copies($r, $self->{cdn}->bytes);
}

sub leaving($self) {
    my $file = $self->file;
    my @cmd = (tool('shoal'), $self->_args,
        $self->{cdn}->url($file->{name}));
    my $r = $self->_crowd(
        sub ($h, $i) { fetch_start(\@cmd, $file, wrap => [ $h->wrap ]) },
        sub ($get) { fetch_end($get, deadline => 120) });
    return $self->_copies($r, $self->{cdn}->bytes);
}

# Everybody from the CDN.
sub plain($self) {
    my $file = $self->file;
    my @cmd = (tool('curl'), '--resolve', $self->{cdn}->resolve,
        $self->{cdn}->url($file->{name}));
    my $r = $self->_crowd(
        sub ($h, $i) { fetch_start(\@cmd, $file, wrap => [ $h->wrap ]) },
        sub ($get) { fetch_end($get, deadline => 300) });
    return $self->_copies($r, $self->{cdn}->bytes);
}

sub _libtorrent($self, $h, $torrent, $dir, @peers) {
    return start_cmd({ name => 'libtorrent' }, $h->wrap, '/usr/bin/python3',
        $torrent_script, $h->addr . ":$port", $torrent, $dir, @peers);
}

sub _check($file, $dir) {
    my $got = sha256("$dir/$file->{name}");
    die "wrong bytes: $got\n" if $got ne $file->{sha256};
    system('rm', '-rf', '--', $dir) == 0 or die "rm $dir: status $?\n";
    return;
}

# In the CDN's place a seed; $start gives the process of a host, $done the
# time at which it had all.
sub _torrent($self, $start, $done) {
    my $file = $self->file;
    my ($torrent) = make_torrent($file->{path},
        $self->{tracker}->base . '/announce', $piece);
    my $seed = $self->_libtorrent($self->{cdn_host}, $torrent,
        $self->{cdn}->node(0)->root);
    wait_for { $seed->stdout =~ /^done/ } 30, 'the seed';
    my $r = $self->_crowd(
        sub ($h, $i) {
            my $dir = tmpdir('bt/' . ++$serial);
            my $at = now();
            return { process => $start->($h, $torrent, $dir), start => $at,
                     dir => $dir };
        },
        sub ($run) {
            wait_for { $run->{end} = $done->($run) } 300, 'a BitTorrent client';
            return $run;
        });
    $_->{process}->stop for @{ $r->{runs} };
    _check($file, $_->{dir}) for @{ $r->{runs} };
    $seed->stop;
    my ($bytes) = $seed->stdout =~ /^uploaded (\d+)/m;
    return $self->_copies($r, $bytes);
}

sub libtorrent($self) {
    my @all = map { $_->addr . ":$port" } $self->{cdn_host},
        @{ $self->{hosts} };
    return $self->_torrent(
        sub ($h, $torrent, $dir) {
            my $me = $h->addr . ":$port";
            return $self->_libtorrent($h, $torrent, $dir,
                grep { $_ ne $me } @all);
        },
        sub ($run) {
            $run->{process}->stdout =~ /^done ([\d.]+)/m ? $1 : undef });
}

sub aria2($self) {
    my $hook = tmpdir() . '/done';
    spew($hook, "#!/bin/sh\n: >\"\${3%/*}/done\"\n");
    chmod 0755, $hook;
    return $self->_torrent(
        sub ($h, $torrent, $dir) {
            return start_cmd({ name => 'aria2c' }, $h->wrap, 'aria2c', '-q',
                "--dir=$dir", "--listen-port=$port", qw(--enable-dht=false
                --bt-enable-lpd=false --seed-ratio=0 --file-allocation=none),
                "--on-bt-download-complete=$hook", $torrent)->any_status;
        },
        sub ($run) { -e "$run->{dir}/done" ? now() : undef });
}

sub stop($self) {
    $self->{sp}->stop if $self->{sp};
    $self->{tracker}->stop;
    $self->{cdn}->stop;
    $self->{star}->stop;
    return;
}

1;
