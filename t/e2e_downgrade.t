# Somebody on the way of http puts other bytes in: who asked for the https URL
# is given none of them by super peers that were told to prepare the http one,
# and is served by those that take https whatever they were told.

use v5.36;
use Shoal::Test;
use JSON::PP;

my $size = 3_000_000;
my $host = 'cdn.example.com';
my ($secure, $plain) = ('127.0.0.11', '127.0.0.13');
my $port = free_port($secure, $plain);
my $dir = tmpdir('tls');
my ($st, undef, $err) = run_cmd(qw(openssl req -x509 -newkey ec -nodes -days 2
    -pkeyopt ec_paramgen_curve:P-256 -subj /CN=cdn -addext),
    "subjectAltName=DNS:$host", '-keyout', "$dir/key", '-out', "$dir/pem");
die "openssl: $err\n" if $st ne '0';

# The same size and date; one block in the middle is another.
my %root = map { $_ => tmpdir("root/$_") } qw(secure plain);
for my $name (qw(a b)) {
    my $right = slurp(make_file("$root{secure}/$name", $size, $name, 1_700_000_000));
    substr($right, 1_500_000, 100) ^.= "\1" x 100;
    spew("$root{plain}/$name", $right);
    utime 1_700_000_000, 1_700_000_000, "$root{plain}/$name";
}
nginx(name => 'origin', http => <<"EOC");
    server {
        listen $secure:$port ssl;
        ssl_certificate $dir/pem;
        ssl_certificate_key $dir/key;
        access_log $dir/secure.log;
        root $root{secure};
        limit_rate 400k;
    }
    server {
        listen $plain:$port;
        access_log $dir/plain.log;
        root $root{plain};
        limit_rate 4m;
    }
EOC
my $t = tracker(origin => $host, delay => '200ms');

sub sp($name, $addr, $at, @schemes) {
    return superpeer(name => $name, addr => $addr, trackers => [$t],
        origins => [ map { "$_://$host:$port" } @schemes ],
        resolve => ["$host:$port:$at"],
        settings => { origin_ca => "$dir/pem" })->wait_connected;
}

# A download by this scheme; its bytes from super peers.
my $clients = 0;
sub get($scheme, $name) {
    my $r = shoal({ deadline => 60 }, '--resolve',
        "$host:$port:" . ($scheme eq 'https' ? $secure : $plain),
        "--ca-certificate=$dir/pem", '--tracker', $t->url, '--no-upload',
        '--bind-address=127.0.1.' . ++$clients, '--report=report',
        "$scheme://$host:$port/$name");
    my $report = decode_json(slurp("$r->{dir}/report"));
    unlink "$r->{dir}/report";
    return ($r, $report->{files}[0]{used}{super_peers});
}

sub wait_ready($scheme, $name, $addr) {
    my ($bytes, $mtime) = (stat "$root{secure}/$name")[7, 9];
    wait_for {
        my $a = $t->ask(url => "$scheme://$host:$port/$name", size => $bytes,
            version => sprintf('etag:"%x-%x"', $mtime, $bytes), event => 'stopped')->json;
        grep { $_->{state} eq 'ready' && $_->{url} =~ /\Q$addr\E/ } @{ $a->{super} };
    } 20, "$addr to be ready";
}

my $http = sp('sp1', '127.0.0.21', $plain, 'http');
my ($r, $others) = get(http => 'a');
download_ok($r, "$root{plain}/a", 'http: what the way makes of it');
wait_ready(http => 'a', $http->addr);
($r, $others) = get(http => 'a');
cmp_ok($others, '>', $size / 2, 'from the super peer, too');
($r, $others) = get(https => 'a');
download_ok($r, "$root{secure}/a", 'https: what the origin has');
is($others, 0, 'and nothing from a super peer that read it by http');

# Also after a restart of either.
$http->restart;
$http->wait_connected;
wait_ready(http => 'a', $http->addr);
$t->restart;
wait_ready(http => 'a', $http->addr);
($r, $others) = get(https => 'a');
download_ok($r, "$root{secure}/a", 'restarted');
is($others, 0, 'nothing from it');

# One that may use either: told of the http URL, it takes https.
my $both = sp('sp2', '127.0.0.22', $secure, qw(http https));
truncate "$dir/plain.log", 0;
($r, $others) = get(http => 'b');
download_ok($r, "$root{plain}/b", 'http: asked first');
wait_ready(https => 'b', $both->addr);
unlike(slurp("$dir/plain.log"), qr/^127\.0\.0\.22 /m, 'a super peer never went back to http');
($r, $others) = get(https => 'b');
download_ok($r, "$root{secure}/b", 'https: the right one');
cmp_ok($others, '>', $size / 2, 'mostly from the super peer that read it by https');
($r, $others) = get(http => 'b');
is($r->{status}, 0, 'http: where super peers disagree');
is($others, 0, 'nobody is believed');

finish();
