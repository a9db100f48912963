#!/usr/bin/perl

# The main job on one machine, on loopback: three CDN nodes behind one name
# (the first holds a stale copy), an nginx with the tracker, two super peers,
# and a real file downloaded three times. Exits 1 when anything is wrong.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../t/lib";
use Shoal::Cdn qw(cdn);
use Shoal::Client qw(shoal);
use Shoal::Data qw(sha256_file human_size);
use Shoal::Env qw(tmpdir proxies);
use Shoal::Program;
use Shoal::Process qw(wait_for run_cmd);
use Shoal::SuperPeer qw(superpeer);
use Shoal::Tracker qw(tracker);
use Time::HiRes qw(time);

my $min   = 64 * 1048576;
my $max   = 512 * 1048576;
my @wrong;
my $began = time;

$| = 1;
main();
exit(@wrong ? 1 : 0);

sub main() {
    my $real = real_file();
    my ($size, $sha) = (-s $real, sha256_file($real));
    my ($name) = $real =~ m{([^/]+)$};
    $name =~ s/[^A-Za-z0-9._+-]/_/g;
    say "file:     $real";
    say sprintf '          %s, SHA-256 %s', human_size($size), $sha;

    my $cdn = start_cdn($real, $name);
    my $tracker = tracker(addr => '127.0.0.2', delay => '500ms',
                          origin => $cdn->host);
    say 'tracker:  ' . $tracker->url;
    my @sp = map {
        superpeer(name => "sp$_", addr => "127.0.0.2$_", cdn => $cdn,
                  trackers => [$tracker], cache_size => '2GiB')
    } 1, 2;
    $_->wait_connected for @sp;
    say "super:    " . join ', ', map { $_->base } @sp;

    my @job = ([ 'cold', '127.0.0.31' ],
               [ 'from a second address', '127.0.0.32' ],
               [ 'CDN nodes limited to 1 MB/s', '127.0.0.33' ]);
    for my $i (0 .. $#job) {
        $cdn->set(limit_rate => '1m') if $i == 2;
        download(@{ $job[$i] }, $cdn, $tracker, $name, $sha);
        wait_held($cdn->url($name), @sp) if $i == 0;
    }
    stale_node($cdn, \@job, \@sp, $name);
    Shoal::Process->stop_all;
    faults();
    say sprintf "\n%s after %.1f s", @wrong ? 'FAILED' : 'all is well',
        time - $began;
    say "  $_" for @wrong;
}

sub wrong($what) {
    say "  WRONG: $what";
    push @wrong, $what;
}

# A package or a library that the machine has, or a package from its archive.
sub real_file() {
    for my $where ('/var/cache/apt/archives -name *.deb',
                   '/usr/lib /usr/lib64 -name lib*.so*',
                   '/boot /usr /opt -type f')
    {
        my @arg = split / /, $where;
        my (undef, $out) = run_cmd({ deadline => 20 }, 'find',
            (grep { /^\// && -d $_ } @arg), '-xdev',
            (grep { !/^\// } @arg), '-type', 'f', '-readable',
            '-size', '+' . ($min / 1024 - 1) . 'k', '-printf', '%s %p\n');
        my @found = sort { $a->[0] <=> $b->[0] || $a->[1] cmp $b->[1] }
            grep { $_->[0] >= $min && $_->[0] <= $max }
            map { [ split / /, $_, 2 ] } split /\n/, $out;
        return $found[0][1] if @found;
    }
    my $dir = tmpdir('package');
    chmod 0777, $dir;    # apt fetches as a user of its own
    for my $package (qw(firefox-esr chromium linux-source-6.1)) {
        say "no file of 64 MiB on this machine, fetching $package";
        run_cmd({ deadline => 240, cwd => $dir, env => { proxies() } },
                'apt-get', '-q', 'download', $package);
        my ($deb) = grep { -s $_ >= $min } glob "$dir/*.deb";
        return $deb if $deb;
    }
    say STDERR 'no real file of at least 64 MiB was found';
    exit 1;
}

sub start_cdn($real, $name) {
    my $cdn = cdn(nodes => 3, limit_rate => '16m');
    $cdn->link_file($real, $name);
    # What was published under this name before: shorter, older.
    my $stale = $cdn->node(0);
    $stale->remove($name);
    my $bytes = -s $real;
    $bytes = int $bytes / 2;
    system('sh', '-c', 'head -c "$1" "$2" > "$3"', 'sh', $bytes, $real,
        $stale->path($name)) == 0 or die "cannot write the stale copy\n";
    utime 1500000000, 1500000000, $stale->path($name);
    say 'URL:      ' . $cdn->url($name);
    say '          16 MB/s a connection';
    for my $i (0 .. 2) {
        say sprintf '%-10s%s%s', $i ? '' : 'nodes:', $cdn->node($i)->addr,
            $i ? '' : sprintf ' (stale: %s)', human_size($bytes);
    }
    return $cdn;
}

sub download($what, $addr, $cdn, $tracker, $name, $sha) {
    say "\n== $what ($addr)";
    my $r = shoal({ deadline => 120 }, $cdn->client_args,
        '--tracker', $tracker->url, '--bind-address', $addr,
        $cdn->url($name));
    print $r->{stdout}, $r->{stderr};
    say sprintf '-- %.2f s', $r->{seconds};
    wrong("$what: shoal ended with status $r->{status}") if $r->{status};
    my $stale = $cdn->node(0)->addr;
    my ($used) = $r->{stderr} =~ /^\s+\Q$stale\E\s+CDN node\s+(\d+)/m;
    wrong("$what: the table has no line for $stale") if !defined $used;
    wrong("$what: $used bytes of $stale were used") if $used;
    my $got = sha256_file("$r->{dir}/$name");
    if ($got eq $sha) { say '-- SHA-256 is that of the good origin' }
    else              { wrong("$what: SHA-256 is $got") }
    unlink "$r->{dir}/$name";
}

sub wait_held($url, @sp) {
    my $start = time;
    my $held = eval {
        wait_for { @sp == grep { $_->holds($url) } @sp } 30,
            'the super peers to hold the file';
    };
    return wrong("a super peer does not hold it: $@") if !$held;
    say sprintf '-- both super peers hold it %.2f s later', time - $start;
}

# Asked by every client, and by the super peers; used by nobody.
sub stale_node($cdn, $jobs, $sp, $name) {
    my $node = $cdn->node(0);
    say "\n== the stale node, " . $node->addr;
    for my $who ((map { [ $_->[0], $_->[1] ] } @$jobs),
                 (map { [ $_->name, $_->addr ] } @$sp))
    {
        my @q = $node->requests(remote => $who->[1], uri => "/$name");
        my $sent = 0;
        $sent += $_->{method} eq 'GET' ? $_->{bytes} : 0 for @q;
        say sprintf '  asked by %-12s %-9s %10s sent, none used', $who->[1],
            join('+', map { $_->{method} } @q) || 'not', human_size($sent);
        wrong("$who->[0] never asked the stale node") if !@q;
    }
}

sub faults() {
    my @bad = map { $_->faults } Shoal::Nginx->all_nginx;
    for my $p (Shoal::Process->all_processes) {
        my $fault = $p->fault or next;
        push @bad, $p->name . ": $fault";
    }
    wrong($_) for @bad;
}
