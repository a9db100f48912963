# No root is known yet, and a super peer that fills tells hashes: blocks of
# peers that fit them are used, others are not; and when the CDN contradicts
# such hashes, all that was believed for their sake is fetched again.

use v5.36;
use Shoal::Test;
use JSON::PP;

my $size = 4 * 1048576;
my $id = '22' x 20;
my $right = make_file(tmpdir('vouched') . '/a.bin', $size, 1, 1700000000);
my $wrong = make_file(tmpdir('vouched') . '/wrong', $size, 666);
for my $path ($right, $wrong) {
    is(shoal('--make-layer', $path)->{status}, 0, 'layer made');
}
# The first GETs are so slow that others have given all by then.
sub slow() {
    my $cdn = cdn(nodes => [ { bad => { each => sub ($q) {
        $q->{method} ne 'GET' || $q->{before} > 3 ? ()
            : (rate => 20_000) } } } ]);
    $cdn->link_file($right, 'a.bin');
    return $cdn;
}

my $last = 60;
sub holder($content, $layer, %bad) {
    my $f = fake_super(addr => '127.0.3.' . ++$last);
    $f->serve($id, $content, "$layer.shoal");
    return $f->start(%bad);
}

# It tells hashes, but its blocks come late; ${peers} have them.
sub get($content, @peers) {
    my $sp = holder($content, $content, each => sub ($q) {
        $q->{uri} =~ m{/\w{40}$} ? (delay => 1) : () });
    my $text = encode_json({ id => $id, interval => 60,
        super => [ { url => "http://$sp->{addr}:$sp->{port}",
                     state => 'filling' } ],
        peers => [ map { { addr => "$_->{addr}:$_->{port}",
                           complete => JSON::PP::true } } @peers ] });
    my $addr = '127.0.3.' . ++$last;
    my $t = Shoal::BadNode->new(addr => $addr, port => free_port($addr),
        handler => sub ($q) { (200, {}, $text) })->start;
    my $slow = slow();
    return shoal({ deadline => 60 }, $slow->client_args, '--tracker',
        "http://$addr:$t->{port}/peers", $slow->url('a.bin'));
}

sub row($r, $peer) {
    my ($row) = $r->{stderr} =~ /^ +\Q$peer->{addr}:$peer->{port}\E +peer +(.*)/m;
    return $row // 'not in the table';
}

my @mixed = (holder($right, $right), holder($wrong, $right));
my $r = get($right, @mixed);
download_ok($r, $right, 'hashes that are right');
note($r->{stderr});
like(row($r, $mixed[0]), qr/^[1-9]\d+ /, 'a peer whose blocks fit is used');
like(row($r, $mixed[1]), qr/^0 .*wrong blocks/, 'one with others is not');

my $fooled = holder($wrong, $wrong);
$r = get($wrong, $fooled);
download_ok($r, $right, 'hashes that are wrong');
note($r->{stderr});
cmp_ok($fooled->requests(uri => "/blocks/$id"), '>', 0, 'a peer was asked');
like(row($r, $fooled), qr/^0 +0\.0% +[1-9]/,
    'what it gave for their sake was thrown away');
like($r->{stderr}, qr/its piece layer contradicts the CDN/, 'and it is said why');

finish();
