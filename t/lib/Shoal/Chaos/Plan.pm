package Shoal::Chaos::Plan;

# A scenario of `make chaos`, made of a seed alone: what stands where, who
# lies how, what happens meanwhile, and what has to come out. Pure data, so
# that a seed means the same on every machine.
#
#   my $plan = plan($seed);
#   say plan_text($plan);

use v5.36;
use Digest::SHA qw(sha256);
use Exporter qw(import);

our @EXPORT_OK = qw(plan plan_text liars_removed);

# What a node does. bad: options of Shoal::BadNode; content: which bytes it
# holds (Shoal::Chaos::Play). says 1: it claims the right version, -1: it
# claims another, 0: neither. gives: from it alone the right file can be had.
my %node = (
    'good'             => { says => 1, gives => 1 },
    'slow'             => { says => 1, gives => 1, slow => 1 },
    'head forbidden'   => { says => 1, gives => 1, bad => { head => 'forbid' } },
    'head hangs'       => { says => 1, gives => 1, bad => { head => 'hang' } },
    'head lies'        => { says => 0, gives => 1, bad => { head => 1234 } },
    'head of gzip'     => { says => 0, gives => 1, bad => { head => 'gzip' } },
    'answers late'     => { says => 1, gives => 1, bad => { delay => 0.4 } },
    'one 503'          => { says => 1, gives => 1,
        bad => { status => 503, times => 1, retry_after => 1 } },
    'no ranges'        => { says => 1, gives => 0, bad => { ranges => 0 } },
    'wrong range'      => { says => 1, gives => 0, bad => { shift => 1 } },
    'wrong total'      => { says => -1, gives => 0, bad => { total => 7 } },
    'compresses'       => { says => 1, gives => 0,
        bad => { encoding => 'gzip' } },
    'truncates'        => { says => 1, gives => 0,
        bad => { truncate => 150_000 } },
    'stands still'     => { says => 1, gives => 0,
        bad => { stall => 200_000, times => 3 } },
    'only 503'         => { says => 0, gives => 0,
        bad => { status => 503, retry_after => 1 } },
    'closes'           => { says => 0, gives => 0, bad => { drop => 1 } },
    'never answers'    => { says => 0, gives => 0, bad => { hang => 1 } },
    'not there'        => { says => 0, gives => 0, content => 'none' },
    'changes its mind' => { says => -1, gives => 0,
        bad => { change => { after => 2, etag => '"another"' } } },
    'another size'     => { says => -1, gives => 0, content => 'size' },
    'another version'  => { says => -1, gives => 0, content => 'version' },
    'two machines'     => { says => -1, gives => 0, content => 'turns' },
    # Right headers over wrong bytes: only what is known from outside tells.
    'wrong bytes'      => { says => 1, gives => 0, content => 'same',
        silent => 1 },
    'last block wrong' => { says => 1, gives => 0, content => 'last',
        silent => 1 },
);

my @lies = qw(random shifted zeroed short old repeated hashes claims fickle
    range total endless stalls refuses busy);

my @events = ('client killed', 'super peer killed', 'super peer restarted',
    'tracker reloaded', 'tracker killed', 'node killed', 'file replaced',
    'disk full');

my @sizes = (0, 1, 5_000, 65_536, 65_537, 400_000, (1_500_000) x 2,
    (3_000_000) x 3, (5_000_000) x 2);

# A generator of our own: the same numbers everywhere.
sub generator($seed) {
    my ($n, @have) = (0);
    return sub ($below) {
        @have = unpack 'N8', sha256("chaos $seed " . $n++) if !@have;
        return (shift @have) % $below;
    };
}

sub _pick($r, @list) { return $list[ $r->(scalar @list) ] }

sub plan($seed) {
    my $r = generator($seed);
    my %p = (seed => $seed, size => _pick($r, @sizes));
    $p{known} = _pick($r, qw(nothing nothing checksum checksum layer layer
        published digest));
    $p{known} = 'checksum' if $p{size} == 0 && $p{known} =~ /layer|published/;
    $p{nodes} = [ _nodes($r, \%p) ];
    $p{tracker} = _pick($r, ('good') x 6, qw(dead hangs rubbish none));
    my $good = $p{tracker} eq 'good' && $p{size} > 0;
    $p{supers} = $good ? $r->(3) : 0;
    $p{peers}  = $good ? $r->(3) : 0;
    $p{$_} = [ map { _pick($r, @lies) } 1 .. ($good ? $r->(3) : 0) ]
        for qw(false_supers false_peers);
    $p{events} = [ _events($r, \%p) ];
    $p{victim} = $r->(scalar @{ $p{nodes} });
    $p{moment} = 0.05 + $r->(800) / 1000;
    $p{must} = _must(\%p);
    return \%p;
}

# The user's checksum or layer decides alone; a digest in an answer belongs
# to the version that says so.
sub _decides($p) { return $p->{known} =~ /^(?:checksum|layer)$/ }

sub _nodes($r, $p) {
    my @faults = grep { $_ ne 'good' } sort keys %node;
    @faults = grep { !$node{$_}{silent} } @faults if !_decides($p);
    return map {
        my $name = $r->(5) < 2 ? 'good' : _pick($r, @faults);
        { name => $name, %{ $node{$name} } };
    } 1 .. 1 + $r->(4);
}

sub _events($r, $p) {
    my @can = grep {
        /super/ ? $p->{supers} : /tracker/ ? $p->{tracker} eq 'good'
            : /node/ ? @{ $p->{nodes} } > 1 : 1
    } @events;
    my %seen;
    return grep { !$seen{$_}++ } map { _pick($r, @can) } 1 .. $r->(3);
}

# A right source can be reached, and it can be told that it is right: so the
# client has to succeed.
sub _must($p) {
    my @nodes = @{ $p->{nodes} };
    return 0 if grep { $_ eq 'file replaced' } @{ $p->{events} };
    splice @nodes, $p->{victim}, 1
        if grep { $_ eq 'node killed' } @{ $p->{events} };
    return 0 if !grep { $_->{gives} } @nodes;
    return 1 if _decides($p);
    my $sum = 0;
    $sum += $_->{says} for @nodes;
    return $sum > 0 ? 1 : 0;
}

# The same without anybody who lies, for the price of being lied to; undef:
# nobody does.
sub liars_removed($p) {
    my @honest = map { $_->{says} < 0 || $_->{silent}
            || $_->{name} =~ /lies|gzip|wrong/
        ? { name => 'good', %{ $node{good} } } : $_ } @{ $p->{nodes} };
    my $lied = grep { $honest[$_] != $p->{nodes}[$_] } 0 .. $#honest;
    return undef
        if !$lied && !@{ $p->{false_supers} } && !@{ $p->{false_peers} };
    return { %$p, false_supers => [], false_peers => [], nodes => \@honest };
}

sub plan_text($p) {
    my $some = sub (@l) { @l ? join(', ', @l) : 'none' };
    return join "\n", "seed $p->{seed}: $p->{size} bytes, known: $p->{known}, "
        . ($p->{must} ? 'has to succeed' : 'may fail with a reason'),
        '  nodes: ' . $some->(map { $_->{name} } @{ $p->{nodes} }),
        "  tracker: $p->{tracker}; super peers: $p->{supers}, false: "
        . $some->(@{ $p->{false_supers} }),
        "  peers: $p->{peers}, false: " . $some->(@{ $p->{false_peers} }),
        sprintf('  after %.2f s: ', $p->{moment}) . $some->(@{ $p->{events} });
}

# Every fault that it injects, by kind.
sub faults($p) {
    return ((map { "node: $_->{name}" } grep { $_->{name} ne 'good' }
            @{ $p->{nodes} }),
        (map { "super peer: $_" } @{ $p->{false_supers} }),
        (map { "peer: $_" } @{ $p->{false_peers} }),
        ($p->{tracker} =~ /^(?:dead|hangs|rubbish)$/
            ? "tracker: $p->{tracker}" : ()),
        map { "event: $_" } @{ $p->{events} });
}

1;
