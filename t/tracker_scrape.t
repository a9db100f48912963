# BitTorrent's scrape: several torrents at once, in order, each once.

use v5.36;
use Shoal::Bencode qw(bdecode);
use Shoal::Test;
use Shoal::Torrent qw(announce scrape failure info_hash bt_query);

my $t = tracker(workers => 2, server => q{
        location = /announce { tracker_announce swarm; }
        location = /scrape   { tracker_scrape swarm; tracker_interval 10m; }
    }, http => 'large_client_header_buffers 4 16k;');

my $none = { complete => 0, downloaded => 0, incomplete => 0 };
my %h = map { $_ => info_hash($_) } qw(a b c);

announce($t, 'a', port => $_) for 1 .. 3;
announce($t, 'b', port => 1);

is(http(GET => $t->base . '/' . bt_query('scrape', info_hash => $h{b}))->{body},
    "d5:filesd20:$h{b}d8:completei0e10:downloadedi0e10:incompletei1eee"
    . '5:flagsd20:min_request_intervali600eee', 'byte by byte');
is_deeply(scrape($t, @h{qw(c b a b)})->{files}, {
    $h{a} => { %$none, incomplete => 3 }, $h{b} => { %$none, incomplete => 1 },
    $h{c} => $none }, 'several, one of them twice, one without peers');
announce($t, 'b', port => 1, event => 'stopped');
is_deeply(scrape($t, $h{b})->{files}, { $h{b} => $none }, 'all left');

my @many = map { info_hash("m$_") } 1 .. 100;
is(keys scrape($t, @many)->{files}->%*, 100, 'a hundred');
is(keys scrape($t, @many[ 0 .. 49 ], @many[ 0 .. 49 ])->{files}->%*, 50,
    'fifty, all twice');
is(failure($t, bt_query('scrape', map { (info_hash => $_) } @many, $h{a})),
    'info_hash: given too often', 'one more');
my @low = map { pack 'H*', sprintf '%040x', $_ } 0, 10, 13, 127, 255;
is_deeply([ sort keys scrape($t, reverse @low)->{files}->%* ], \@low,
    'control characters');

is(failure($t, $_->[0]), $_->[1], $_->[0]) for
    [ 'scrape', 'info_hash: missing' ], [ 'scrape?', 'info_hash: missing' ],
    [ 'scrape?port=1', 'info_hash: missing' ],
    [ 'scrape?info_hash=', 'info_hash: not 20 bytes' ],
    [ 'scrape?info_hash=' . 'x' x 19, 'info_hash: not 20 bytes' ],
    [ 'scrape?info_hash=' . 'x' x 21, 'info_hash: too long' ],
    [ 'scrape?info_hash=' . 'x' x 17 . '%z1', 'info_hash: badly escaped' ],
    [ 'scrape?info_hash=' . 'x' x 20 . '&info_hash=y', 'info_hash: not 20 bytes' ];

my $url = $t->base . '/' . bt_query('scrape', info_hash => $h{a});
my $r = http(HEAD => $url);
is("$r->{status} $r->{body}", '200 ', 'HEAD');
$r = http(POST => $url, body => 'x');
is("$r->{status} $r->{headers}{allow}", '405 GET, HEAD', 'POST');

finish();
