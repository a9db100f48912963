# CDN nodes, tracker and super peer on IPv6, beside IPv4.

use v5.36;
use Shoal::Test;

if (!defined IO::Socket::IP->new(LocalHost => '::1', Listen => 1)) {
    plan(skip_all => 'no IPv6 on loopback');
}
my $size = 3 * 1048576;
my $port = free_port('127.0.0.11', '::1');
my $root = tmpdir('root');
my $path = make_file("$root/six.bin", $size, 6, 1700000000);
nginx(name => 'cdn6', http => <<"EOC");
    server {
        listen 127.0.0.11:$port;
        listen [::1]:$port;
        root $root;
        limit_rate 1m;
    }
EOC
my $host = 'cdn.example.com';
my $url  = "http://$host:$port/six.bin";
my $resolve = "$host:$port:127.0.0.11,[::1]";
my $t = tracker(addr => '[::1]', port => free_port('::1'), delay => '100ms');
my $sp = superpeer(addr => '::1', trackers => [$t],
    resolve => [$resolve], origins => ["http://$host:$port"],
    settings => { allow_addresses => [ '127.0.0.0/8', '::1/128' ] });
$sp->wait_connected;

my $r = shoal('--resolve', $resolve, $url);
download_ok($r, $path, 'from nodes of both kinds');
like($r->{stderr}, qr/^  \Q$_\E +CDN node +[1-9]/m, "$_ gave")
    for '127.0.0.11', '::1';

$r = shoal('--resolve', "$host:$port:[::1]", '--tracker', $t->url, $url);
download_ok($r, $path, 'IPv6 alone');
wait_for { $sp->holds($url) } 10, 'the super peer to hold it';
$r = shoal('--resolve', $resolve, '--tracker', $t->url, $url);
download_ok($r, $path, 'with a super peer on IPv6');
like($r->{stderr}, qr/^  \[::1\]:\d+ +super peer +[1-9]/m, 'which gave');

# A literal address in the URL.
$r = shoal("http://[::1]:$port/six.bin");
download_ok($r, $path, 'a literal address');

finish();
