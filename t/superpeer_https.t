# https wherever it is allowed for an origin, whatever the asker wrote, and
# never back to http.

use v5.36;
use Shoal::Test;
use Shoal::FakeTracker qw(fake_tracker);

my $dir  = tmpdir('tls');
my $root = tmpdir('root');
my @addrs = ('127.0.0.11', '127.0.0.12', '127.0.0.13');
my ($tls, $plain) = (free_port(@addrs), free_port(@addrs));
my %log = map { $_ => "$dir/$_.log" } qw(tls plain other);

sub openssl(@args) {
    my ($st, undef, $err) = run_cmd({ cwd => $dir }, 'openssl', @args);
    die "openssl @args: $err\n" if $st ne '0';
}
openssl(qw(req -x509 -newkey rsa:2048 -nodes -days 2 -keyout ca.key -out ca.pem
    -subj /CN=authority));
for my $name (qw(cdn.example.com wrong.example.com)) {
    spew("$dir/ext", "subjectAltName=DNS:$name\n");
    openssl(qw(req -newkey rsa:2048 -nodes -keyout), "$name.key", '-out',
        "$name.csr", '-subj', "/CN=$name");
    openssl(qw(x509 -req -days 2 -CA ca.pem -CAkey ca.key -CAcreateserial
        -extfile ext -in), "$name.csr", '-out', "$name.pem");
}
my $host = 'cdn.example.com';
sub tls_server($addr, $name, $log) {
    return <<"EOC";
    server {
        listen $addr:$tls ssl;
        ssl_certificate $dir/$name.pem;
        ssl_certificate_key $dir/$name.key;
        access_log $log{$log};
        root $root;
        location /down { return 302 http://$host:$plain/a.bin; }
        location /ok { return 302 http://open.example.com:$plain/a.bin; }
    }
EOC
}
nginx(name => 'cdn', http => tls_server('127.0.0.11', $host, 'tls')
    . tls_server('127.0.0.12', 'wrong.example.com', 'other') . <<"EOC");
    server {
        listen 127.0.0.11:$plain;
        listen 127.0.0.13:$tls;
        access_log $log{plain};
        root $root;
    }
EOC
make_file("$root/$_.bin", 2_000_000, length $_, 1700000000)
    for 'a', 'bb', 'ccc', 'dddd';
my $t = fake_tracker();
my %common = (resolve => [ "$host:$tls:127.0.0.11", "$host:$plain:127.0.0.11",
    "open.example.com:$plain:127.0.0.11", "bad.example.com:$tls:127.0.0.12",
    "both.example.com:$tls:127.0.0.13" ]);
my $sp = superpeer(trackers => [ $t->conf ], %common,
    origins => [ "https://$host:$tls", "http://open.example.com:$plain",
        "https://bad.example.com:$tls", "https://both.example.com:$tls",
        "http://both.example.com:$tls" ],
    settings => { origin_ca => "$dir/ca.pem" });

sub fetch($url, $size = 2_000_000) {
    my $id = $t->prepare($url, $size);
    my $line = $t->wait_line(qr/^[+?]$id /, 20);
    return $line =~ s/^(.)\S+ (\S+).*/$1 eq '+' ? '+' : "?$2"/er;
}

is(fetch("http://$host:$tls/a.bin"), '+', 'http asked, only https allowed');
like(slurp($log{tls}), qr/"GET \/a\.bin/, 'fetched by https');
is(fetch("https://$host:$tls/bb.bin"), '+', 'https asked');
is(-s $log{plain}, 0, 'nothing by http');
is(fetch("http://both.example.com:$tls/a.bin"), '?failed',
   'both are allowed, and https does not work: no way back to http');
unlike(slurp($log{plain}), qr/"(?:GET|HEAD)/, 'really not');
is(fetch("https://open.example.com:$plain/a.bin"), '?origin',
   'https asked, only http allowed');
is(fetch("http://bad.example.com:$tls/a.bin"), '?failed',
   'a certificate of another host');
is(slurp($log{other}), '', 'gets no request');

# Redirects from https to http.
is(fetch("https://$host:$tls/down"), '?origin',
   'to http that is not allowed: not followed');
is(fetch("https://$host:$tls/ok"), '+', 'to an http origin that is');
like(slurp($log{plain}), qr/"GET \/a\.bin/, 'followed');

# Without that authority.
$sp->stop;
$t->forget_commands->clear;
my $strict = superpeer(trackers => [ $t->conf ], %common, name => 'strict',
    origins => ["https://$host:$tls"]);
is(fetch("http://$host:$tls/ccc.bin"), '?failed',
   'an authority that nobody knows');
my ($why) = map { $_->{why} } @{ $strict->status->{refusals} };
like($why, qr/certificate|SSL/, "status: $why");

finish();
