# The rungs of the ladder: on which one a download stood, and with how many
# votes, is in the report and in --explain; and on each of them a CDN node's
# bytes are checked as well, though its validators are those of the others.

use v5.36;
use Digest::MD5 qw(md5_base64);
use JSON::PP;
use MIME::Base64 qw(encode_base64);
use Shoal::Test;

my $size = 3_000_000;
my $dir = tmpdir('rungs');
my $right = make_file("$dir/right", $size, 1, 1700000000);
my $wrong = make_file("$dir/wrong", $size, 2, 1700000000);
is(shoal('--make-layer', $right)->{status}, 0, 'layer made');
my $text = slurp($right);
my $hex = sha256_file($right);
my $sha = encode_base64(pack('H*', $hex), '');
my $md5 = md5_base64($text) . '==';
my %header = (
    repr    => "Repr-Digest 'sha-256=:$sha:'",
    digest  => "Digest 'SHA-256=$sha'",
    content => "Content-Digest 'sha-256=:$sha:'",
    amz     => "x-amz-checksum-sha256 '$sha'",
    md5     => "Content-MD5 '$md5'",
    link    => q(Link '</right.shoal>; rel="piece-layer"'),
    meta    => q(Link '</right.meta4>; rel=describedby; )
        . q(type="application/metalink4+xml"'),
);
my $server = join '', map { "location /$_/ { add_header $header{$_}; }\n" }
    sort keys %header;

# Three nodes, one of them wrong.
my $cdn = cdn(nodes => 3, limit_rate => '2m', server => $server);
for my $where ('none', 'sum', 'auto', sort keys %header) {
    $cdn->node($_)->link_file($_ == 1 ? $wrong : $right, "$where/f.bin")
        for 0 .. 2;
}
$cdn->link_file("$right.shoal", 'right.shoal');
$cdn->link_file("$right.shoal", 'auto/f.bin.shoal');
$cdn->link_file(spew("$dir/sums", "$hex  f.bin\n"), 'sum/f.bin.sha256');
$cdn->link_file(spew("$dir/meta4", <<"EOM"), 'right.meta4');
<?xml version="1.0" encoding="UTF-8"?>
<metalink xmlns="urn:ietf:params:xml:ns:metalink"><file name="f.bin">
<size>$size</size><hash type="sha-256">$hex</hash>
<url>@{[ $cdn->url('meta/f.bin') ]}</url></file></metalink>
EOM

my %words = (
    user        => 'the checksum or piece layer that was given',
    checksum    => 'the checksum that the origin published',
    layer       => 'the piece layer that the origin published',
    tracker     => 'the root that a tracker told',
    super_peers => "super peers' own piece layers",
    cdn         => 'nothing but what the CDN nodes gave',
    none        => 'nothing, and parts of it came from peers',
);

sub judge($p, $trust, $what, $votes = 0) {
    my $r = shoal_end($p, 60);
    my ($f) = decode_json(slurp("$r->{dir}/report.json"))->{files}->@*;
    is($r->{status}, 0, $what) or diag($r->{stderr});
    same_file("$r->{dir}/f.bin", $right, "$what: the right bytes");
    is("$f->{trust} $f->{votes}", "$trust $votes", "$what: the report's rung");
    my $more = $votes == 0 ? '' : ", with $votes vote" . ($votes > 1 && 's');
    like($r->{stderr}, qr/\Q$words{$trust}$more\E$/m, "$what: so --explain");
    return $f;
}

sub start($cdn, $name, @more) {
    return shoal_start($cdn->client_args, '--explain', '--report=report.json',
        @more, $cdn->url($name));
}

my @published = (
    [ 'checksum', 'Repr-Digest', 'repr' ],
    [ 'checksum', 'Digest', 'digest' ],
    [ 'checksum', 'Content-Digest', 'content' ],
    [ 'checksum', 'x-amz-checksum-sha256', 'amz' ],
    [ 'checksum', 'Content-MD5', 'md5' ],
    [ 'checksum', '.sha256 beside it', 'sum', '--checksum=auto' ],
    [ 'checksum', 'a Metalink that a header names', 'meta' ],
    [ 'layer', 'a layer that a header names', 'link' ],
    [ 'layer', 'a layer beside it', 'auto', '--layer=auto' ],
);
my @plays = (
    [ 'user', 'a checksum that was given', 'none', '--checksum',
        "sha256=$hex" ],
    [ 'user', 'a layer that was given', 'none', "--layer=$right.shoal" ],
    @published,
    [ 'cdn', 'none at all', 'none' ],
);
while (my @some = splice @plays, 0, 4) {
    my @p = map { my (undef, undef, $where, @more) = @$_;
        start($cdn, "$where/f.bin", @more) } @some;
    judge($p[$_], @{ $some[$_] }[0, 1]) for 0 .. $#some;
}

# ---- what is published, and no node holds ----

$cdn->link_file($wrong, "$_->[2]/f.bin") for @published;
while (my @some = splice @published, 0, 5) {
    my @p = map { my (undef, undef, $where, @more) = @$_;
        start($cdn, "$where/f.bin", @more) } @some;
    for my $i (0 .. $#some) {
        my $r = shoal_end($p[$i], 60);
        is($r->{status}, 32, "$some[$i][1]: no node holds what it says");
        ok(!-e "$r->{dir}/f.bin", 'and there is no file');
        like($r->{stderr}, qr/^shoal: .*(?:checksum|piece layer|wrong bytes).*; nodes: /m,
            'but an error that lists the nodes') or diag($r->{stderr});
    }
}

# ---- what trackers and super peers say ----

# Its first GETs are slow: the others give most.
sub slow(%more) {
    my $slow = cdn(nodes => [ { bad => { rate => 100_000, %more } } ]);
    $slow->link_file($right, 'f.bin');
    return $slow;
}

my $id = '22' x 20;
my $last = 60;
sub holder(%bad) {
    my $f = fake_super(addr => '127.0.3.' . ++$last);
    $f->serve($id, $right, "$right.shoal");
    return $f->start(%bad);
}

# A tracker that says this, and from its second answer on also ${later}.
sub told(%answer) {
    my $addr = '127.0.3.' . ++$last;
    my $later = delete $answer{later};
    my @json = map { encode_json({ id => $id, interval => $later ? 1 : 60,
        super => [], peers => [], %answer, %$_ }) } {}, $later // {};
    my $t = Shoal::BadNode->new(addr => $addr, port => free_port($addr),
        handler => sub ($q) { (200, {}, $json[$q->{before} > 0]) })->start;
    return ('--tracker', "http://$addr:$t->{port}/peers");
}

my $holder = holder();
# One whose blocks take until the tracker is asked again.
my $patient = holder(each => sub ($q) {
    $q->{uri} =~ m{/\w{40}$} ? (delay => 0.5) : () });
my %super = (url => "http://$holder->{addr}:$holder->{port}");
my %peer = (addr => "$holder->{addr}:$holder->{port}",
    complete => JSON::PP::true);
my ($root) = slurp("$right.shoal") =~ /^root (\S+)$/m;
for my $case (
    [ 'tracker', 1, 'a root, one vote', [ super => [ { %super,
        state => 'ready' } ], digest => { root => $root, votes => 1 } ] ],
    [ 'tracker', 3, 'a root, three votes', [ super => [ { %super,
        state => 'ready' } ], digest => { root => $root, votes => 3 } ] ],
    [ 'tracker', 2, 'a root, and nobody has a layer',
        [ digest => { root => $root, votes => 2 } ] ],
    [ 'tracker', 1, 'a super peer that fills, and then the root', [
        super => [ { url => "http://$patient->{addr}:$patient->{port}",
            state => 'filling' } ],
        later => { digest => { root => $root, votes => 1 } } ] ],
    [ 'super_peers', 0, 'a super peer that fills', [ super => [ { %super,
        state => 'filling' } ] ] ],
    [ 'none', 0, 'unverified peers', [ peers => [ \%peer ] ],
        '--unverified-peers' ])
{
    my ($trust, $votes, $what, $answer, @more) = @$case;
    my $slow = slow(@$answer > 2 || $what =~ /fills|peers/ ? ()
        : (rate => 2_000_000));
    my $f = judge(start($slow, 'f.bin', told(@$answer), @more), $trust, $what,
        $votes);
    cmp_ok($f->{used}{super_peers} + $f->{used}{peers}, '>', 0,
        "$what: others gave some") if $what !~ /nobody/;
    $slow->stop;
}

finish();
