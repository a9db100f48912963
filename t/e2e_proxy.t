# Through a proxy's CONNECT: what the proxy says of itself is not taken for
# the origin's answer.

use v5.36;
use Shoal::Test;
use Shoal::Proxy;

my $size = 3 * 1048576 + 5;
my $proxy = Shoal::Proxy->new->start;

# A URL that is pinned by --resolve goes through the proxy's CONNECT too.
my $cdn = cdn(nodes => 2);
my $path = $cdn->file('a.bin', $size, 1);
my $env = { http_proxy => $proxy->url };
my $r = shoal({ env => $env }, $cdn->client_args, $cdn->url('a.bin'));
download_ok($r, $path, 'http, 206');
my @asked = $proxy->asked;
cmp_ok(@asked, '>', 0, 'through the proxy');
$r = shoal({ env => $env }, $cdn->client_args, $cdn->url('none.bin'));
is($r->{status}, 8, 'http, 404: no success');
like($r->{stderr}, qr/^shoal: .*HTTP 404/m, 'says so');
ok(!-e "$r->{dir}/none.bin", 'no file');
cmp_ok($proxy->asked, '>', @asked, 'through the proxy');

# https: an authority of our own stands, in a mount namespace, where the
# system's are; libcurl takes no other from the environment.
my $dir = tmpdir('tls');
my $system = '/etc/ssl/certs/ca-certificates.crt';
my @with_ca = ('unshare', '-rm', 'sh', '-c',
    "mount --bind $dir/ca.pem $system && exec \"\$@\"", 'sh');

sub openssl(@args) {
    my ($st, undef, $err) = run_cmd({ cwd => $dir }, 'openssl', @args);
    die "openssl @args: $err\n" if $st ne '0';
}

openssl(qw(req -x509 -newkey rsa:2048 -nodes -days 2 -keyout ca.key -out
    ca.pem -subj /CN=localhost -addext subjectAltName=DNS:localhost));
my ($cannot) = run_cmd(@with_ca, 'true');

SKIP: {
    skip 'no mount namespace here', 10 if $cannot;
    my $port = free_port('127.0.0.1');
    my $n = nginx(name => 'tls', http => <<"EOC");
    server {
        listen 127.0.0.1:$port ssl;
        ssl_certificate $dir/ca.pem;
        ssl_certificate_key $dir/ca.key;
        access_log $dir/access.log;
        root $dir/root;
    }
EOC
    my $file = make_file(tmpdir('tls/root') . '/a.bin', $size, 2);

    for my $how ('direct', 'proxy') {
        my %env = $how eq 'proxy' ? (https_proxy => $proxy->url) : ();
        my $before = $proxy->asked;
        for my $name ('a.bin', 'none.bin') {
            my $in = tmpdir("got/$how/$name");
            my ($st, undef, $err) = run_cmd({ cwd => $in,
                env => { san_env(), %env } }, @with_ca, program('shoal'),
                "https://localhost:$port/$name");
            if ($name eq 'none.bin') {
                is($st, 8, "https, $how, 404: no success");
                like($err, qr/^shoal: .*HTTP 404/m, 'says so');
                ok(!-e "$in/$name", 'no file');
                next;
            }
            download_ok({ status => $st, dir => $in, stderr => $err }, $file,
                "https, $how, 206");
        }
        is($proxy->asked > $before, $how eq 'proxy', 'by the right way');
    }
}

finish();
