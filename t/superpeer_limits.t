# What one origin is asked at most, over all files: bytes a second, shared by
# those that read, and connections.

use v5.36;
use List::Util qw(max min);
use Shoal::Test;
use Shoal::FakeTracker qw(fake_tracker);

my $rate = 2 << 20;
my $size = 7 << 20;
my $host = 'cdn.example.com';
my @addrs = ('127.0.0.11', '127.0.0.12', '127.0.0.13');
my $port = free_port(@addrs);
my $root = tmpdir('root');
my $log  = tmpdir('log') . '/access';
my $listen = join '', map { "listen $_:$port;" } @addrs;
nginx(name => 'cdn', http => <<"EOC");
    log_format open '\$connections_active \$request';
    server {
        $listen
        access_log $log open;
        root $root;
        limit_rate 4m;
    }
EOC
my $t  = fake_tracker();
my $sp = superpeer(trackers => [ $t->conf ], origins => ["http://$host:$port"],
    resolve => [ "$host:$port:" . join ',', @addrs ],
    settings => { limits => { origin_rate => $rate } });

sub prepare($name, $bytes) {
    make_file("$root/$name", $bytes, length $name, 1700000000);
    return $t->prepare("http://$host:$port/$name", $bytes);
}

# Bytes a second of these files together.
sub measure(@sizes) {
    state $n = 0;
    my $begun = now;
    my @ids = map { prepare('r' . ++$n, $_) } @sizes;
    $t->wait_line(qr/^\+$_ /, 40) for @ids;
    my $sum = 0;
    $sum += $_ for @sizes;
    return $sum / (now - $begun);
}

for my $jobs (1, 3) {
    my $got = measure((int $size / $jobs) x $jobs);
    cmp_ok($got, '<', 1.1 * $rate, "$jobs jobs: not above the rate");
    cmp_ok($got, '>', 0.7 * $rate, "$jobs jobs: and not far below");
}

# A job that has nothing to read takes nothing of the budget.
my $silent = cdn(host => $host, port => free_port('127.0.0.14'), nodes =>
    [ { addr => '127.0.0.14', bad => { hang => 1 } } ]);
$sp->stop;
$t->forget_commands->clear;
my $mixed = superpeer(trackers => [ $t->conf ], name => 'mixed',
    origins => [ "http://$host:$port", 'http://' . $host . ':'
        . $silent->port ],
    resolve => [ "$host:$port:127.0.0.11", $silent->resolve ],
    settings => { limits => { origin_rate => $rate } });
$t->prepare($silent->url("s$_"), 100_000) for 1 .. 3;
wait_for { $mixed->status->{prefetch}{running} == 3 } 5, 'jobs that hang';
cmp_ok(measure($size / 2), '>', 0.7 * $rate, 'beside three that hang');
$mixed->stop;

# Who waits for a connection takes no place: with two places and one connection
# to an origin, the file of another one comes at once. Also where a burst of
# commands comes before the first connection, and https is asked for http.
my $dir = tmpdir('tls');
my ($status, undef, $err) = run_cmd({ cwd => $dir }, qw(openssl req -x509
    -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout x.key
    -out x.pem -subj /CN=x -addext), "subjectAltName=DNS:$host");
die "openssl: $err\n" if $status ne '0';
nginx(name => 'tls', http => <<"EOC");
    server {
        listen 127.0.0.15:443 ssl;
        ssl_certificate $dir/x.pem;
        ssl_certificate_key $dir/x.key;
        root $root;
        limit_rate 300k;
    }
EOC
make_file("$root/w$_", 2_000_000, $_, 1700000000) for 1 .. 3;
my $quick = cdn(host => 'other.example.com',
    nodes => [ { addr => '127.0.0.16' } ]);
$quick->file('o.bin', 200_000);
$t->forget_commands->clear;
my $places = superpeer(trackers => [ $t->conf ], name => 'places',
    origins => [ "https://$host", 'http://other.example.com:'
        . $quick->port ],
    resolve => [ "$host:443:127.0.0.15", $quick->resolve ],
    settings => { origin_ca => "$dir/x.pem", limits =>
        { origin_connections => 1, prefetch_jobs => 2, nodes_per_file => 1 }
    });
my @slow = map { $t->prepare("http://$host/w$_", 2_000_000) } 1 .. 3;
$t->prepare($quick->url('o.bin'), 200_000);
my $first = $t->wait_line(qr/^[+?]/, 40);
like($first, qr/^\+\S+/, 'one file is there');
ok(!(grep { $first =~ / ?$_ / } @slow), 'that of the origin that is free');
$places->stop;

# Connections. A limit of 3 for six files of two nodes each.
$t->forget_commands->clear;
spew($log, '');
my $few = superpeer(trackers => [ $t->conf ], name => 'few',
    origins => ["http://$host:$port"],
    resolve => [ "$host:$port:" . join ',', @addrs ],
    settings => { limits => { origin_connections => 3, prefetch_jobs => 6 } });
my @ids = map { prepare("c$_", 3_000_000) } 1 .. 6;
my $most = 0;
sub open_connections() {
    return scalar grep { /^\s*\d+: 0[BCD]00007F:[0-9A-F]{4} [0-9A-F]{8}:[0-9A-F]{4} 01 /
        && hex((split /[: ]+/, s/^\s+//r)[2]) == $port }
        split /\n/, slurp('/proc/net/tcp');
}
wait_for {
    # The table is not read in one go: one that ends and the next that begins
    # may both be in it, but not twice.
    $most = max($most, map { min(open_connections(), open_connections()) }
        1 .. 3);
    my @lines = $t->lines;
    @ids == grep { my $id = $_; grep { /^[+?]$id / } @lines } @ids;
} 60, 'six files';
is(scalar(grep { /^\+/ } map { my $id = $_; grep { /^[+?]$id / } $t->lines }
    @ids), 6, 'six files with three connections');
cmp_ok($most, '<=', 3, 'never more of them, as the system sees it');
cmp_ok($most, '>', 1, 'but several');
cmp_ok(max(map { /^(\d+)/ } split /\n/, slurp($log)), '<=', 3,
    'nor as nginx sees it');

# One connection is enough, and a reload changes the limit.
$few->{settings}{limits} = { origin_connections => 1, prefetch_jobs => 6 };
$few->write_conf;
$few->process->signal('HUP');
wait_for { $few->stderr =~ /reload: done/ } 5, 'the reload';
spew($log, '');
@ids = map { prepare("d$_", 1_500_000) } 1 .. 4;
like($t->wait_line(qr/^[+?]$_ /, 30), qr/^\+/, 'with one connection')
    for @ids;
is(max(map { /^(\d+)/ } split /\n/, slurp($log)), 1, 'really one');

finish();
