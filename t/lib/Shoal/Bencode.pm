package Shoal::Bencode;

# BitTorrent's encoding, read strictly: what is not in its one form dies.
#
#   my $v = bdecode($bytes);     # numbers, strings, lists, hashes
#   my $s = bencode($v);         # digits alone are a number

use v5.36;
use Exporter qw(import);

our @EXPORT_OK = qw(bdecode bencode);

sub bdecode($s) {
    my $v = _value(\$s);
    die 'bencode: bytes behind the end at ' . pos($s) . "\n"
        if pos($s) != length $s;
    return $v;
}

sub _value($s) {
    if ($$s =~ /\Gi(0|-?[1-9][0-9]*)e/gc) { return $1 }
    return _string($s) if $$s =~ /\G(?=[0-9])/gc;
    return _list($s)   if $$s =~ /\Gl/gc;
    return _dict($s)   if $$s =~ /\Gd/gc;
    die 'bencode: no value at ' . (pos($$s) // 0) . "\n";
}

sub _string($s) {
    $$s =~ /\G(0|[1-9][0-9]*):/gc
        or die 'bencode: no string at ' . (pos($$s) // 0) . "\n";
    my ($len, $at) = ($1, pos $$s);
    die "bencode: a string is cut at $at\n" if $at + $len > length $$s;
    pos($$s) = $at + $len;
    return substr $$s, $at, $len;
}

sub _list($s) {
    my @l;
    push @l, _value($s) while $$s !~ /\Ge/gc;
    return \@l;
}

sub _dict($s) {
    my (%d, $last);
    while ($$s !~ /\Ge/gc) {
        my $key = _string($s);
        die "bencode: key $key is out of order\n"
            if defined $last && $key le $last;
        $d{$key} = _value($s);
        $last = $key;
    }
    return \%d;
}

sub bencode($v) {
    if (ref $v eq 'HASH') {
        return 'd' . join('', map { bencode_string($_) . bencode($v->{$_}) }
            sort keys %$v) . 'e';
    }
    return 'l' . join('', map { bencode($_) } @$v) . 'e' if ref $v eq 'ARRAY';
    return "i${v}e" if $v =~ /\A(?:0|-?[1-9][0-9]*)\z/;
    return bencode_string($v);
}

sub bencode_string($v) { return length($v) . ":$v" }

1;
