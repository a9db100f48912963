# Private use of BitTorrent: a passkey, and a list of torrents in a file.

use v5.36;
use Shoal::Test;
use Shoal::Torrent qw(announce scrape failure info_hash bt_query);

my $port = free_port();
my $list = tmpdir('lists') . '/torrents';
my %h = map { $_ => info_hash($_) } qw(a b c d e);
my %hex = map { $_ => unpack 'H*', $h{$_} } keys %h;

subtest 'passkey' => sub {
    my $t = tracker(workers => 1, http => q{
        map $key $member {
            default 0;
            "~^[0-9a-f]{8}$" 1;
            0000aaaa "";
            0000bbbb 00;
        }
        map $arg_who $who { default ""; me 1; }
        large_client_header_buffers 4 16k;
    }, server => q{
        tracker_passkey $who;
        location ~ ^/(?<key>[^/]+)/announce$ {
            tracker_announce swarm;
            tracker_passkey $member;
        }
        location = /open/announce { tracker_announce swarm; tracker_passkey 1; }
        location = /announce { tracker_announce swarm; }
        location = /scrape   { tracker_scrape swarm; }
    });
    my $no = 'passkey: not known';
    my $q = bt_query('announce', info_hash => $h{a}, port => 1);
    is(failure($t, "$_/$q"), $no, $_) for qw(x 0 0000AAAA 0000aaaa), '0' x 9;
    is(announce($t, 'a', path => "$_/announce")->{incomplete}, 1, $_)
        for qw(00000000 0000bbbb open);
    is(failure($t, $q), $no, 'of the server');
    is(failure($t, "x/announce?" . 'y' x 9000), $no, 'before all else');
    is(failure($t, "$q&who=you"), $no, 'another');
    is(failure($t, "$q&who=me"), 'no failure: complete downloaded incomplete '
        . 'interval min interval peers', 'let in');
    is(failure($t, bt_query('scrape', info_hash => $h{a})), $no, 'scrape');
    is(failure($t, bt_query('scrape', info_hash => $h{a}, who => 'me')),
        'no failure: files flags', 'let in');
    is(http(POST => $t->base . '/announce', body => '')->{status}, 405, 'POST');
    is(failure($t, 'scrape?who=me'), 'info_hash: missing', 'bad, from a member');
    my $m = $t->metrics;
    is_deeply({ map { $_ => $m->{$_} } grep { $m->{$_}
        && /_(?:announces|scrapes|failures)_/ } keys %$m }, {
        'shoal_tracker_announces_total{event="none"}' => 4,
        'shoal_tracker_scrapes_total' => 1,
        map { ("shoal_tracker_failures_total{$_->[0]}" => $_->[1]) }
            [ 'kind="announce",reason="denied"', 8 ],
            [ 'kind="announce",reason="bad"', 1 ],
            [ 'kind="scrape",reason="denied"', 1 ],
            [ 'kind="scrape",reason="bad"', 1 ] }, 'all are counted');
};

sub list(@lines) { return spew($list, join "\n", @lines) }

subtest 'a list of torrents' => sub {
    list('# ours', "$hex{a}", '', " \t\U$hex{b}\E  # with a name\r", '#', '  ',
        $hex{c} . 'f' x 24, $hex{a});
    my $t = tracker(workers => 2, server => qq{
        tracker_info_hashes $list;
        location = /announce { tracker_announce swarm; }
        location = /scrape   { tracker_scrape swarm; }
        location = /open     { tracker_announce swarm; tracker_info_hashes off; }
    });
    my $q = sub ($name) { bt_query('announce', info_hash => $h{$name},
        port => 1) };
    my $no = 'info_hash: not tracked here';
    announce($t, $_) for qw(a b c);
    pass('listed ones');
    is(failure($t, $q->('d')), $no, 'another');
    announce($t, 'd', path => 'open');
    pass('where it is off');
    is_deeply([ sort keys scrape($t, values %h)->{files}->%* ],
        [ sort @h{qw(a b c)} ], 'scrape leaves others out');
    is_deeply(scrape($t, $h{d})->{files}, {}, 'all of them');

    list($hex{d}, $hex{a});
    announce($t, 'b');
    pass('nothing changes before a reload');
    $t->reload;
    is(failure($t, $q->('b')), $no, 'but then');
    is(announce($t, 'd', port => 2)->{incomplete}, 2, 'it is tracked');
    is(announce($t, 'a', port => 2)->{incomplete}, 2, 'nothing is lost');

    list($hex{e}, 'rubbish');
    $t->process->signal('HUP');
    wait_for { $t->error_log =~ /invalid info-hash in \S+:2,/ } 10, 'the refusal';
    $t->allow_log(qr/invalid info-hash/);
    announce($t, 'd');
    pass('a reload with a bad list is none');
    list();
    $t->reload;
    is(failure($t, $q->($_)), $no, "an empty list: $_") for qw(a e);
};

sub refused($name, $conf, $message) {
    my $r = nginx_conf_test(module => 1, http => "tracker_zone z:1m;\n$conf\n");
    ok(!$r->{ok}, "$name: refused");
    like($r->{out}, qr/\Q$message\E.* in \S+nginx\.conf:\d+$/m,
        "$name: message");
}

subtest 'bad lists' => sub {
    my $conf = "tracker_info_hashes $list;";
    my $digits = 'it must have 40 or 64 hex digits';
    for my $bad (substr($hex{a}, 1), "$hex{a}0", 'g' x 40, "$hex{a} $hex{b}",
        "$hex{a}\0", "$hex{a},", 'f' x 63, 'f' x 65, 'f' x 62 . 'gg', '40:x',
        "\xef\xbb\xbf$hex{a}", "0x$hex{a}")
    {
        list('# one', $hex{b}, $bad, $hex{c});
        refused('line ' . $bad =~ s/[^ -~]/?/gr, $conf,
            "invalid info-hash in $list:3, $digits");
    }
    list(($hex{a}) x 3, 'x');
    refused('the last line', $conf, "invalid info-hash in $list:4, $digits");
    unlink $list;
    refused('no file', $conf, "open() \"$list\" failed (2: No such file");
    mkdir $list;
    refused('a folder', $conf, "\"$list\" is not a file");
    rmdir $list;
    list($hex{a});
    refused('twice', "$conf $conf", 'directive is duplicate');
    refused('two passkeys', 'tracker_passkey 1; tracker_passkey 2;',
        'directive is duplicate');
    my $r = nginx_conf_test(module => 1, http => 'tracker_passkey $nosuch;');
    like($r->{out}, qr/unknown "nosuch" variable/, 'a variable that is none');
    $r = nginx_conf_test(module => 1, http => 'tracker_zone z:1m; server {'
        . " listen 127.0.0.1:$port; $conf location /a { tracker_announce z; $conf }"
        . ' location /b { tracker_scrape z; tracker_info_hashes off; } }');
    ok($r->{ok}, 'one file in several places') or diag($r->{out});
};

# Found among many, in no order; those beside are not.
subtest 'many torrents' => sub {
    my @many = map { info_hash("many $_") } 1 .. 20_000;
    # the same first bytes as well
    push @many, map { pack 'H4 N x14', 'abcd', $_ } 1 .. 1000;
    list(map { unpack 'H*', $_ } reverse(@many), $many[7]);
    my $t = tracker(workers => 1, server => qq{
        location = /scrape { tracker_scrape swarm; tracker_info_hashes $list; }
    }, http => 'large_client_header_buffers 4 16k;');
    my @edge = (sort @many)[ 0, 1, 10_000, -2, -1 ];
    my @ask = (@edge, @many[ map { $_ * 500 + 3 } 0 .. 41 ], $many[-1]);
    my %want = map { $_ => 1 } @ask;
    my @not = (map { info_hash("other $_") } 1 .. 40);
    push @not, map { pack 'H*', $_ } '0' x 40, 'f' x 40, 'abcd' . '0' x 36,
        'abcd000003e9' . '0' x 28, 'abcd' . 'f' x 36, 'abce' . '0' x 36;
    my %got = (scrape($t, keys %want)->{files}->%*, scrape($t, @not)->{files}->%*);
    is_deeply([ sort keys %got ], [ sort keys %want ], 'found');
};

finish();
