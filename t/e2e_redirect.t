# Redirects are followed hop by hop; the file's name is that of the URL given.

use v5.36;
use Shoal::Test;

my $size = 4 * 1048576;
my $store = cdn(nodes => 2, host => 'store.example.com');
my $to = 'http://store.example.com:' . $store->port;
my $server = join "\n",
    "location /r302/ { rewrite ^/r302(/.*) $to\$1 redirect; }",
    "location /r301/ { rewrite ^/r301(/.*) $to\$1 permanent; }",
    "location /r307/ { return 307 $to/file.bin; }",
    'location /rel/ { return 302 /files/file.bin; }',
    'location /loop/ { return 302 /loop/again; }',
    'location /evil/ { return 302 file:///etc/passwd; }',
    "location /hops/ { return 302 /r302/file.bin; }";
my $s = stage(nodes => 2, superpeers => 1, server => $server,
    tracker => { origin => [ 'cdn.example.com', 'store.example.com' ] },
    superpeer => { resolve => [ $store->resolve ],
                   origins => [ 'http://' . $store->host . ':' . $store->port ] });
my $path = $store->file('file.bin', $size, 1);
$s->cdn->file('files/file.bin', $size, 1);

for my $kind (qw(r302 r301 r307 hops rel)) {
    my $r = $s->get("$kind/file.bin", $store->client_args);
    download_ok($r, $path, $kind);
}

my $r = $s->get('loop/file.bin');
is($r->{status}, 8, 'a loop is an error');
like($r->{stderr}, qr/^shoal: .*redirects in a circle/m, 'and is called one');
$r = $s->get('evil/file.bin');
isnt($r->{status}, 0, 'not to another scheme');
ok(!-e $r->{file}, 'no file');

# The super peer goes the same way.
my %ask = (url => $s->cdn->url('r302/file.bin'), size => $size,
    version => sprintf 'etag:"%x-%x"', 1700000000, $size);
my $answer = wait_for {
    my $a = $s->tracker->ask(%ask)->json;
    (grep { $_->{state} eq 'ready' } @{ $a->{super} }) ? $a : undef;
} 10, 'the super peer to be ready';
is(@{ $answer->{super} }, 1, 'the super peer followed');

finish();
