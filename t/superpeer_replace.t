# Of one URL one set is held: another size or version takes its place, and
# only when a node has it.

use v5.36;
use Shoal::Test;
use Shoal::FakeTracker qw(fake_tracker);

my $cdn = cdn(nodes => 1);
my $t  = fake_tracker();
my $sp = superpeer(trackers => [ $t->conf ], cdn => $cdn);
my $url = $cdn->url('a.bin');

sub held() {
    return { map { $_->{id} => $_->{state} } @{ $sp->status->{sets} } };
}

$cdn->file('a.bin', 500_000, 1);
my $one = $t->prepare($url, 500_000);
$t->wait_line(qr/^\+$one /);

# A size that no node has: what is held stays.
my $no = $t->prepare($url, 123_456);
$t->wait_line(qr/^\?$no noagree$/);
is_deeply(held(), { $one => 'complete' }, 'refused: nothing is replaced');
ok(!(grep { /^-/ } $t->lines), 'nor said to be gone');

# Another size.
my $path = $cdn->file('a.bin', 700_000, 2);
my $two = $t->prepare($url, 700_000);
$t->wait_line(qr/^\+$two /);
is_deeply(held(), { $two => 'complete' }, 'another size: replaced');
my @lines = grep { /^[-+](?:$one|$two)/ } $t->lines;
like("@lines", qr/^\+$one \S+ cdn http -$one \+$two \S+ cdn http$/,
     'first gone, then ready');
is(http(GET => $sp->base . "/blocks/$one/have")->{status}, 404, 'old: 404');
ok(http(GET => $sp->base . "/blocks/$two")->{body} eq slurp($path),
   'new: its bytes');

# The same size, another version.
$path = $cdn->file('a.bin', 700_000, 3, mtime => 1600000000);
my $three = $t->prepare($url, 700_000, 'mtime:1600000000');
$t->wait_line(qr/^\+$three /);
is_deeply(held(), { $three => 'complete' }, 'another version: replaced');
ok(http(GET => $sp->base . "/blocks/$three")->{body} eq slurp($path),
   'its bytes');

# Another provider's is another file.
my $four = $t->prepare($url, 700_000, 'mtime:1600000000', provider => 'p',
    id => 'ab' x 20);
$t->wait_line(qr/^\+$four /);
is(scalar keys %{ held() }, 2, 'another provider: both are held');

finish();
