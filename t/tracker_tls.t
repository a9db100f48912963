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
for ([ 'server', 'ca' ], [ 'sp1', 'ca' ], [ 'sp2', 'ca' ], [ 'a b', 'ca' ],
    [ 'x/O=y,CN=sp1', 'ca' ], [ 'thief', 'other' ])
{
    my ($subject, $ca) = @$_;
    my $name = $subject =~ s{/}{+}gr;
    openssl(qw(req -newkey rsa:2048 -nodes -keyout), "$name.key", '-out',
        "$name.csr", '-subj', "/CN=$subject");
    openssl(qw(x509 -req -days 2 -set_serial), int rand 2**31, '-in',
        "$name.csr", '-CA', "$ca.pem", '-CAkey', "$ca.key", '-out', "$name.pem");
}

my $t = tracker(delay => '300ms', http => <<"EOC", locations => <<'EOL');
    map \$ssl_client_s_dn \$ssl_client_s_dn_cn {
        default "";
        "~^CN=(?<tracker_cn>[\\w.-]+)(?:,|\$)" \$tracker_cn;
    }
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
        location = /named {
            if (\$ssl_client_verify != SUCCESS) { return 403; }
            tracker_control swarm;
            tracker_control_name \$ssl_client_s_dn_cn;
            tracker_register on;
        }
        location = /strange {
            tracker_control swarm;
            tracker_control_name \$ssl_client_s_dn;
            tracker_register on;
        }
        location = /unchecked {
            tracker_control swarm;
            tracker_control_name \$ssl_client_s_dn_cn;
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

# The name has to be the certificate's.
sub named($name, $cert, $path = '/named') {
    state $seq = 100;
    my $request = sprintf $post, ++$seq, '', 0, '';
    $request =~ s{/control\?name=sp1&}{$path?$name};
    return join ' ', tls($request, $cert);
}

my $ok = qr/^200 \{"epoch"/;
like(named('name=sp1&', 'sp1'), $ok, 'its own name');
like(named('name=sp2&', 'sp2'), $ok, 'each its own');
my $other = "403 name: the connection proved another one\n";
is(named('name=sp2&', 'sp1'), $other, 'that of another super peer');
is(named('name=sp11&', 'sp1'), $other, 'a longer one');
is(named('name=sp&', 'sp1'), $other, 'a shorter one');
is(named('name=s%20p&', 'sp1'), qq{400 name: not letters, digits, ".", "_", "-", at most 64\n},
    'no name');
like(named('', 'sp1'), $ok, 'without a name: the certificate has it');
is(named('name=&', 'sp1'), qq{400 name: not letters, digits, ".", "_", "-", at most 64\n},
    'an empty one');
is(named('name=sp1&', $_), "403 name: the connection proved none\n",
    "a certificate of $_") for 'a b', 'x+O=y,CN=sp1';
is(named('name=sp1&', 'sp1', '/strange'),
    "403 name: the connection proved one that no super peer can have\n",
    'a subject, where the name should be');
is(named('name=sp1&', undef, '/unchecked'),
    "403 name: the connection proved none\n", 'no certificate');
is(named('', undef, '/unchecked'), "403 name: the connection proved none\n",
    'neither a name nor a certificate');
like(named('name=sp1&', 'thief'), qr/^40[03] /, 'a certificate of another authority');
like((tls($get))[1], qr{"super":\[\{}, 'what it said before stands');

finish();
