package Shoal::H2;

# HTTP/2 frame by frame, in clear text: what curl would not send.
#
#   my $c = h2($addr, $port);
#   my $s = $c->request(POST => '/control?..', body => 'first');  # a stream
#   $c->data($s, 'more');  $c->data($s, 'last', 1);  $c->reset($s);
#   my $r = $c->wait($s, 5);           # { status, body, reset }, or undef
#
# request: headers => [..], body (not the end of it), end (1: no more body).

use v5.36;
use Exporter qw(import);
use IO::Select;
use IO::Socket::IP;
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(time);
use Shoal::Env qw(deadline);

our @EXPORT_OK = qw(h2);

# Frames and flags of RFC 9113.
my %type = (DATA => 0, HEADERS => 1, RST_STREAM => 3, SETTINGS => 4,
            PING => 6, GOAWAY => 7);
my ($ACK, $END_STREAM, $END_HEADERS) = (1, 1, 4);

# Of the static table of RFC 7541 what answers are indexed by.
my %status = (8 => 200, 9 => 204, 10 => 206, 11 => 304, 12 => 400, 13 => 404,
              14 => 500);

sub h2($addr, $port, %o) {
    my $sock = IO::Socket::IP->new(PeerHost => $addr, PeerPort => $port,
        Timeout => deadline(5), $o{from} ? (LocalHost => $o{from}) : ())
        or die "connect to $addr:$port: $@\n";
    setsockopt $sock, IPPROTO_TCP, TCP_NODELAY, 1;
    my $self = bless { sock => $sock, buf => '', next => 1, host => $addr,
                       stream => {} }, __PACKAGE__;
    $self->_write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    $self->frame('SETTINGS', 0, 0, '');
    return $self;
}

sub _write($self, $bytes) {
    my $off = 0;
    while ($off < length $bytes) {
        my $n = syswrite $self->{sock}, $bytes, length($bytes) - $off, $off;
        last if !defined $n;    # the server has gone: _read finds it
        $off += $n;
    }
}

sub frame($self, $type, $flags, $stream, $payload) {
    my $len = length $payload;
    $self->_write(pack 'CnCCNa*', $len >> 16, $len & 0xffff, $type{$type},
                  $flags, $stream, $payload);
}

# A literal, neither indexed nor Huffman coded.
sub _string($s) {
    my $len = length $s;
    return pack('C', $len) . $s if $len < 127;
    my ($out, $rest) = (pack('C', 127), $len - 127);
    while ($rest >= 128) {
        $out .= pack 'C', $rest % 128 + 128;
        $rest >>= 7;
    }
    return $out . pack('C', $rest) . $s;
}

sub request($self, $method, $path, %o) {
    my @h = (':method', $method, ':scheme', 'http', ':path', $path,
             ':authority', $self->{host}, @{ $o{headers} // [] });
    my $block = '';
    while (my ($name, $value) = splice @h, 0, 2) {
        $block .= "\0" . _string($name) . _string($value);
    }
    my $id = $self->{next};
    $self->{next} += 2;
    $self->{stream}{$id} = { body => '' };
    $self->frame('HEADERS', $END_HEADERS | ($o{end} ? $END_STREAM : 0), $id,
                 $block);
    $self->data($id, $o{body}) if defined $o{body};
    return $id;
}

sub data($self, $id, $bytes, $end = 0) {
    $self->frame('DATA', $end ? $END_STREAM : 0, $id, $bytes);
}

sub reset($self, $id) {
    $self->frame('RST_STREAM', 0, $id, pack 'N', 8);
    $self->{stream}{$id}{done} = 1;
}

sub close($self) {
    close $self->{sock};
    $self->{eof} = 1;
}

sub _take($self, $type, $flags, $id, $payload) {
    my $s = $self->{stream}{$id};
    if ($type == $type{SETTINGS}) {
        $self->frame('SETTINGS', $ACK, 0, '') if !($flags & $ACK);
    } elsif ($type == $type{PING}) {
        $self->frame('PING', $ACK, 0, $payload) if !($flags & $ACK);
    } elsif ($type == $type{GOAWAY}) {
        $self->{goaway} = 1;
    } elsif ($type == $type{HEADERS}) {
        $payload =~ s/^[\x20-\x3f]//;    # a new size of the table
        my $c = ord $payload;
        $s->{status} = $c & 128 ? $status{ $c & 127 }
                                : substr $payload, 2, 3;
    } elsif ($type == $type{DATA}) {
        $s->{body} .= $payload;
    } elsif ($type == $type{RST_STREAM}) {
        $s->{reset} = unpack 'N', $payload;
        $s->{done} = 1;
    }
    $s->{done} = 1 if $type <= 1 && $flags & $END_STREAM;
}

sub _read($self, $seconds) {
    return if $self->{eof}
        || !IO::Select->new($self->{sock})->can_read($seconds);
    my $n = sysread $self->{sock}, $self->{buf}, 65536, length $self->{buf};
    $self->{eof} = 1 if !$n;
    while (length $self->{buf} >= 9) {
        my ($high, $low, $type, $flags, $id) = unpack 'CnCCN', $self->{buf};
        my $len = $high << 16 | $low;
        last if length $self->{buf} < 9 + $len;
        $self->_take($type, $flags, $id & 0x7fffffff,
                     substr $self->{buf}, 9, $len);
        substr($self->{buf}, 0, 9 + $len) = '';
    }
}

# True as long as the stream is not answered.
sub pending($self, $id) {
    $self->_read(0);
    return !$self->{stream}{$id}{done} && !$self->{eof};
}

# Whether the server takes no more streams.
sub goes_away($self, $seconds) {
    my $end = time + deadline($seconds);
    $self->_read($end - time)
        while !$self->{goaway} && !$self->{eof} && time < $end;
    return $self->{goaway};
}

sub wait($self, $id, $seconds) {
    my $end = time + deadline($seconds);
    while (!$self->{stream}{$id}{done}) {
        my $left = $end - time;
        return undef if $left <= 0 || $self->{eof};
        $self->_read($left);
    }
    return $self->{stream}{$id};
}

1;
