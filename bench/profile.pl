#!/usr/bin/perl

# Where the time of a request goes: perf on the server under the load of the
# benches. Prints each function's own share, then those with what they call.
# usage: bench/profile.pl [peers|plain|announce|announce-keepalive
#                          |serve|sendfile [CONNECTIONS [MIB]]]

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../t/lib";
use Shoal::Bench::Announce;
use Shoal::Bench::Peers;
use Shoal::Bench::SuperPeer qw(bench_super throughput);
use Shoal::Env qw(tmpdir);
use Shoal::Load qw(load_text);
use Shoal::Program;
use Shoal::Process qw(run_cmd start_cmd);

my %load = (
    peers => sub { peers('/peers') },
    plain => sub { peers('/plain') },
    announce => sub { announce(close => 1) },
    'announce-keepalive' => sub { announce() },
    serve => sub { ranges('blocks') },
    sendfile => sub { ranges('plain') },
);
my $what = shift // 'peers';
die "usage: bench/profile.pl [", join('|', sort keys %load), "]\n"
    if !$load{$what};

# The worker, and code that loads it for a while.
sub peers($place) {
    my $store = Shoal::Bench::Peers::store(20_000);
    return ($store->{tracker}->worker,
            sub { Shoal::Bench::Peers::cost($store, $place) });
}

sub announce(%o) {
    my $list = join '', map { "$_\n" } load_text('{k:hex}', 1000);
    my $who = Shoal::Bench::Announce::fill(
        Shoal::Bench::Announce::advised($list));
    return ($who->{pid}, sub { Shoal::Bench::Announce::cost($who, %o) });
}

# The super peer, or nginx with the same file.
sub ranges($place) {
    my $n = shift @ARGV // 64;
    my $mib = shift @ARGV // 1;
    my $super = bench_super();
    my $file = $super->fill('serve.bin', 256 << 20);
    my $who = $place eq 'plain' ? $super->plain
        : { server => $super->server, pid => $super->pid };
    return ($who->{pid}, sub {
        throughput($who, $file->{$place}, connections => $n, seconds => 0.5,
            size => $file->{size}, range => $mib << 20);
    });
}

my $data = tmpdir() . '/perf.data';

sub report(@how) {
    my ($st, $out) = run_cmd({ deadline => 300 }, qw(perf report -i), $data,
        qw(--stdio -g none --percent-limit 0.4 -F), @how);
    print grep { /^ *\d/ && !/\b0x[0-9a-f]{16}/ } $out =~ /^.*\n/mg;
    return;
}

my ($pid, $cost) = $load{$what}->();
$cost->() for 1 .. 2;
my $perf = start_cmd(qw(perf record -q -e cpu-clock -F 1999 --call-graph),
    'dwarf,16384', '-p', $pid, '-o', $data)->any_status;
$cost->() for 1 .. 12;
$perf->stop('INT', 60);

print "== $what: own share\n";
report('overhead,sym', '--no-children');
print "== $what: with what is called\n";
report('overhead_children,overhead,sym', '--children');
