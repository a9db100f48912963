# What a super peer does not fetch, whoever asks: other origins, addresses
# that are not for everyone, redirects to either.

use v5.36;
use Shoal::Test;
use Shoal::FakeTracker qw(fake_tracker);

my $secret = nginx(http => 'server { listen 127.0.0.9:'
    . (my $port = free_port('127.0.0.9'))
    . '; access_log ' . tmpdir('secret') . '/log;'
    . ' location / { return 200 "secret"; } }');
my $cdn = cdn(nodes => 1);
$cdn->file('a.bin', 100_000);
my $t = fake_tracker();

sub asked() { return -s tmpdir('secret') . '/log' ? 1 : 0 }
sub refusal($t, $url, $size = 100_000) {
    my $id = $t->prepare($url, $size);
    my $line = $t->wait_line(qr/^[+?]$id /, 15);
    return $line =~ s/^(.)\S+ (\S+).*/$1$2/r;
}

my $sp = superpeer(trackers => [ $t->conf ], cdn => $cdn,
    resolve => [ "inside.example.com:$port:127.0.0.9",
                 'mapped.example.com:80:::ffff:127.0.0.9' ],
    origins => [ 'http://*.allowed.example.com:*' ]);

is(refusal($t, "http://inside.example.com:$port/x"), '?origin',
   'another host');
is(refusal($t, 'http://cdn.example.com:1/a.bin'), '?origin', 'another port');
is(refusal($t, 'https://cdn.example.com/a.bin'), '?origin',
   'another scheme');
is(refusal($t, "http://127.0.0.9:$port/x"), '?origin', 'an address');
is(refusal($t, "http://cdn.example.com:$port\@127.0.0.9:$port/x"), '?failed',
   'user information: no such resource');
is(refusal($t, 'ftp://cdn.example.com/x'), '?failed', 'another protocol');
my $id = $t->prepare($cdn->url('a.bin'), 100_000);
like($t->wait_line(qr/^[+?]$id/), qr/^\+/, 'the allowed one');
is(asked(), 0, 'nobody inside was asked');

# Redirects: every hop goes through the same test.
my $redirect = cdn(host => 'r.allowed.example.com', nodes => [
    { addr => '127.0.0.14',
      bad => { redirect => "http://inside.example.com:$port/x" } } ]);
my $ok = cdn(host => 's.allowed.example.com', nodes => [
    { addr => '127.0.0.15', bad => { redirect => $cdn->url('a.bin') } } ]);
my $sp2 = superpeer(trackers => [ $t->conf ], cdn => $cdn, name => 'sp2',
    resolve => [ $redirect->resolve, $ok->resolve,
                 "inside.example.com:$port:127.0.0.9" ],
    origins => [ 'http://*.allowed.example.com:*' ]);
$sp->stop;
is(refusal($t, $redirect->url('x')), '?origin',
   'a redirect to a host that is not allowed');
is(asked(), 0, 'is not followed');
$id = $t->prepare($ok->url('a.bin'), 100_000);
like($t->wait_line(qr/^[+?]$id/), qr/^\+/,
     'a redirect to one that is allowed is');
$sp2->stop;

# An allowed name with an address inside.
my $sp3 = superpeer(trackers => [ $t->conf ], cdn => $cdn, name => 'sp3',
    resolve => [ "x.allowed.example.com:$port:127.0.0.9" ],
    origins => [ 'http://*.allowed.example.com:*' ],
    settings => { allow_addresses => ['127.0.0.11/32', '127.0.0.14/32'] });
is(refusal($t, "http://x.allowed.example.com:$port/x", 6), '?origin',
   'an allowed name with a forbidden address');
is(asked(), 0, 'is not connected to');
my ($why) = grep { $_->{url} =~ m{//x\.allowed} }
    @{ $sp3->status->{refusals} };
is("$why->{reason}: $why->{why}", 'origin: 127.0.0.9: address not allowed',
   'status: reason');

# Tokens in queries are used and never shown.
$cdn->file('t.bin', 50_000);
$id = $t->prepare($cdn->url('t.bin?token=SECRET1'), 50_000);
like($t->wait_line(qr/^[+?]$id/), qr/^\+/, 'a URL with a token');
ok((grep { $_->{uri} =~ /token=SECRET1/ } $cdn->node(0)->requests),
   'which is used');
refusal($t, $cdn->url('none?token=SECRET2'));
refusal($t, "http://inside.example.com:$port/x?token=SECRET3");
my $shown = $sp3->stderr . http(GET => $sp3->status_url('/status'))->{body};
unlike($shown, qr/SECRET/, 'and neither logged nor in the status');
like($shown, qr{/t\.bin}, 'as the rest is');

finish();
