# A tracker that answers rubbish: the download goes on without it.

use v5.36;
use Shoal::Test;

my $size = 500_000;
my $id = 'a' x 40;
my $root = 'b' x 64;
my $good = qq({"id":"$id","interval":60,"super":[],"peers":[]});
my %rubbish = (
    'empty'           => '',
    'HTML'            => '<html>It works!</html>',
    'cut off'         => substr($good, 0, 30),
    'a number'        => '7',
    'a list'          => '[]',
    'null'            => 'null',
    'wrong types'     => '{"id":7,"interval":"x","super":{},"peers":[1,null]}',
    'bad id'          => $good =~ s/a{40}/zz/r,
    'interval 0'      => $good =~ s/60/0/r,
    'interval -1'     => $good =~ s/60/-1/r,
    'huge interval'   => $good =~ s/60/1e300/r,
    'bad addresses'   => $good =~ s/"peers":\[\]/"peers":[{"addr":"x"},
        {"addr":"1.2.3.4:99999"},{"addr":"[::1"},{"complete":1}]/r,
    'bad super peers' => $good =~ s/"super":\[\]/"super":[{"url":"file:\/\/x"},
        {"url":7},{"url":"http:\/\/"},{"url":"http:\/\/a b:1"},{}]/r,
    'bad digest'      => $good =~ s/"interval"/"digest":{"root":"x"},"interval"/r,
    'bytes'           => join('', map { chr } 0 .. 255) x 20,
    'deep'            => '[' x 100_000,
    'long'            => '{"id":"' . 'a' x 3_000_000,
    'wrong root'      => qq({"id":"$id","interval":1,"digest":{"root":"$root",
        "votes":9},"super":[{"url":"http://127.0.0.9:9","state":"ready"}],
        "peers":[{"addr":"127.0.0.9:10","complete":true}]}),
);

# Slow enough for the answer to come in mid-download.
my $cdn = cdn(nodes => 2, limit_rate => '400k');
my $path = $cdn->file('r.bin', $size, 1);
my $port = free_port('127.0.0.3');
my %answer = (map { ("/$_" =~ s/ /_/gr) => [ 200, $rubbish{$_} ] }
    keys %rubbish);
$answer{'/500'} = [ 500, 'no' ];
$answer{'/403'} = [ 403, "cdn.example.com: not served\n" ];
$answer{'/302'} = [ 302, '' ];
my $tracker = Shoal::BadNode->new(addr => '127.0.0.3', port => $port,
    handler => sub ($q) {
        my $a = $answer{ $q->{uri} =~ s/\?.*//r } // [ 404, '' ];
        return ($a->[0], { 'Content-Type' => 'application/json',
            Location => 'http://127.0.0.9:9/' }, $a->[1]);
    })->start;

for my $where (sort keys %answer) {
    my $r = shoal($cdn->client_args,
        '--tracker', "http://127.0.0.3:$port$where", $cdn->url('r.bin'));
    download_ok($r, $path, "tracker: $where");
    cmp_ok($r->{seconds}, '<', deadline(8), 'in time');
}
cmp_ok($tracker->requests, '>=', keys %answer, 'it was asked');

finish();
