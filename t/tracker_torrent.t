# Real BitTorrent clients exchange a real file, and find each other by the
# tracker alone.

use v5.36;
use Shoal::Netns qw(198.18.0.1 198.18.0.2 198.18.0.3 198.18.0.4
    2001:db8::1 2001:db8::2 2001:db8::3);
use Shoal::BtClient qw(bt_client bt_missing);
use Shoal::Test;
use Shoal::Torrent qw(make_torrent scrape);

my %missing = map { $_ => bt_missing($_) } qw(transmission aria2 libtorrent);
my @there = grep { !$missing{$_} } sort keys %missing;
note("without $_: $missing{$_}") for grep { $missing{$_} } sort keys %missing;
skip_test(join ', ', map { $_ // () } values %missing) if @there < 2;

my $port6 = free_port('2001:db8::1');
my $t = tracker(addr => '198.18.0.1', workers => 2, server => qq{
        listen [2001:db8::1]:$port6;
        location = /announce { tracker_announce swarm; tracker_interval 10m; }
        location = /scrape   { tracker_scrape swarm; }
        # as if the client had not asked for a compact list
        location = /plain/announce {
            if (\$args ~ "^(.*)compact=1(.*)\$") { set \$args \$1\$2; }
            tracker_announce swarm;
            tracker_interval 10m;
        }
    });

like(http(GET => $t->base . '/plain/announce?info_hash=' . 'x' x 20
    . '&compact=1&port=1')->{body}, qr/e5:peersle/, 'a list of dictionaries');

my $serial = 0;

sub numbers($x) {
    return join ' ', scrape($t, $x->{hash})->{files}{ $x->{hash} }
        ->@{qw(complete incomplete downloaded)};
}

# The first one seeds, the others are to download.
sub exchange($what, $base, $net, @clients) {
    my @without = grep { $missing{$_} } @clients;
    if (@without) {
        SKIP: { skip("$what: without @without", 1) }
        return;
    }
    my $n = ++$serial;
    my $x = { what => $what, names => \@clients, name => "file$n",
        dirs => [ map { tmpdir("data/$n-$_") } @clients ],
        addrs => [ map { $net . ($_ + 2) } 0 .. $#clients ], c => [] };
    $x->{file} = make_file("$x->{dirs}[0]/$x->{name}", 3_000_001, $n);
    @$x{qw(torrent hash)} = make_torrent($x->{file}, "$base/announce");
    begin($x, 0);
    return $x;
}

sub begin($x, $i) {
    $x->{c}[$i] = bt_client($x->{names}[$i], addr => $x->{addrs}[$i],
        dir => $x->{dirs}[$i], torrent => $x->{torrent});
}

# At the same time: each of them waits for its turns to unchoke.
my @x = (
    exchange('compact', $t->base, '198.18.0.',
        qw(transmission aria2 libtorrent)),
    exchange('dictionaries', $t->base . '/plain', '198.18.0.',
        qw(libtorrent transmission aria2)),
    exchange('IPv6', "http://[2001:db8::1]:$port6", '2001:db8::',
        qw(aria2 libtorrent)),
);

for my $x (@x) {
    wait_for { $x->{c}[0]->done } 30, "$x->{what}: the seed";
    wait_for { numbers($x) eq '1 0 0' } 30, "$x->{what}: its announce";
    begin($x, $_) for 1 .. $#{ $x->{names} };
}
for my $x (@x) {
    my $n = $#{ $x->{names} };
    for my $i (1 .. $n) {
        wait_for { $x->{c}[$i]->done } 60, "$x->{what}: $x->{names}[$i]";
        same_file("$x->{dirs}[$i]/$x->{name}", $x->{file},
            "$x->{what}: $x->{names}[$i] has it from $x->{names}[0]");
    }
    my $all = $n + 1;
    wait_for { numbers($x) eq "$all 0 $n" } 30, "$x->{what}: $n to say so";
    pass("$x->{what}: $n completed, $all seed");
    $_->leave for @{ $x->{c} };
    wait_for { numbers($x) eq "0 0 $n" } 30, "$x->{what}: all to leave";
    pass("$x->{what}: all have left");
    $_->stop for @{ $x->{c} };
}

finish();
