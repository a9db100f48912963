# Whoever never answers, or lists what it never gives, holds up nobody: the
# download goes on with the others, or ends with an error.

use v5.36;
use Shoal::Test;
use JSON::PP;

my $size = 6 * 1048576;
my $id = '11' x 20;
my $right = make_file(tmpdir('hang') . '/a.bin', $size, 1, 1700000000);
is(shoal('--make-layer', $right)->{status}, 0, 'layer made');
my ($root, $layer) = layer_of("$right.shoal");
my $blocks = length($layer) / 32;

# A super peer whose answers $wrong changes, and the tracker that lists it.
sub swarm($state, $wrong = sub ($q) { () }) {
    my $sp = fake_super();
    $sp->serve($id, $right, "$right.shoal");
    $sp->start(handler => sub ($q) {
        my @answer = $wrong->($q);
        return @answer ? @answer : $sp->answer($q);
    });
    my $text = encode_json({ id => $id, interval => 60, peers => [],
        digest => { root => $root, votes => 1 },
        super => [ { url => "http://$sp->{addr}:$sp->{port}",
                     state => $state } ] });
    my $addr = '127.0.0.50';
    my $t = Shoal::BadNode->new(addr => $addr, port => free_port($addr),
        handler => sub ($q) { (200, {}, $text) })->start;
    return ($sp, '--tracker', "http://$addr:$t->{port}/peers");
}

# Its first GET ends in the middle, its next ones never get an answer.
sub dies() {
    return cdn(nodes => [ { bad => { rate => 1 << 20, each => sub ($q) {
        $q->{method} ne 'GET' ? () : $q->{before} ? (hang => 1)
            : (truncate => 2_000_000) } } } ]);
}

# All at once: most of it is waiting.
my %play;

# Every CDN node dies in mid-download, and the super peer that says it has
# the file never gives a block of what is missing.
my %useless = (
    'lists it, answers 404' => [ 'ready', sub ($q) {
        $q->{uri} =~ m{/\w{40}$} ? (404, {}, '') : () } ],
    'fills, and never does' => [ 'filling', sub ($q) {
        $q->{uri} =~ /have$/   ? (200, {}, "\0" x ($blocks / 8))
      : $q->{uri} =~ /hashes$/ ? (200, {}, "\0" x length $layer) : () } ],
    'stuck at one block'    => [ 'filling', sub ($q) {
        $q->{uri} =~ /have$/   ? (200, {}, "\x80" . "\0" x ($blocks / 8 - 1))
      : $q->{uri} =~ /hashes$/ ? (200, {}, substr($layer, 0, 32)
                                           . "\0" x (length($layer) - 32))
      : () } ],
);
for my $name (keys %useless) {
    my $cdn = dies();
    $cdn->link_file($right, 'a.bin');
    my ($sp, @args) = swarm(@{ $useless{$name} });
    my $p = shoal_start($cdn->client_args, @args, $cdn->url('a.bin'));
    $play{$name} = [ $p, $sp, $cdn ];
}

# A block that is in doubt waits for a second CDN node, which then dies.
my $doubt = cdn(nodes => [ { bad => { corrupt => [ 0, 65535 ],
    rate => 2 << 20 } }, { bad => { stall => 0 } } ]);
$doubt->link_file($right, 'a.bin');
my ($deciding, @args) = swarm('ready');
my $doubtful = shoal_start($doubt->client_args, @args, $doubt->url('a.bin'));

for my $name (keys %useless) {
    my $node = $play{$name}[2]->node(0);
    $node->wait_requests(1, method => 'GET');
    $node->stop;
}
for my $name (sort keys %useless) {
    my ($p, $sp) = @{ $play{$name} };
    my $r = shoal_end($p, 25);
    is($r->{status}, 4, "$name: an error");
    like($r->{stderr}, qr/^shoal: \S+: 127\.0\.0\.11: \w+/m, 'and says why');
    ok(-s "$r->{dir}/a.bin.part.ctl", 'what was got is kept');
    ok(!-e "$r->{dir}/a.bin", 'no file that looks whole');
    cmp_ok($sp->requests, '>', 0, 'it was asked');
    cmp_ok($sp->requests, '<', 300, 'in measure');
    note(sprintf '%s: %.1f s, %d requests', $name, $r->{seconds},
        scalar $sp->requests);
}

my $r = shoal_end($doubtful, 35);
like($r->{status}, qr/^(?:0|4|32)$/, 'a block in doubt: an end');
note(sprintf "%.1f s\n%s", $r->{seconds}, $r->{stderr});
# The only node left says twice the same: it is the CDN that counts.
if ($r->{status} eq '0') {
    my $got = slurp("$r->{dir}/a.bin");
    my $bad = slurp($right);
    substr($bad, 0, 65536) ^.= "\xff" x 65536;
    ok($got eq slurp($right) || $got eq $bad, 'one version, not a mixture');
} else {
    ok(!-e "$r->{dir}/a.bin", 'no file that looks whole');
}

# One that answers HEAD and never a GET, among others.
my $cdn = cdn(nodes => [ { bad => { each => sub ($q) {
    $q->{method} eq 'GET' ? (hang => 1) : () } } }, {}, {} ]);
$cdn->link_file($right, 'a.bin');
$r = shoal($cdn->client_args, $cdn->url('a.bin'));
download_ok($r, $right, 'HEAD, but no GET');
cmp_ok($r->{seconds}, '<', deadline(4), 'soon');
note(sprintf '%.1f s', $r->{seconds});

finish();
