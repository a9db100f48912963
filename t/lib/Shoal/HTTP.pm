package Shoal::HTTP;

# HTTP requests whose address, moment and connection the test decides:
#
#   my $r = http(GET => $url, from => '127.0.0.5', headers => {..});
#   $r->{status}, $r->{headers}{name}, $r->{body}, $r->{seconds}, $r->json
#
#   my $q = http_start(GET => $url);       # sent, not yet answered
#   $q->pending; $q->close;                # the client leaves
#   my $r = $q->wait(5);                   # undef when nothing comes
#   my @r = http_wait_all(5, @q);
#
# {seconds} is from the first byte sent to the end of the answer.

use v5.36;
use Exporter qw(import);
use IO::Select;
use IO::Socket::IP;
use JSON::PP;
use Time::HiRes qw(time);
use Shoal::Env qw(deadline);

our @EXPORT_OK = qw(http http_start http_wait_all http_raw url_encode);

sub url_encode($s) {
    return $s =~ s/([^A-Za-z0-9\-._~])/sprintf '%%%02X', ord $1/ger;
}

sub split_url($url) {
    my ($host, $port, $path)
        = $url =~ m{^http://(\[[^]]+\]|[^:/?]+)(?::(\d+))?([/?].*)?$}s
        or die "not an http URL: $url\n";
    return ($host, $port // 80, $path // '/');
}

# method => url, headers => {..} or [..], body, from (own address),
# connect => 'ADDR:PORT' (instead of the URL's), args => {..} (query),
# on => an answered keepalive request whose connection is used again
sub http_start($method, $url, %o) {
    my ($host, $port, $path) = split_url($url);
    my ($to, $to_port) = ($host =~ s/^\[|\]$//gr, $port);
    ($to, $to_port) = $o{connect} =~ /^\[?(.+?)\]?:(\d+)$/ if $o{connect};

    if ($o{args}) {
        my $args = join '&', map { "$_=" . url_encode($o{args}{$_}) }
            sort keys %{ $o{args} };
        $path .= ($path =~ /\?/ ? '&' : '?') . $args;
    }
    my @head = ref $o{headers} eq 'ARRAY' ? @{ $o{headers} }
                                          : %{ $o{headers} // {} };
    my $text = "$method $path HTTP/1.1\r\nHost: $host"
        . ($port == 80 ? '' : ":$port") . "\r\n";
    while (my ($k, $v) = splice @head, 0, 2) { $text .= "$k: $v\r\n" }
    $text .= "Connection: close\r\n" if !$o{keepalive};
    if (defined $o{body}) {
        $text .= 'Content-Length: ' . length($o{body}) . "\r\n";
    }
    $text .= "\r\n" . ($o{body} // '');

    my $sock = $o{on} ? $o{on}{sock} : undef;
    return http_raw($to, $to_port, $text, from => $o{from},
                    method => $method, sock => $sock);
}

# Sends any bytes; the answer is read as to http_start().
sub http_raw($addr, $port, $bytes, %o) {
    my $sock = $o{sock} // IO::Socket::IP->new(
        PeerHost => $addr, PeerPort => $port, Timeout => deadline(5),
        $o{from} ? (LocalHost => $o{from}) : ());
    die "connect to $addr:$port: $@\n" if !$sock;
    my $self = bless { sock => $sock, method => $o{method} // 'GET',
                       buf => '', start => time }, __PACKAGE__;
    $sock->blocking(1);
    my $off = 0;
    while ($off < length $bytes) {
        my $n = syswrite $sock, $bytes, length($bytes) - $off, $off;
        last if !defined $n;    # an early answer and a close: read it
        $off += $n;
    }
    $sock->blocking(0);
    return $self;
}

# True as long as no complete answer has come and the peer is still there.
sub pending($self) {
    $self->_read;
    return !$self->{answer} && !$self->{eof};
}

# My own address, as the server saw it.
sub from($self) {
    return $self->{sock}->sockhost . ':' . $self->{sock}->sockport;
}

sub close($self) {
    close $self->{sock};
    $self->{eof} = 1;
}

sub _read($self) {
    while (!$self->{answer} && !$self->{eof}) {
        my $n = sysread $self->{sock}, $self->{buf}, 262144,
            length $self->{buf};
        if (!defined $n) {
            return if $!{EAGAIN} || $!{EINTR};
            $n = 0;
        }
        $self->{eof} = 1 if $n == 0;
        $self->_parse;
    }
}

sub _parse($self) {
    my $end = index $self->{buf}, "\r\n\r\n";
    return if $end < 0;
    my ($line, @lines) = split /\r\n/, substr $self->{buf}, 0, $end;
    my ($status, $reason) = $line =~ m{^HTTP/1\.[01] (\d+) ?(.*)} or return;
    if ($status == 100) {
        substr($self->{buf}, 0, $end + 4) = '';
        return $self->_parse;
    }
    my %h;
    for (@lines) {
        my ($k, $v) = /^([^:]+):\s*(.*?)\s*$/ or next;
        $k = lc $k;
        $h{$k} = defined $h{$k} ? "$h{$k}, $v" : $v;
    }
    my $body = substr $self->{buf}, $end + 4;
    my $whole = $self->{eof};
    if ($self->{method} eq 'HEAD' || $status == 204 || $status == 304) {
        ($body, $whole) = ('', 1);
    } elsif (($h{'transfer-encoding'} // '') =~ /chunked/i) {
        ($body, my $done) = _unchunk($body);
        $self->{short} = 1 if $self->{eof} && !$done;
        $whole ||= $done;
    } elsif (defined $h{'content-length'}) {
        my $len = $h{'content-length'};
        $whole ||= length $body >= $len;
        $self->{short} = 1 if $self->{eof} && length $body < $len;
    }
    return if !$whole;
    $self->{answer} = bless {
        status => $status, reason => $reason, headers => \%h,
        body => $body, seconds => time - $self->{start},
        short => $self->{short} // 0, sock => $self->{sock},
    }, 'Shoal::HTTP::Answer';
}

sub _unchunk($in) {
    my ($out, $pos) = ('', 0);
    while (substr($in, $pos) =~ /^([0-9a-fA-F]+)[^\r\n]*\r\n/) {
        my ($len, $head) = (hex $1, $+[0]);
        return ($out, 1) if $len == 0;
        last if length($in) < $pos + $head + $len + 2;
        $out .= substr $in, $pos + $head, $len;
        $pos += $head + $len + 2;
    }
    return ($out, 0);
}

# Takes in all that comes until the other side closes, as {buf}.
sub drain($self, $seconds) {
    my $end = time + deadline($seconds);
    while (1) {
        my $n = sysread $self->{sock}, $self->{buf}, 262144,
            length $self->{buf};
        last if defined $n && $n == 0 || !defined $n && !$!{EAGAIN};
        next if $n;
        my $left = $end - time;
        die "not closed in time\n" if $left <= 0;
        IO::Select->new($self->{sock})->can_read($left);
    }
}

# The answer; undef when none came in time or the connection was closed
# without one.
sub wait($self, $seconds) { return (http_wait_all($seconds, $self))[0] }

sub http_wait_all($seconds, @q) {
    my $end = time + deadline($seconds);
    while (1) {
        my @open = grep { $_->pending } @q;
        my $left = $end - time;
        last if !@open || $left <= 0;
        IO::Select->new(map { $_->{sock} } @open)->can_read($left);
    }
    return map { $_->{answer} } @q;
}

# Request and answer at once; dies when none comes.
sub http($method, $url, %o) {
    my $q = http_start($method, $url, %o);
    my $r = $q->wait($o{timeout} // 15);
    die "$method $url: no answer\n" if !$r;
    return $r;
}

package Shoal::HTTP::Answer;

sub json($self) {
    my $v = eval { JSON::PP->new->utf8->decode($self->{body}) };
    die "not JSON: $@\n$self->{body}\n" if !defined $v;
    return $v;
}

1;
