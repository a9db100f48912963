package Shoal::Liar;

# A super peer or peer that lies, about one file whose truth it knows.
#
#   my $liar = liar(how => 'zeroed', addr => '127.0.0.71', id => $id,
#       true => $path, layer => "$path.shoal", false => $other_path,
#       false_layer => "$other_path.shoal");
#   $liar->register($tracker);                # as a super peer
#   $liar->join($tracker, url => .., ...);    # as a peer
#
# how:  random    bytes of nothing        shifted   the block beside
#       zeroed    only zeros              short     ends in mid-body
#       old       another version         repeated  one block for all
#       hashes    another version with its own hashes and root: consistent
#       claims    says it has all, has nothing
#       fickle    another bitmap at each question, half of it untrue
#       range     another Content-Range   total     another size in it
#       endless   a body without an end   stalls    stands still in mid-body
#       refuses   403                     busy      503 and Retry-After

use v5.36;
use parent -norequire, 'Shoal::FakeSuper';
use Exporter qw(import);
use Shoal::Env qw(slurp);
use Shoal::FakeSuper qw(layer_of);

our @EXPORT_OK = qw(liar);

my $block = 65536;
my $serial = 0;

sub liar(%o) {
    my $n = ++$serial;
    my $self = bless Shoal::FakeSuper::fake_super(name => "liar$n",
        session => sprintf('%016x', 0xbad0000 + $n), %o), __PACKAGE__;
    my $false = $o{how} eq 'hashes';
    my ($root, $layer) = layer_of($false ? $o{false_layer} : $o{layer});
    @$self{qw(root hashes)} = ($root, $layer);
    $self->{bytes} = slurp($o{how} =~ /^(?:hashes|old)$/ ? $o{false}
                                                         : $o{true});
    return $self->start;
}

sub register($self, $tracker) {
    $self->{tracker} = $tracker;
    $self->announce($self->{id}, $self->{root});
    return $self;
}

sub join($self, $tracker, %args) {
    $tracker->ask(%args, port => $self->{port}, left => 0,
        from => $self->{addr}, numwant => 0);
    return $self;
}

sub _range($self, $q, $total) {
    my ($from, $to) = ($q->{h}{range} // '') =~ /^bytes=(\d+)-(\d*)$/
        or return (0, $total - 1);
    $to = $total - 1 if $to eq '' || $to >= $total;
    return ($from, $to);
}

sub _have($self, $q) {
    my $blocks = length($self->{hashes}) / 32;
    my $bits = '1' x $blocks;
    $bits = CORE::join '', map { int rand 2 } 1 .. $blocks
        if $self->{how} eq 'fickle';
    return (200, { 'Shoal-Epoch' => '00000000000000aa',
        'Shoal-Cursor' => $blocks, 'Shoal-Size' => length $self->{bytes} },
        pack 'B*', $bits);
}

# The wrong bytes in the place of the right ones.
sub _spoil($self, $from, $right) {
    my $n = length $right;
    my $how = $self->{how};
    return CORE::join '', map { chr int rand 256 } 1 .. $n if $how eq 'random';
    return "\0" x $n if $how eq 'zeroed';
    my $other = $how eq 'shifted' ? substr $self->{bytes}, $from + $block, $n
        : $how eq 'repeated' ? substr($self->{bytes}, 0, $block)
            x (1 + $n / $block) : return $right;
    return substr $other . "\1" x $n, 0, $n;
}

sub _endless($write) {
    for (1 .. 40_000) { $write->('x' x 65536) }
}

sub answer($self, $q) {
    my ($id, $what) = $q->{uri} =~ m{^/blocks/([0-9a-f]{40})(/\w+)?(?:\?|$)}
        or return (404, {}, '');
    my $how = $self->{how};
    return (404, {}, '') if $id ne $self->{id};
    return (403, {}, '') if $how eq 'refuses';
    return (503, { 'Retry-After' => 1 }, '') if $how eq 'busy';
    return $self->_have($q) if ($what // '') eq '/have';
    my $data = $what ? $self->{hashes} : $self->{bytes};
    my $total = length $data;
    my ($from, $to) = $self->_range($q, $total);
    return (416, {}, '') if $from >= $total;
    my $part = substr $data, $from, $to - $from + 1;
    my $range = sub ($f, $t, $n) {
        return $q->{h}{range} ? ('Content-Range' => "bytes $f-$t/$n") : ();
    };
    my $status = $q->{h}{range} ? 206 : 200;
    my %honest = $range->($from, $to, $total);
    return ($status, \%honest, $part) if $what;
    return (404, {}, '') if $how eq 'claims';
    return (404, {}, '') if $how eq 'fickle' && $from / $block % 2;
    return ($status, { $range->($from + $block, $to + $block, $total) }, $part)
        if $how eq 'range';
    return ($status, { $range->($from, $to, $total + 1) }, $part)
        if $how eq 'total';
    return ($status, \%honest, \&_endless) if $how eq 'endless';
    if ($how eq 'short' || $how eq 'stalls') {
        return ($status, { %honest, 'Content-Length' => length $part },
            sub ($write) {
                $write->(substr $part, 0, length($part) / 2);
                return $how eq 'stalls' ? 'stall' : '';
            });
    }
    return ($status, \%honest, $self->_spoil($from, $part));
}

1;
