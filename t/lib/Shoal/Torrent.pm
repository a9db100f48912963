package Shoal::Torrent;

# What a BitTorrent client says to a tracker, by hand.
#
#   my $a = announce($t, 'h', port => 6881, from => '127.0.0.5');
#   $a->{peers}, $a->{peers6}                # lists of ADDR:PORT, sorted
#   my $s = scrape($t, info_hash('h'));      # {files}{HASH}{complete}
#   my $f = failure($t, 'announce?port=1');  # the reason
#   my ($torrent, $hash) = make_torrent($file, $announce_url);

use v5.36;
use Exporter qw(import);
use Digest::SHA qw(sha1);
use Socket qw(inet_ntop AF_INET AF_INET6);
use Shoal::Bencode qw(bdecode bencode);
use Shoal::Env qw(slurp spew);
use Shoal::HTTP qw(http url_encode);

our @EXPORT_OK = qw(info_hash announce scrape failure bt_query bt_answer
    make_torrent);

# Of a torrent by a name that the test gives it.
sub info_hash($name) { return sha1("torrent $name") }

# "announce?info_hash=..&..", pairs in their order; undef leaves one out.
sub bt_query($path, @pairs) {
    my @q;
    while (my ($k, $v) = splice @pairs, 0, 2) {
        push @q, "$k=" . url_encode($v) if defined $v;
    }
    return "$path?" . join '&', @q;
}

# The decoded body of an answer, which has to be right otherwise.
sub bt_answer($r) {
    die "status $r->{status}: $r->{body}\n" if $r->{status} != 200;
    for ([ 'content-type', 'text/plain' ], [ 'cache-control', 'no-store' ]) {
        my $value = $r->{headers}{ $_->[0] } // 'none';
        die "$_->[0]: $value\n" if $value ne $_->[1];
    }
    return bdecode($r->{body});
}

# from, base, path, hash (instead of the name's); the rest are arguments.
sub announce($t, $name, %o) {
    my ($from, $base) = delete @o{qw(from base)};
    my $path = delete $o{path} // 'announce';
    my $hash = delete $o{hash} // info_hash($name);
    %o = (peer_id => '-XX0000-abcdefghijkl', port => 6881, uploaded => 0,
        downloaded => 0, left => 1000, compact => 1, %o);
    my $url = ($base // $t->base) . '/'
        . bt_query($path, info_hash => $hash, map { $_ => $o{$_} }
            sort keys %o);
    my $a = bt_answer(http(GET => $url, from => $from));
    $a->{bytes} = length($a->{peers} // '');
    $a->{$_->[0]} = expand($a->{ $_->[0] }, $_->[1])
        for [ 'peers', AF_INET ], [ 'peers6', AF_INET6 ];
    return $a;
}

# Compact or as dictionaries: the same list.
sub expand($list, $family) {
    return [] if !defined $list;
    if (ref $list) {
        return [ sort map { die "keys @{[ sort keys %$_ ]}\n"
            if join(' ', sort keys %$_) ne 'ip port';
            ($_->{ip} =~ /:/ ? "[$_->{ip}]" : $_->{ip}) . ":$_->{port}" }
            @$list ];
    }
    my $len = $family == AF_INET6 ? 18 : 6;
    die 'peers cut: ' . length($list) . " bytes\n" if length($list) % $len;
    return [ sort map {
        my ($addr, $port) = unpack 'a' . ($len - 2) . ' n', $_;
        my $ip = inet_ntop($family, $addr);
        ($family == AF_INET6 ? "[$ip]" : $ip) . ":$port";
    } unpack "(a$len)*", $list ];
}

# Next to the file; (path, info-hash). Private: no other way to find peers.
sub make_torrent($file, $url, $len = 16384) {
    my ($pieces, $data) = ('', slurp($file));
    for (my $i = 0; $i < length $data; $i += $len) {
        $pieces .= sha1(substr $data, $i, $len);
    }
    my $info = { name => $file =~ s{.*/}{}r, length => length $data,
        'piece length' => $len, pieces => $pieces, private => 1 };
    spew("$file.torrent", bencode({ announce => $url, info => $info }));
    return ("$file.torrent", sha1(bencode($info)));
}

sub scrape($t, @hashes) {
    return bt_answer(http(GET => $t->base . '/'
        . bt_query('scrape', map { (info_hash => $_) } @hashes)));
}

# The reason that this query fails with; nothing else is in the answer.
sub failure($t, $query, %o) {
    my $a = bt_answer(http(GET => $t->base . "/$query", %o));
    my $keys = join ' ', sort keys %$a;
    return "no failure: $keys" if $keys ne 'failure reason';
    return $a->{'failure reason'};
}

1;
