package Shoal::FakeTracker;

# A tracker for super peers alone, that does what it is told and remembers
# what it heard.
#
#   my $t = fake_tracker();
#   my $sp = superpeer(trackers => [ $t->conf ], cdn => $cdn);
#   my $id = $t->prepare($cdn->url('a.bin'), $size, 'etag:"x"');
#   $t->wait_line(qr/^\+$id /);               # the line
#   $t->lines, $t->calls                      # of the calls with news
#   $t->told_at($id)                          # when it was told to prepare
#   $t->new_epoch;                            # it has lost its memory
#   $t->forget_commands;                      # that too, and its commands
#   $t->misbehave($how);                      # 'down', 'rubbish', 'late',
#                         # 'endless', 'deep', 'hang' (no answer), 'mute' (polls get none),
#                         # 'refuse' (400 to what has lines), ''
#
# addr, port; same => $t: another address of that tracker.
#
# State is in files: each connection is a child of its own.

use v5.36;
use Exporter qw(import);
use Fcntl qw(:flock);
use IO::Select;
use JSON::PP;
use Time::HiRes qw(time);
use Shoal::Env qw(tmpdir slurp spew);
use Shoal::Forking qw(start_forking);
use Shoal::Net qw(free_port wait_port);
use Shoal::Process qw(wait_for);
use Shoal::Stage qw(resource_id);

our @EXPORT_OK = qw(fake_tracker);

my $serial = 0;

sub fake_tracker(%o) {
    my $addr = $o{addr} // '127.0.0.3';
    my $self = bless { token => 'sesame', port => $o{port} // free_port($addr),
        dir => $o{same} ? $o{same}{dir} : tmpdir('tracker/' . ++$serial), %o,
        addr => $addr }, __PACKAGE__;
    return $self->start if $o{same};
    spew("$self->{dir}/commands", '');
    spew("$self->{dir}/calls", '');
    spew("$self->{dir}/how", '');
    $self->new_epoch;
    return $self->start;
}

sub start($self) {
    $self->{process} = start_forking('faketracker', $self->{addr}, $self->{port},
        sub ($c) { 1 while $self->_serve($c) });
    return $self;
}

# Its connections break with it.
sub stop($self) { return $self->{process}->kill9 }

sub conf($self) {
    return { url => "http://$self->{addr}:$self->{port}/control",
             token => $self->{token} };
}

sub new_epoch($self) {
    spew("$self->{dir}/epoch", sprintf '%08x%08x', rand 2**32, rand 2**32);
    return $self;
}

# Commands so far are not told any more, to a super peer that starts anew.
sub forget_commands($self) {
    spew("$self->{dir}/commands", '');
    return $self->new_epoch;
}

sub misbehave($self, $how) { spew("$self->{dir}/how", $how) }

# The id is the tracker's business: given, or made as the protocol says.
sub prepare($self, $url, $size, $version = '', %more) {
    my $id = $more{id} // resource_id($url, $size, $version);
    $self->_append('commands', { id => $id, url => $url, size => $size,
        version => $version, provider => '', super => [], %more });
    return $id;
}

# Calls with news: { args => {..}, lines => [..] }.
sub calls($self) {
    return map { decode_json($_) } split /\n/, slurp("$self->{dir}/calls");
}

# When a super peer was told to prepare it: before the answer's first byte.
sub told_at($self, $id) {
    my ($told) = grep { $_->{id} eq $id }
        map { decode_json($_) } split /\n/, slurp("$self->{dir}/told");
    return ($told // die "nobody was told of $id\n")->{time};
}

sub polls($self)    { return grep { $_->{args}{wait_ms} } $self->calls }
sub lines($self)    { return map { @{ $_->{lines} } } $self->calls }
sub clear($self)    { spew("$self->{dir}/calls", ''); return $self }

sub wait_line($self, $re, $seconds = 10) {
    return wait_for { (grep { $_ =~ $re } $self->lines)[0] } $seconds,
        "a line like $re";
}

sub _append($self, $file, $what) {
    open my $f, '>>', "$self->{dir}/$file" or die "$file: $!\n";
    flock $f, LOCK_EX;
    syswrite $f, JSON::PP->new->canonical->encode($what) . "\n";
    close $f;
}

sub _read_request($c) {
    my $buf = '';
    while ($buf !~ /\r\n\r\n/) {
        sysread $c, $buf, 65536, length $buf or return;
    }
    my ($head, $body) = split /\r\n\r\n/, $buf, 2;
    my ($len) = $head =~ /^Content-Length:\s*(\d+)/mi;
    while (length $body < ($len // 0)) {
        sysread $c, $body, 65536, length $body or return;
    }
    my ($uri) = $head =~ m{^POST (\S+) HTTP/1} or return;
    my %args = map { /^([^=]*)=(.*)$/ ? ($1, $2) : () }
        split /[?&]/, $uri =~ s/^[^?]*\?//r;
    my ($token) = $head =~ /^Authorization:\s*Bearer\s+(.*?)\r?$/mi;
    return { args => \%args, body => $body, token => $token // '' };
}

sub _answer($c, $status, $text) {
    syswrite $c, "HTTP/1.1 $status X\r\nContent-Length: " . length($text)
        . "\r\n\r\n$text";
    return 1;
}

sub _endless($c) {
    local $SIG{PIPE} = 'IGNORE';
    syswrite $c, "HTTP/1.1 200 X\r\n\r\n{\"epoch\":\"";
    1 while syswrite $c, 'x' x 65536;
    return 0;
}

# One request; false when the connection is over.
sub _serve($self, $c) {
    my $q = _read_request($c) or return 0;
    my $how = slurp("$self->{dir}/how");
    return 0 if $how eq 'down';
    return _answer($c, 200, '{"epoch":7,"curs') if $how eq 'rubbish';
    return _answer($c, 200, '[' x 100_000) if $how eq 'deep';
    return _endless($c) if $how eq 'endless';
    if ($how eq 'hang') {
        IO::Select->new($c)->can_read(60);
        return 0;
    }
    return _answer($c, 403, "no\n") if $q->{token} ne $self->{token};
    return _answer($c, 400, "line 1: no\n") if $how eq 'refuse' && $q->{body} ne '';
    $self->_append('calls', { args => $q->{args}, time => time, addr => $self->{addr},
        lines => [ split /\n/, $q->{body} ] });
    IO::Select->new($c)->can_read(1)
        if $how eq 'late' && !$q->{args}{wait_ms}; # or its client leaves
    return $self->_commands($c, $q->{args});
}

sub _commands($self, $c, $args) {
    my $end = time + ($args->{wait_ms} // 0) / 1000;
    while (1) {
        my $epoch = slurp("$self->{dir}/epoch");
        my @all = split /\n/, slurp("$self->{dir}/commands");
        my $known = ($args->{epoch} // '') eq $epoch;
        my $cursor = $known ? 0 + ($args->{cursor} // 0) : 0;
        my %r = (epoch => $epoch, cursor => $cursor);
        my $mute = $args->{wait_ms}
            && slurp("$self->{dir}/how") eq 'mute';
        if ($args->{wait_ms}) {
            my @new = map { decode_json($_) } @all[ $cursor .. $#all ];
            %r = (%r, prepare => \@new, cursor => scalar @all);
        }
        if (!$mute && (!$args->{wait_ms} || @{ $r{prepare} } || time >= $end)) {
            $self->_append('told', { id => $_->{id}, time => time })
                for @{ $r{prepare} // [] };
            return _answer($c, 200, encode_json(\%r));
        }
        # The super peer may have left.
        return 0 if IO::Select->new($c)->can_read(0.01);
    }
}

1;
