package Shoal::Mixed;

# CDN nodes of one host that do not hold the same file: who of them holds
# what, and what a download from them has to end with.
#
#   my $m = mixed(size => 3_000_000);
#   for my $case ($m->cases) {
#       my $cdn = $m->cdn($case);              # file f.bin
#       ...
#       $case->{want}                          # a content, or 'error'
#   }
#
# Contents: right; other (the same size); last (differs in the last block);
# short (another size). name; nodes; want: a content, 'error', or 'one' (any
# of them, and no mixture).

use v5.36;
use Exporter qw(import);
use Shoal::Cdn;
use Shoal::Data qw(make_file);
use Shoal::Env qw(slurp spew tmpdir);

our @EXPORT_OK = qw(mixed);

my $mtime = 1_700_000_000;

sub mixed(%o) {
    my $self = bless { size => 3_000_000, rate => '2m', %o }, __PACKAGE__;
    my $dir = $self->{dir} = tmpdir('mixed');
    my $size = $self->{size};
    make_file("$dir/right", $size, 'right', $mtime);
    make_file("$dir/other", $size, 'other', $mtime);
    make_file("$dir/short", $size - 4321, 'short', $mtime);
    my $last = slurp("$dir/right");
    substr($last, -1000, 1) ^.= "\1";
    spew("$dir/last", $last);
    utime $mtime, $mtime, "$dir/last";
    return $self;
}

sub size($self) { return $self->{size} }
sub path($self, $content) { return "$self->{dir}/$content" }

sub version($self) { return sprintf 'etag:"%x-%x"', $mtime, $self->{size} }

# The content that a file is of; 'none', and that is a mixture or worse.
sub which($self, $bytes) {
    for my $content (qw(right other last short)) {
        return $content if $bytes eq slurp($self->path($content));
    }
    return 'none';
}

# Nodes: a content, or [ content, options of Shoal::BadNode; two: what every
# second request of a kind gets, as from another machine ].

# No ETag; no Last-Modified either.
my @bare = (etag => '', headers => { 'Last-Modified' => undef });

sub _stale($etag) { return (etag => $etag, mtime => $mtime - 86_400) }

my @cases = (
    (map { my @n = ('right') x 3;
        $n[$_] = 'other';
        { name => "other bytes under the same validators at node $_",
          nodes => \@n, want => 'right' } } 0 .. 2),
    { name => 'another last block under the same validators',
      nodes => [qw(last right right)], want => 'right' },
    { name => 'other bytes, and no node shows validators',
      nodes => [ [ 'other', @bare ], [ 'right', @bare ],
          [ 'right', @bare ] ], version => '', want => 'right' },
    { name => 'other bytes under another ETag and date',
      nodes => [ [ 'other', _stale('"old"') ], qw(right right) ],
      want => 'right' },
    { name => 'another size', nodes => [qw(short right right)],
      want => 'right' },
    { name => 'one address, two machines, two versions',
      nodes => [ [ 'right', two => [ 'other', _stale('"old"') ] ],
          'right', 'right' ], want => 'right' },
    { name => 'one address, two machines, no validators',
      nodes => [ [ 'right', @bare, two => [ 'other', @bare ] ] ],
      version => '', want => 'one' },
    { name => 'changes its mind between two requests',
      nodes => [ [ 'right', two => [ 'other', etag => '"new"' ] ],
          'right', 'right' ], want => 'right' },
    { name => 'truncates', nodes => [ [ 'right', truncate => 400_000 ],
          'right' ], want => 'right' },
    { name => 'answers 200 to a range', nodes => [ [ 'other', ranges => 0,
          _stale('"old"') ], 'right', 'right' ], want => 'right' },
    { name => 'answers another range', nodes => [ [ 'right', shift => 7 ],
          'right' ], want => 'right' },
    { name => 'compresses', nodes => [ [ 'other', encoding => 'gzip' ],
          'right' ], want => 'right' },
    (map { { name => "HEAD: $_",
        nodes => [ [ 'right', head => $_ ], [ 'right', head => $_ ] ],
        want => 'right' } } 1234, 'hang', 'forbid'),
    { name => 'one against one, the same validators',
      nodes => [qw(right other)], want => 'error' },
    { name => 'one against one, other ETags and no dates',
      nodes => [ map { [ $_, @bare, etag => "\"$_\"" ] } qw(right other) ],
      want => 'error', client => 1 },
    { name => 'one against one, other sizes and nothing else',
      nodes => [ map { [ $_, @bare ] } qw(right short) ], want => 'error',
      client => 1 },
);

sub cases($self) { return @cases }

# What Shoal::Cdn is to make of a node.
sub _options($self, $node) {
    my ($content, %o) = ref $node ? @$node : $node;
    my $two = delete $o{two};
    if ($two) {
        my ($other, %of) = @$two;
        my $root = tmpdir('mixed/roots/' . ++$self->{roots});
        link $self->path($other), "$root/f.bin" or die "link: $!\n";
        $o{each} = sub ($q) {
            return $q->{before} % 2 ? (root => $root, %of) : () };
    }
    my $rate = $self->{rate} =~ s/m$/000000/r;
    return %o || $two ? { bad => { rate => $rate, %o } }
                      : { limit_rate => $self->{rate} };
}

sub cdn($self, $case) {
    my @nodes = @{ $case->{nodes} };
    my $cdn = Shoal::Cdn::cdn(host => 'm' . ++$self->{hosts} . '.example.com',
        nodes => [ map { $self->_options($_) } @nodes ]);
    for my $i (0 .. $#nodes) {
        my $content = ref $nodes[$i] ? $nodes[$i][0] : $nodes[$i];
        $cdn->node($i)->link_file($self->path($content), 'f.bin');
    }
    return $cdn;
}

1;
