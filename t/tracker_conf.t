# Every bad configuration is named by nginx -t, with file and line; the good
# ones load.

use v5.36;
use Shoal::Test;

my $port = free_port();
my $zone = 'tracker_zone z:1m;';
my $server = sub ($loc) { "server { listen 127.0.0.1:$port; $loc }" };
my $peers = $server->('location /p { tracker_peers z; }');

sub bad($name, $conf, $message) {
    my $t = nginx_conf_test(module => 1, http => "\n$conf\n");
    ok(!$t->{ok}, "$name: refused");
    like($t->{out}, qr/\Q$message\E.* in \S+nginx\.conf:\d+$/m, "$name: message");
}

sub good($name, $conf) {
    my $t = nginx_conf_test(module => 1, http => $conf);
    ok($t->{ok}, $name) or diag($t->{out});
}

bad('no size', 'tracker_zone z;', 'invalid zone "z", it must be NAME:SIZE');
bad('no name', 'tracker_zone :1m;', 'invalid zone ":1m", it must be NAME:SIZE');
bad('bad size', 'tracker_zone z:lots;', 'invalid size in zone "z:lots"');
bad('small', 'tracker_zone z:100k;', 'zone "z:100k" is too small, it must have at least 1m');
bad('twice', "$zone tracker_zone z:2m;", 'zone "z" is declared twice');
bad('not in a server', $server->('tracker_zone z:1m;'), '"tracker_zone" directive is not allowed here');

bad('unknown zone (peers)', $peers, 'unknown tracker zone "z", no "tracker_zone" declares it');
bad('unknown zone (origin)', 'tracker_origin q a.example.com;', 'unknown tracker zone "q"');
bad('unknown zone (super peer)', 'tracker_superpeer q sp1;', 'unknown tracker zone "q"');
bad('no origin', "$zone $peers", 'no "tracker_origin" for zone "z", which "tracker_peers" names');

my $origin = 'it must be HOST[:PORT] or *.DOMAIN[:PORT]';
bad("origin $_", "$zone tracker_origin z $_;", $origin)
    for '*', '*example.com', 'a.*.com', 'http://a.com', 'a.com/x', 'a.com:0',
        'a.com:65536', 'a.com:x', '"a b"', 'u@a.com', '"a.com?x"', '*.[::1]';
bad('origin that is only signed', "$zone tracker_origin z signed;",
    'no host in "tracker_origin"');
bad('no host at all', "$zone tracker_origin z;", 'invalid number of arguments');

my $sp = "$zone tracker_superpeer z";
bad('preset twice', "$sp sp1; tracker_superpeer z sp1;", 'super peer "sp1" is preset twice');
bad('preset name', "$sp \"sp 1\";", 'invalid name of a super peer "sp 1"');
bad('preset long name', "$sp " . 'x' x 65 . ';', 'invalid name of a super peer');
bad("preset $_", "$sp sp1 $_;", 'invalid parameter "' . $_ . '"')
    for 'url=', 'url=sp1:9090', 'url=ftp://sp1', 'url=http://sp1/path',
        'url=http://sp1/#x', 'url=http://u@sp1', 'url=http://sp1:0',
        'locality=', 'weight=1';
bad('preset long url', "$sp sp1 url=http://sp1/?" . 'x' x 256 . ';', 'invalid parameter');

my $keys = tmpdir('keys');
my $ticket = sub ($text, $more = '') {
    spew("$keys/k", $text);
    return "$zone tracker_ticket_key z $keys/k$more;";
};
my $hex = '0f' x 16;
bad('no key', $ticket->("# none\n\n"), "no ticket key in \"$keys/k\"");
bad("key '$_'", $ticket->("$hex\n$_\n"),
    "invalid ticket key in $keys/k:2, it must have 32 to 128 hex digits")
    for 'sesame', substr($hex, 2), "${hex}0", "0x$hex", "$hex $hex", $hex x 4 . '00';
bad('too many keys', $ticket->("$hex\n" x 17), "too many ticket keys in $keys/k:17");
bad('no file of keys', "$zone tracker_ticket_key z $keys/none;", "open() \"$keys/none\" failed (2:");
bad('a folder of keys', "$zone tracker_ticket_key z $keys;", "\"$keys\" is not a file");
bad('keys twice', $ticket->($hex) . " tracker_ticket_key z $keys/k;",
    'zone "z" has a ticket key already');
bad("ticket $_", $ticket->($hex, " $_"),
    "invalid parameter \"$_\", it must be time=TIME, 1s to 366d")
    for 'time=', 'time=0', 'time=x', 'time=367d', 'valid=1h', '1h';
bad('keys of an unknown zone', "tracker_ticket_key q $keys/k;", 'unknown tracker zone "q"');
bad('tickets that are too short', $ticket->($hex, ' time=1m')
    . "tracker_origin z a.com; tracker_interval 31s; $peers",
    'tickets of zone "z" expire before clients ask again: "time" must be at least twice '
    . '"tracker_interval", which is 31s,');
bad('tickets by default', $ticket->($hex) . "tracker_origin z a.com; tracker_interval 31m; $peers",
    'which is 1860s,');
good('tickets', $ticket->(" \t$hex # a\n#b\n" . uc($hex) x 4 . "\r\n" . "$hex\n" x 14, ' time=1m')
    . "tracker_origin z a.com; tracker_interval 30s; $peers");

my @handlers = qw(tracker_peers tracker_control tracker_announce tracker_scrape);
for my $one (@handlers) {
    for my $two (@handlers) {
        bad("$one, $two", $zone . $server->("location / { $one z; $two z; }"), "\"$two\" directive "
            . ($one eq $two ? 'is duplicate' : "contradicts \"$one\" in the same location"));
    }
    bad("$one of no zone", $server->("location / { $one z; }"), 'unknown tracker zone "z"');
}

bad('delay', 'tracker_delay soon;', '"tracker_delay" directive invalid value');
bad('delay twice', 'tracker_delay 1s; tracker_delay 2s;', '"tracker_delay" directive is duplicate');
bad("$_", "$_ maybe;", "invalid value \"maybe\" in \"$_\" directive, it must be \"on\" or \"off\"")
    for qw(tracker_list_filling tracker_register);
bad('early', 'tracker_early maybe;', 'invalid value "maybe"');
bad('per file', 'tracker_superpeers_per_file 9;', 'value must be between 0 and 8');
bad('interval', 'tracker_interval 0;', 'value must be between 1 and 86400');

good('zone declared last', "tracker_origin z a.com; tracker_superpeer z sp1; $peers $zone");
good('all forms', "$zone tracker_origin z a.com *.b.com a.com:8080 [::1] [::1]:80 A.B:443 signed;"
    . ' tracker_origin z c.com; tracker_superpeer z a url=HTTPS://SP1.example.com/;'
    . ' tracker_superpeer z b locality=a/b url=http://[::1]:90?t=1;' . $peers);
# takes half a gigabyte
good('a large zone', 'tracker_zone z:33000m;') if long_tests();
good('two zones', "$zone tracker_zone y:2m; tracker_origin y a.com; tracker_origin z a.com; $peers"
    . ' tracker_delay 1s; tracker_early off; tracker_list_filling off; tracker_register on;'
    . ' tracker_superpeers_per_file 8; tracker_interval 5m;');
good('BitTorrent without an origin', $zone
    . $server->('location /a { tracker_announce z; } location /s { tracker_scrape z; }'));
good('module without a zone', '');

subtest 'conf-examples' => sub {
    my $so = program('ngx_http_tracker_module.so');
    my $dir = tmpdir('examples');
    spew("$dir/torrents.list", slurp(top() . '/conf-examples/torrents.list'));
    spew("$dir/tickets.key", 'a5' x 32 . "\n");
    for my $file (glob top() . '/conf-examples/tracker*.conf') {
        my $text = slurp($file);
        ok($text =~ s{modules/ngx_http_tracker_module\.so}{$so}, 'loads the module');
        $text =~ s/listen 8080/listen 127.0.0.1:$port/;
        spew("$dir/nginx.conf", "pid $dir/pid; error_log $dir/log;\n$text");
        my ($st, $out, $err) = run_cmd({ env => { sanitized()
            ? (san_env("$dir/san"), Shoal::Env::san_preload()) : () } },
            'nginx', '-t', '-p', "$dir/", '-e', "$dir/log", '-c', "$dir/nginx.conf");
        is($st, 0, $file =~ s{.*/}{}r) or diag($err);
    }
};

finish();
