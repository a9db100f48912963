package Shoal::Bench::Tracker;

# A tracker to be measured: one worker on the server's CPU, and these places:
#
#   /peers     as deployed          /load    the asker's address is that of
#   /plain     "return 200"                  X-Real-IP; nothing is prepared
#   /control   super peers' calls   /stub    nginx's own connection counts
#   /announce  BitTorrent           /load-announce, as /load
#   /metrics   the tracker's own
#
#   my $t = bench_tracker(zone => '512m', delay => '300ms');
#   fill($t, swarms => 1000, peers => 50_000);
#   my @sp = super_peers($t, 2, @ids);
#
# More options: peers, announce (directives), connections, files (open at once), body (of
# /plain), workers.

use v5.36;
use parent -norequire, 'Shoal::Tracker';
use Exporter qw(import);
use Shoal::Agent qw(agent);
use Shoal::HTTP qw(http);
use Shoal::Load qw(load server_cpu);
use Shoal::Metrics qw(parse_metrics);
use Shoal::Process qw(wait_for);
use Shoal::Tracker;

our @EXPORT_OK = qw(bench_tracker fill peers_url super_peers resource_ids
    metrics);

my $host = 'cdn.example.com';
my $size = 1073741824;
my $root = '5a' x 32;

sub bench_tracker(%o) {
    my $cpu = server_cpu();
    my $main = defined $cpu && !$o{workers} ? 'worker_cpu_affinity 01;' : '';
    $main .= "worker_rlimit_nofile $o{files};" if $o{files};
    return Shoal::Tracker::new(__PACKAGE__, workers => 1, zone => '512m',
        main => $main, connections => 1024, body => '', announce => '', log_level => 'warn',
        server => "access_log off;\n keepalive_requests 1000000000;", %o,
    )->start;
}

sub write_conf($self) {
    $self->{locations} = <<"EOC";
        location = /peers {
            tracker_peers swarm;
            tracker_delay $self->{delay};
            tracker_interval 1d;
            $self->{peers}
        }
        location = /load {
            real_ip_header X-Real-IP;
            set_real_ip_from 127.0.0.0/8;
            tracker_peers swarm;
            tracker_delay 0;
            tracker_superpeers_per_file 0;
            tracker_interval 1d;
        }
        location = /plain {
            default_type application/json;
            add_header Cache-Control no-store;
            return 200 '$self->{body}';
        }
        location = /control {
            tracker_control swarm;
            tracker_register on;
        }
        location = /announce {
            tracker_announce swarm;
            tracker_interval 1d;
            $self->{announce}
        }
        location = /load-announce {
            real_ip_header X-Real-IP;
            set_real_ip_from 127.0.0.0/8;
            tracker_announce swarm;
            tracker_interval 1d;
        }
        location = /metrics {
            tracker_metrics swarm;
        }
        location = /stub {
            stub_status;
        }
EOC
    return $self->SUPER::write_conf;
}

sub server($self) { return $self->addr . ':' . $self->port }

sub worker($self) { return ($self->worker_pids)[0] }

# Path and query of a peer-list request; $n is a field that gives the
# resource's number, $more further arguments.
sub peers_url($place, $n, $more) {
    return "$place?url=http%3A%2F%2F$host%2Fpub%2F12.5%2Famd64%2Ffile-$n.iso"
        . "&size=$size&version=etag%3A%22665d2c1f-40000000%22&$more";
}

# Registers peers (v6 => 1: of IPv6 addresses) with addresses and ports that
# look random, round the swarms, so that all of them grow side by side.
# torrents => 1: by BitTorrent announces.
sub fill($t, %o) {
    my $step = $o{step} // 1;
    my $ip = $o{v6} ? '{r:ip6}' : '{r%3000000000+16777216:ip}';
    my $args = 'port={r/3%50000+10000}&left={r/7%4*65536}&numwant=0';
    my $url = $o{torrents}
        ? "/load-announce?info_hash={k%$o{swarms}:id}&$args&compact=1"
            . '&peer_id=-SH0100-{k+100000000000}&uploaded=0&downloaded=0'
        : peers_url('/load', "{k%$o{swarms}*$step+1000000}", $args);
    my $before = metrics($t)->{peers};
    load(run => $t->server, requests => $o{peers}, url => $url,
        first => $o{first} // 0, connections => 32,
        header => "X-Real-IP: $ip");
    my $stored = metrics($t)->{peers} - $before;
    # two of one address and port are one
    die "$stored of $o{peers} peers are stored\n"
        if $stored > $o{peers} || $stored < 0.999 * $o{peers};
    return;
}

# The ids of resources by number, as the tracker computes them; nothing is
# stored.
sub resource_ids($t, @numbers) {
    return map {
        my $url = peers_url('/peers', 1000000 + $_, 'event=stopped');
        http(GET => $t->base . $url)->json->{id};
    } @numbers;
}

# Super peers that hold @ids, and keep their poll from another process.
sub super_peers($t, $n, @ids) {
    my @sp = map { agent($t) } 1 .. $n;
    for my $sp (@sp) {
        $sp->say;
        my @lines = map { "+$_ $root cdn" } @ids;
        $sp->say(splice @lines, 0, 4000) while @lines;
        Shoal::Process->start_perl("poll-$sp->{name}",
            sub { $sp->told($sp->poll, 60) while 1 });
        # calls of this process come after all of that one
        $sp->{seq} = 1_000_000;
    }
    wait_for { stub($t)->{writing} > $n } 10, 'the polls';
    return @sp;
}

# What the tracker tells of itself: bytes of shared memory in use, peers.
sub metrics($t) {
    my $m = parse_metrics(http(GET => $t->base . '/metrics')->{body})->{value};
    my $peers = 0;
    $peers += $m->{$_} for grep { /^shoal_tracker_peers\{/ } keys %$m;
    return { used => $m->{shoal_tracker_zone_used_bytes}, peers => $peers };
}

# nginx's own counts: parked requests are among writing, this call too.
sub stub($t) {
    my $text = http(GET => $t->base . '/stub')->{body};
    my %stub = map { lc } $text =~ /(Reading|Writing|Waiting): (\d+)/g;
    return \%stub;
}

1;
