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

our @EXPORT_OK = qw(plan plan_text liars_removed faults kinds);

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

# What happens meanwhile, and what has to be there for it.
my %event = (
    'client killed'          => sub ($p) { 1 },
    'client stopped'         => sub ($p) { 1 },
    'disk full'              => sub ($p) { 1 },
    'file replaced'          => sub ($p) { 1 },
    'node killed'            => sub ($p) { @{ $p->{nodes} } > 1 },
    'node restarted'         => sub ($p) { 1 },
    'node reloaded'          => sub ($p) { 1 },
    'peer killed'            => sub ($p) { $p->{peers} },
    'tracker reloaded'       => sub ($p) { $p->{tracker} eq 'good' },
    'tracker restarted'      => sub ($p) { $p->{tracker} eq 'good' },
    'tracker killed'         => sub ($p) { $p->{tracker} eq 'good' },
    'super peer killed'      => sub ($p) { $p->{supers} },
    'super peer crashed'     => sub ($p) { $p->{supers} },
    'super peer restarted'   => sub ($p) { $p->{supers} },
    'super peer reloaded'    => sub ($p) { $p->{supers} },
    'super peer\'s disk full' => sub ($p) { $p->{supers} },
    'ticket keys changed'    => sub ($p) { $p->{tickets} eq 'good' },
);

# Who may have the file. private: the CDN says so; user: the client shows a
# name and password; token: the URL has one, which the tracker was told to
# let in, or (refused) was not.
my @secrets = (('none') x 7, qw(private user token refused));

# Tickets of super peers; short: for a second or two; foreign: of a key that
# super peers do not have.
my @tickets = (('none') x 4, qw(good good short foreign));

my @sizes = (0, 1, 5_000, 65_536, 65_537, (400_000) x 2, (1_500_000) x 4,
    (3_000_000) x 7);

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
    $p{tracker} = _pick($r, ('good') x 12, qw(dead hangs rubbish none));
    my $good = $p{tracker} eq 'good' && $p{size} > 0;
    $p{supers}  = $good ? _pick($r, 0, 1, 1, 2, 2, 3) : 0;
    $p{peers}   = $good ? _pick($r, 0, 0, 1, 1, 2, 3) : 0;
    $p{warm}    = $p{supers} && $r->(2) ? 1 : 0;
    $p{tickets} = $p{supers} ? _pick($r, @tickets) : 'none';
    $p{secret}  = _pick($r, @secrets);
    $p{tls}     = { map { $r->(4) == 0 ? ($_ => 1) : () } 'CDN',
        $good ? 'tracker' : (), $p{supers} ? 'super peers' : () };
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
    my @can = grep { $event{$_}->($p) } sort keys %event;
    # those that need most are rarest
    @can = (@can, (grep { /super|ticket/ } @can) x 2, (grep { /ticket/ } @can) x 4);
    my %seen;
    return grep { !$seen{$_}++ } map { _pick($r, @can) } 1 .. $r->(4);
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
        "  tracker: $p->{tracker}; super peers: $p->{supers}"
        . ($p->{warm} ? ' (warm)' : '') . ', false: '
        . $some->(@{ $p->{false_supers} }),
        "  peers: $p->{peers}, false: " . $some->(@{ $p->{false_peers} }),
        "  tickets: $p->{tickets}, secret: $p->{secret}, TLS: "
        . $some->(sort keys %{ $p->{tls} }),
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
        ($p->{tickets} ne 'none' ? "tickets: $p->{tickets}" : ()),
        ($p->{secret} ne 'none' ? "secret: $p->{secret}" : ()),
        (map { "TLS: $_" } sort keys %{ $p->{tls} }),
        map { "event: $_" } @{ $p->{events} });
}

# Every kind that there is.
sub kinds() {
    return sort((map { "node: $_" } grep { $_ ne 'good' } keys %node),
        (map { ("super peer: $_", "peer: $_") } @lies),
        (map { "tracker: $_" } qw(dead hangs rubbish)),
        (map { "tickets: $_" } qw(good short foreign)),
        (map { "secret: $_" } qw(private user token refused)),
        (map { "TLS: $_" } 'CDN', 'tracker', 'super peers'),
        map { "event: $_" } keys %event);
}

1;
