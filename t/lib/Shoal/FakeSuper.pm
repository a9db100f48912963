package Shoal::FakeSuper;

# A super peer that is none: registers with the tracker, announces what it
# is told to, and serves whatever file it is given.
#
#   my $f = fake_super(tracker => $t, addr => '127.0.0.25');
#   $f->serve($id, $content_path, $layer_path);
#   $f->announce($id, $root);
#   $f->requests                              # as of a CDN node

use v5.36;
use Exporter qw(import);
use Shoal::BadNode;
use Shoal::Env qw(slurp);
use Shoal::Net qw(free_port wait_port);

our @EXPORT_OK = qw(fake_super layer_of);

# Root and piece layer of a NAME.shoal file.
sub layer_of($path) {
    my ($head, $layer) = split /\n\n/, slurp($path), 2;
    my ($root) = $head =~ /^root (\S+)$/m;
    return ($root, $layer);
}

sub fake_super(%o) {
    my $addr = $o{addr} // '127.0.0.25';
    my $self = bless { name => 'fake', session => 'feedfacefeedface',
        seq => 0, files => {}, delay => 0, %o, addr => $addr,
        port => free_port($addr) }, __PACKAGE__;
    return $self;
}

# Before start(); more options of Shoal::BadNode in %o.
sub serve($self, $id, $content, $layer) {
    $self->{files}{$id} = [ $content, (layer_of($layer))[1] ];
}

sub start($self, %o) {
    $self->{node} = Shoal::BadNode->new(addr => $self->{addr},
        port => $self->{port}, handler => sub ($q) { $self->answer($q) }, %o);
    $self->{node}->start;
    wait_port($self->{addr}, $self->{port}, $self->{node}->process);
    return $self;
}

sub stop($self)           { return $self->{node}->stop }
sub process($self)        { return $self->{node}->process }
sub requests($self, %o)   { return $self->{node}->requests(%o) }
sub bytes($self)          { return $self->{node}->bytes }

# To a request, as a good super peer: (status, headers, body).
sub answer($self, $q) {
    my ($id, $what) = $q->{uri} =~ m{^/blocks/([0-9a-f]{40})(/\w+)?(?:\?.*)?$}
        or return (404, {}, '');
    my $file = $self->{files}{$id} or return (404, {}, '');
    my ($path, $layer) = @$file;
    my $size = -s $path;
    if (($what // '') eq '/have') {
        my $blocks = length($layer) / 32;
        my $bits = pack 'B*', '1' x $blocks;
        return (200, { 'Shoal-Epoch' => '00000000000000aa',
            'Shoal-Cursor' => $blocks, 'Shoal-Size' => $size }, $bits);
    }
    my $data = $what ? $layer : slurp($path);
    my $total = length $data;
    my ($from, $to) = ($q->{h}{range} // '') =~ /^bytes=(\d+)-(\d*)$/
        or return (200, {}, $data);
    $to = $total - 1 if $to eq '' || $to >= $total;
    return (416, {}, '') if $from >= $total;
    return (206, { 'Content-Range' => "bytes $from-$to/$total" },
        substr $data, $from, $to - $from + 1);
}

sub _args($self, %more) {
    return { name => $self->{name}, session => $self->{session},
        seq => ++$self->{seq}, port => $self->{port},
        epoch => $self->{epoch} // '', %more };
}

# Opens its long poll, and says that it holds $id.
sub announce($self, $id, $root, $how = 'cdn') {
    my $t = $self->{tracker};
    my $r = $t->control($self->_args(wait_ms => 0), from => $self->{addr});
    die "control: $r->{status} $r->{body}\n" if $r->{status} != 200;
    $self->{epoch} = $r->json->{epoch};
    $self->{poll} = $t->control_start($self->_args(wait_ms => 25000),
        from => $self->{addr});
    $r = $t->control($self->_args(wait_ms => 0), from => $self->{addr},
        body => "+$id $root $how\n");
    die "control: $r->{status} $r->{body}\n" if $r->{status} != 200;
}

1;
