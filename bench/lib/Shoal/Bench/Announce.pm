package Shoal::Bench::Announce;

# BitTorrent announces: the same ones to the tracker and to opentracker, both
# with the same list of info-hashes (Debian's opentracker has to have one).

use v5.36;
use Shoal::Bench qw(median rounds slice);
use Shoal::Bench::Tracker qw(bench_tracker);
use Shoal::Env qw(tmpdir spew);
use Shoal::HTTP qw(http);
use Shoal::Load qw(load load_text cpu_per_request server_cpu);
use Shoal::Net qw(free_port wait_port);
use Shoal::Process qw(start_cmd);

my $torrents = 1000;
my $peers    = 51;      # each gets the others: numwant is 50
my $all      = $torrents * $peers;

# opentracker knows a peer by its address and port.
my $announce = "/announce?info_hash={k%$torrents:id}"
    . "&peer_id=-SH0100-{k+100000000000}&port={k/$torrents%$peers+10000}"
    . '&uploaded=0&downloaded=0&left=1048576&compact=1&numwant=50';

sub ids($class) {
    return qw(announce_cpu_ratio announce_cpu_ratio_default
        announce_keepalive_ratio);
}

sub opentracker($list) {
    my $port = free_port();
    my $dir = tmpdir('opentracker');    # its root, where it starts as root
    spew("$dir/list", $list);
    my $conf = spew("$dir/conf", <<"EOC");
listen.tcp 127.0.0.1:$port
access.whitelist list
tracker.rootdir $dir
tracker.user nobody
EOC
    my $cpu = server_cpu();
    my @pin = defined $cpu ? ('taskset', '-c', $cpu) : ();
    my $p = start_cmd({ name => 'opentracker', cwd => $dir }, @pin,
                      'opentracker', '-f', $conf)->any_status;
    wait_port('127.0.0.1', $port, $p);
    return { name => 'opentracker', pid => $p->pid,
             server => "127.0.0.1:$port" };
}

# %o: how it listens.
sub shoal($list, %o) {
    my $file = spew(tmpdir() . '/info-hashes', $list);
    my $t = bench_tracker(announce => "tracker_info_hashes $file;", %o);
    return { name => 'tracker', pid => $t->worker, server => $t->server };
}

# All peers are there, and who asks gets the others.
sub fill($who) {
    load(run => $who->{server}, url => $announce, requests => $all,
         close => 1, from => '127.0.0.1,1');
    my ($url) = load_text($announce, 1, first => 7);
    my $body = http(GET => "http://$who->{server}$url")->{body};
    my ($bytes) = $body =~ /5:peers(\d+):/;
    die "$who->{name}: not 50 peers in: $body\n" if ($bytes // 0) != 300;
    return $who;
}

sub cost($who, %o) {
    my ($ns) = cpu_per_request($who->{pid}, $who->{server}, %o,
        url => $announce, random => 1, space => $all,
        seconds => slice());
    return $ns;
}

# What docs/directives.md advises for BitTorrent clients.
sub advised($list) {
    return shoal($list, listen => 'deferred', events => 'multi_accept on;');
}

sub run($class, $b) {
    my $list = join '', map { "$_\n" } load_text('{k:hex}', $torrents);
    my $theirs = fill(opentracker($list));
    my $ours = fill(advised($list));
    my $default = fill(shoal($list));
    my %run;
    for (1 .. rounds()) {
        my $them = cost($theirs, close => 1);
        my @us = (cost($ours, close => 1), cost($default, close => 1),
                  cost($ours));
        push @{ $run{ratio} }, $us[0] / $them;
        push @{ $run{default} }, $us[1] / $them;
        push @{ $run{keepalive} }, $them / $us[2];
        push @{ $run{us} }, [ map { $_ / 1e3 } $them, @us ];
    }
    $b->note(sprintf 'us an announce: opentracker %.2f, tracker %.2f '
        . '(%.2f as nginx listens by default), with keepalive %.2f',
        map { my $i = $_; median(map { $_->[$i] } @{ $run{us} }) } 0 .. 3);
    my $against = 'opentracker, a new connection each';
    $b->result('announce_cpu_ratio', runs => $run{ratio},
        against => "$against; listen deferred, multi_accept on");
    $b->result('announce_cpu_ratio_default', runs => $run{default},
        against => "$against; listen without deferred");
    $b->result('announce_keepalive_ratio', runs => $run{keepalive},
        against => 'announces per CPU second, opentracker without keepalive');
    return;
}

1;
