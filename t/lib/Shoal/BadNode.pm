package Shoal::BadNode;

# A CDN node that lies: one connection, one request, one child.
#
# head       'forbid' (403), 'hang', a number (says so many bytes more),
#            or 'gzip' (Content-Encoding and another length)
# ranges     0: always 200 with everything
# length     'none' (until close) or 'chunked'; only with ranges 0
# total      number added to the size in Content-Range
# shift      number added to start and end in Content-Range
# truncate   closes after so many bytes of a body
# stall      stands still after so many bytes of a body (times => N: the
#            first N bodies only)
# corrupt    1, or [FROM, TO]: these bytes of the file are wrong
# encoding   a Content-Encoding for GET
# status     e.g. 503 for every request (times => N: the first N only);
#            retry_after => seconds
# redirect   URL with PATH for the path asked
# change     { after => N, etag => .., size => .., mtime => .. }: from GET
#            N + 1 on (counted from 0) it shows another version
# drop       1: closes without an answer; hang 1: never answers
# etag, mtime, headers, rate (bytes/s), delay (seconds before the answer)
# each       sub ($request) -> more of these options, for this request alone;
#            $request->{before} counts those with its method before it
# handler    sub ($request) -> undef or (status, headers, body); the body may
#            be a sub ($write) that writes what it likes, without a length
#            unless the headers have one; it stands still where that
#            returns 'stall'

use v5.36;
use parent -norequire, 'Shoal::Node';
use Fcntl qw(:flock SEEK_SET);
use IO::Select;
use POSIX ();
use Time::HiRes qw(time sleep);
use Shoal::Env qw(tmpdir);
use Shoal::Forking qw(start_forking);
use Shoal::Net qw(wait_port);
use Shoal::Node;
use Shoal::Process;

my $serial = 0;

sub new($class, %o) {
    my $self = bless { head => '', ranges => 1, headers => {}, %o }, $class;
    my $dir = tmpdir('bad/' . ++$serial);
    $self->{root}  //= tmpdir("bad/$serial/root");
    $self->{access} = "$dir/access.log";
    $self->{seen}   = "$dir/seen.log";
    return $self;
}

sub start($self) {
    $self->{process} = start_forking('badnode', $self->{addr}, $self->{port},
        sub ($c) { $self->_serve($c) });
    return $self;
}

sub process($self) { return $self->{process} }
sub kill9($self)   { return $self->{process}->kill9 }

# Children may be hanging on purpose: the whole group goes.
sub stop($self, @) { return $self->{process}->kill9 }

sub set($self, %o) {
    $self->stop;
    $self->{$_} = $o{$_} for keys %o;
    return $self->start;
}

sub _append($file, $line) {
    open my $f, '>>', $file or die "$file: $!\n";
    flock $f, LOCK_EX;
    syswrite $f, $line;
    close $f;
}

# How many requests with this method came before this one.
sub _count($self, $method) {
    open my $f, '+>>', $self->{seen} or die "$self->{seen}: $!\n";
    flock $f, LOCK_EX;
    seek $f, 0, SEEK_SET;
    my $n = grep { /^\Q$method\E / } readline $f;
    syswrite $f, "$method $$\n";
    close $f;
    return $n;
}

sub _read_request($c) {
    my $buf = '';
    while ($buf !~ /\r\n\r\n/) {
        sysread $c, $buf, 8192, length $buf or return;
    }
    my ($head, $body) = split /\r\n\r\n/, $buf, 2;
    my ($line, @lines) = split /\r\n/, $head;
    my ($method, $uri) = $line =~ m{^(\S+) (\S+) HTTP/} or return;
    my %h = map { /^([^:]+):\s*(.*)$/ ? (lc $1 => $2) : () } @lines;
    return { line => $line, method => $method, uri => $uri, h => \%h,
             body => $body };
}

sub _serve($self, $c) {
    my $q = _read_request($c) or return;
    $q->{started} = time;
    $q->{remote}  = $c->peerhost;
    $q->{before}  = $self->_count($q->{method});
    $q->{sent}    = 0;
    # On every way out, a client that leaves in mid-body included.
    local $SIG{PIPE} = 'IGNORE';
    local $SIG{TERM} = sub { $self->_log($q); POSIX::_exit(0) };
    eval { $self->_answer($c, $q); 1 } or print STDERR $@;
    $self->_log($q);
    shutdown $c, 1;
    # What the client still sends is read, or it would see a reset.
    my $end = time + 1;
    $c->blocking(0);
    my $junk;
    while (time < $end) {
        my $n = sysread $c, $junk, 4096;
        last if defined $n && $n == 0 || !defined $n && !$!{EAGAIN};
        IO::Select->new($c)->can_read($end - time);
    }
}

sub _log($self, $q) {
    _append($self->{access}, sprintf "%s \"%s\" %d %d \"%s\" %.3f %.3f\n",
        $q->{remote}, $q->{line}, $q->{status} // 499, $q->{sent},
        $q->{h}{range} // '-', time, time - $q->{started});
}

my %reason = (200 => 'OK', 206 => 'Partial Content', 302 => 'Found',
              403 => 'Forbidden', 404 => 'Not Found',
              416 => 'Range Not Satisfiable', 503 => 'Unavailable');

sub _head($c, $q, $status, %h) {
    $q->{status} = $status;
    my $text = "HTTP/1.1 $status " . ($reason{$status} // 'Status') . "\r\n";
    for my $k (sort keys %h) {
        $text .= "$k: $h{$k}\r\n" if defined $h{$k};
    }
    _write($c, undef, "${text}Connection: close\r\n\r\n");
}

sub _write($c, $q, $bytes) {
    my $off = 0;
    while ($off < length $bytes) {
        my $n = syswrite $c, $bytes, length($bytes) - $off, $off;
        die "client left\n" if !defined $n;
        $off += $n;
        $q->{sent} += $n if $q;
    }
}

# A child that stands still ends with its client, or when it is stopped.
sub _hang($c) {
    my $junk;
    while (1) {
        my $n = sysread $c, $junk, 1024;
        last if !$n && !$!{EINTR};
    }
}

sub _plain($c, $q, $status, %h) {
    _head($c, $q, $status, 'Content-Length' => 0, %h);
}

sub _version($self, $q, $path) {
    my ($size, $mtime) = (stat $path)[7, 9];
    $mtime = $self->{mtime} // $mtime;
    my $etag = $self->{etag};
    my $change = $self->{change};
    if ($change && $q->{method} eq 'GET' && $q->{before} >= $change->{after}) {
        $size  = $change->{size}  // $size;
        $mtime = $change->{mtime} // $mtime;
        $etag  = $change->{etag}  // $etag;
    }
    # As nginx makes it, so that good and bad nodes agree.
    $etag //= sprintf '"%x-%x"', $mtime, $size;
    my $date = POSIX::strftime('%a, %d %b %Y %H:%M:%S GMT', gmtime $mtime);
    return ($size, ETag => $etag eq '' ? undef : $etag,
            'Last-Modified' => $date);
}

sub _answer($self, $c, $q) {
    # A child of its own: nobody else sees these.
    %$self = (%$self, $self->{each}->($q)) if $self->{each};
    sleep $self->{delay} if $self->{delay};
    return if $self->{drop};
    return _hang($c) if $self->{hang};
    if ($self->{handler}) {
        my ($status, $h, $body) = $self->{handler}->($q);
        if (ref $body) {
            _head($c, $q, $status, %$h);
            my $then = $body->(sub ($bytes) { _write($c, $q, $bytes) });
            _hang($c) if ($then // '') eq 'stall';
            return;
        }
        if (defined $status) {
            _head($c, $q, $status, 'Content-Length' => length $body, %$h);
            my $stop = $self->{stall};
            if (defined $stop && $stop < length $body) {
                _write($c, $q, substr $body, 0, $stop);
                return _hang($c);
            }
            _write($c, $q, $body) if $q->{method} ne 'HEAD';
            return;
        }
    }
    if ($self->{status}
        && (!$self->{times} || $q->{before} < $self->{times}))
    {
        return _plain($c, $q, $self->{status},
                      'Retry-After' => $self->{retry_after});
    }
    if ($self->{redirect}) {
        my $to = $self->{redirect} =~ s/PATH/$q->{uri}/r;
        return _plain($c, $q, 302, Location => $to);
    }
    my $path = $self->{root} . $q->{uri} =~ s/\?.*//r;
    return _plain($c, $q, 404) if !-f $path;
    my ($size, %h) = $self->_version($q, $path);
    %h = (%h, %{ $self->{headers} });
    $h{'Accept-Ranges'} = 'bytes' if $self->{ranges};

    return $self->_answer_head($c, $q, $size, %h) if $q->{method} eq 'HEAD';
    return _plain($c, $q, 405) if $q->{method} ne 'GET';
    $self->_answer_get($c, $q, $path, $size, %h);
}

sub _answer_head($self, $c, $q, $size, %h) {
    my $how = $self->{head};
    return _plain($c, $q, 403) if $how eq 'forbid';
    return _hang($c) if $how eq 'hang';
    if ($how eq 'gzip') {
        $h{'Content-Encoding'} = 'gzip';
        $size = int $size / 3;
    } elsif ($how) {
        $size += $how;
    }
    my $length = $self->{length} ? undef : $size;
    _head($c, $q, 200, %h, 'Content-Length' => $length);
}

sub _answer_get($self, $c, $q, $path, $size, %h) {
    my ($from, $to, $status) = (0, $size - 1, 200);
    my $range = $q->{h}{range} // '';
    if ($self->{ranges} && $range =~ /^bytes=(\d*)-(\d*)$/ && "$1$2" ne '') {
        ($from, $to) = $1 eq '' ? ($size - $2, $size - 1)
                     : ($1, $2 eq '' || $2 >= $size ? $size - 1 : $2);
        $status = 206;
        if ($from >= $size) {
            return _plain($c, $q, 416, 'Content-Range' => "bytes */$size");
        }
        my $shift = $self->{shift} // 0;
        $h{'Content-Range'} = sprintf 'bytes %d-%d/%d', $from + $shift,
            $to + $shift, $size + ($self->{total} // 0);
    }
    $h{'Content-Encoding'} = $self->{encoding};
    my $how = $self->{length} // '';
    $h{'Content-Length'} = $to - $from + 1 if !$how;
    $h{'Transfer-Encoding'} = 'chunked' if $how eq 'chunked';
    _head($c, $q, $status, %h);
    $self->_body($c, $q, $path, $from, $to, $how eq 'chunked');
}

# Inverts what of $$data, which stands at $from in the file, is in the range.
sub _spoil($data, $from, $bad_from, $bad_to) {
    my $first = $bad_from > $from ? $bad_from - $from : 0;
    my $last  = $bad_to - $from;
    $last = length($$data) - 1 if $last > length($$data) - 1;
    return if $first > $last;
    my $n = $last - $first + 1;
    substr($$data, $first, $n) ^.= "\xff" x $n;
}

sub _body($self, $c, $q, $path, $from, $to, $chunked) {
    open my $f, '<:raw', $path or die "$path: $!\n";
    seek $f, $from, SEEK_SET;
    my $bad = ref $self->{corrupt} ? $self->{corrupt}
        : $self->{corrupt} ? [ 0, 1 << 62 ] : undef;
    delete $self->{stall} if defined $self->{stall} && $self->{times}
        && $q->{before} >= $self->{times};
    my $stop = $self->{truncate} // $self->{stall} // 1 << 62;
    my $start = time;
    while ($from <= $to && $q->{sent} < $stop) {
        my $want = $to - $from + 1;
        # Evenly: a slow one drips, and does not stand still.
        my $most = $self->{rate} ? int $self->{rate} / 8 : 65536;
        $most = $most < 256 ? 256 : $most > 65536 ? 65536 : $most;
        $want = $most if $want > $most;
        $want = $stop - $q->{sent} if $want > $stop - $q->{sent};
        my $n = read $f, (my $data), $want;
        # Beyond the file's end: a size that is a lie needs some bytes.
        ($n, $data) = ($want, 'x' x $want) if !$n;
        _spoil(\$data, $from, @$bad) if $bad;
        $data = sprintf("%x\r\n", $n) . "$data\r\n" if $chunked;
        _write($c, $q, $data);
        $from += $n;
        if ($self->{rate}) {
            my $ahead = $q->{sent} / $self->{rate} - (time - $start);
            sleep $ahead if $ahead > 0;
        }
    }
    return _hang($c) if defined $self->{stall} && $q->{sent} >= $stop;
    _write($c, $q, "0\r\n\r\n") if $chunked && $from > $to;
}

1;
