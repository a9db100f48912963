# HTTPS: whom the client believes, whom it shows its own certificate, and what
# does not go on to http.

use v5.36;
use Shoal::Test;

my $dir = tmpdir('tls');
my $addr = '127.0.0.31';
my ($port, $other, $plain) = map { free_port($addr) } 1 .. 3;
my $root = tmpdir('tls/root');
my $file = make_file("$root/a.bin", 3 * 65536 + 5, 1, 1700000000);

sub openssl(@args) {
    my ($st, undef, $err) = run_cmd({ cwd => $dir }, 'openssl', @args);
    die "openssl @args: $err\n" if $st ne '0';
}

my @new = qw(req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2);
openssl(@new, qw(-keyout ca.key -out ca.pem -subj /CN=origin -addext),
    "subjectAltName=IP:$addr");
openssl(@new, qw(-keyout me.key -out me.pem -subj /CN=me));
openssl(@new, qw(-keyout x.key -out x.pem -subj /CN=x));
spew("$dir/both.pem", slurp("$dir/me.pem") . slurp("$dir/me.key"));

sub server($where, $tls) {
    my $ssl = $tls ? <<"EOC" : '';
        ssl_certificate $dir/ca.pem;
        ssl_certificate_key $dir/ca.key;
        ssl_verify_client optional_no_ca;
EOC
    return <<"EOC";
    server {
        listen $addr:$where @{[ $tls ? 'ssl' : '' ]};
        $ssl
        access_log $dir/access.log who;
        root $root;
        location /go-other/ { return 302 https://$addr:$other/a.bin; }
        location /go-plain/ { return 302 http://$addr:$plain/a.bin; }
        location /go-up/ { return 302 https://$addr:$port/a.bin; }
    }
EOC
}

my $servers = server($port, 1) . server($other, 1) . server($plain, 0);
nginx(name => 'tls', http => <<"EOC" . $servers);
    log_format who '\$server_port \$request_method \$uri \$status '
        'dn=\$ssl_client_s_dn login=\$http_authorization cookie=\$http_cookie '
        'token=\$http_x_token plain=\$http_x_plain;';
EOC

spew("$dir/cookies", join '', map { "$addr\tFALSE\t/\t$_\t0\tsid$_\tv\n" }
    'TRUE', 'FALSE');
my @who = ("--ca-certificate=$dir/ca.pem", '--user=me', '--password=word',
    "--load-cookies=$dir/cookies", '--header=X-Token: t', '--header=X-Plain: p',
    "--certificate=$dir/me.pem", "--private-key=$dir/me.key");

# What servers heard of a download, by their port.
sub heard(@args) {
    spew("$dir/access.log", '') if -e "$dir/access.log";
    my $r = shoal({ env => { HOME => $dir } }, @args);
    my %heard;
    push @{ $heard{ (split ' ', $_)[0] } }, $_
        for split /\n/, slurp("$dir/access.log");
    return ($r, map { join "\n", @{ $heard{$_} // [] } } $port, $other,
        $plain);
}

my ($r, $own, $next, $http) = heard(@who, "https://$addr:$port/a.bin");
download_ok($r, $file, 'with all that there is');
like($own, qr/dn=CN=me /, 'it has our certificate');
like($own, qr/login=Basic bWU6d29yZA==/, 'the login');
like($own, qr/cookie=.*sidTRUE=v/, 'and secure cookies');

($r, $own, $next, $http) = heard(@who, "https://$addr:$port/go-other/a.bin");
download_ok($r, $file, 'redirected to another port');
like($own, qr/dn=CN=me login=Basic .*token=t plain=p/, 'the first knows');
like($next, qr/dn=- login=- cookie=- token=- plain=p/, 'the next does not');

($r, $own, $next, $http) = heard(@who, "https://$addr:$port/go-plain/a.bin");
download_ok($r, $file, 'redirected to http');
like($http, qr/dn=- login=- cookie=- token=- plain=p/, 'it knows nothing');

($r, $own, $next, $http) = heard(@who, "http://$addr:$plain/go-up/a.bin");
download_ok($r, $file, 'redirected to https');
like($own, qr/dn=- login=- .*token=-/, 'another scheme: it knows nothing');

# A key in the same file; a certificate that cannot be read is an error.
($r, $own) = heard("--ca-certificate=$dir/ca.pem",
    "--certificate=$dir/both.pem", "https://$addr:$port/a.bin");
download_ok($r, $file, 'certificate and key in one file');
like($own, qr/dn=CN=me /, 'it has them');

my $url = "https://$addr:$port/a.bin";
my @cases = (
    [ 'an authority that nobody knows', 5, qr/certificate/ ],
    [ 'the wrong authority', 5, qr/certificate/,
      "--ca-certificate=$dir/x.pem" ],
    [ 'a key that does not fit', 5, qr/./, "--ca-certificate=$dir/ca.pem",
      "--certificate=$dir/me.pem", "--private-key=$dir/x.key" ],
    [ 'no certificate in it', 5, qr/./, '--ca-certificate=/dev/null' ],
    [ 'no such file', 3, qr{--ca-certificate: $dir/none: No such file},
      "--ca-certificate=$dir/none" ],
    [ 'no such certificate', 3, qr{--certificate: $dir/none: No such},
      "--certificate=$dir/none" ],
);
for my $case (@cases) {
    my ($name, $status, $like, @args) = @$case;
    $r = shoal(@args, $url);
    is($r->{status}, $status, "$name: exit status $status");
    like($r->{stderr}, qr/^shoal: .*$like/m, "$name: says so");
    is_deeply([ glob "$r->{dir}/*" ], [], "$name: no file");
}
$r = shoal('--no-check-certificate', $url);
download_ok($r, $file, '--no-check-certificate');
# the host's name counts, too
my $named = "https://wrong.example.com:$port/a.bin";
my @resolve = ('--resolve', "wrong.example.com:$port:$addr");
is(shoal("--ca-certificate=$dir/ca.pem", @resolve, $named)->{status}, 5,
    'a certificate of another host');

finish();
