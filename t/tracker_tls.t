# TLS in front: super peers by client certificate, askers without one; and a
# bearer token by a map. All of it is nginx's own.

use v5.36;
use Shoal::Test;

my $dir  = tmpdir('ca');
my $port = free_port('127.0.0.2');

sub openssl(@args) {
    my ($st, $out, $err) = run_cmd({ cwd => $dir }, 'openssl', @args);
    die "openssl @args: $err\n" if $st ne '0';
}

# Two authorities, of which the tracker knows one.
for my $ca (qw(ca other)) {
    openssl(qw(req -x509 -newkey rsa:2048 -nodes -days 2 -keyout), "$ca.key",
        '-out', "$ca.pem", '-subj', "/CN=$ca");
}
for ([ 'server', 'ca' ], [ 'sp1', 'ca' ], [ 'thief', 'other' ]) {
    my ($name, $ca) = @$_;
    openssl(qw(req -newkey rsa:2048 -nodes -keyout), "$name.key", '-out',
        "$name.csr", '-subj', "/CN=$name");
    openssl(qw(x509 -req -days 2 -set_serial), int rand 2**31, '-in',
        "$name.csr", '-CA', "$ca.pem", '-CAkey', "$ca.key", '-out', "$name.pem");
}

my $t = tracker(delay => '300ms', http => <<"EOC", locations => <<'EOL');
    server {
        listen 127.0.0.2:$port ssl;
        ssl_certificate $dir/server.pem;
        ssl_certificate_key $dir/server.key;
        ssl_client_certificate $dir/ca.pem;
        ssl_verify_client optional;
        location = /peers { tracker_peers swarm; }
        location = /control {
            if (\$ssl_client_verify != SUCCESS) { return 403; }
            tracker_control swarm;
            tracker_register on;
        }
    }
EOC
        location = /peers { tracker_peers swarm; }
EOL

# Status and body of one request over TLS.
sub tls($request, $cert = undef) {
    spew("$dir/in", $request);
    my ($st, $out, $err) = run_cmd({ stdin => "$dir/in", deadline => 15 },
        qw(openssl s_client -quiet -no_ign_eof -ign_eof -connect), "127.0.0.2:$port",
        '-CAfile', "$dir/ca.pem",
        $cert ? ('-cert', "$dir/$cert.pem", '-key', "$dir/$cert.key") : ());
    my ($status, $body) = $out =~ m{^HTTP/1\.1 (\d+).*?\r\n\r\n(.*)}s
        or return "none: $out$err";
    return ($status, $body);
}

my $post = 'POST /control?name=sp1&session=00000000000000ab&seq=%d&port=9090%s'
    . " HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s";
my $get = "GET /peers?url=https://cdn.example.com/a&size=5 HTTP/1.1\r\nHost: t\r\n"
    . "Connection: close\r\n\r\n";

my ($status, $body) = tls(sprintf($post, 1, '', 0, ''));
is($status, 403, 'no certificate');
($status, $body) = tls(sprintf($post, 1, '', 0, ''), 'thief');
is($status, 400, 'a certificate of another authority');
($status, $body) = tls(sprintf($post, 1, '', 0, ''), 'sp1');
is($status, 200, 'the right one');

my $id = (tls($get))[1] =~ /"id":"(\w+)"/ ? $1 : '';
like($id, qr/^\w{40}$/, 'an asker needs none');
my $line = "+$id " . 'ab' x 32 . " cdn\n";
my $body2 = ("~$id 1\n" x 500) . $line;
($status) = tls(sprintf($post, 2, '', length $body2, $body2), 'sp1');
is($status, 200, 'news');
like((tls($get))[1], qr{"url":"http://127\.0\.0\.1:9090","state":"ready"}, 'listed');
($status, $body) = tls(sprintf($post, 3, '&wait_ms=300', 0, ''), 'sp1');
like($body, qr/"prepare":\[/, 'a poll, parked');

finish();
