# CDN nodes that misbehave in mid-download: the others carry it to its end.

use v5.36;
use IO::Socket::IP;
use Shoal::Test;

my $size = 6 * 1048576;
my %kind = (
    'wrong Content-Range' => { shift => 1 },
    'another total'       => { total => 5 },
    'truncates'           => { truncate => 500_000 },
    'stalls'              => { stall => 700_000 },
    'stalls at once'      => { stall => 0 },
    'changes its ETag'    => { change => { after => 1, etag => '"other"' } },
    'changes its size'    => { change => { after => 1, size => $size + 9 } },
    'Content-Encoding'    => { encoding => 'gzip' },
    'says 503'            => { status => 503, retry_after => 1 },
    'once 503'           => { status => 503, times => 1, retry_after => 1 },
    'slow answers'        => { delay => 1 },
    'no validators'       => { etag => '', ranges => 1 },
);

for my $name (sort keys %kind) {
    my $cdn = cdn(nodes => [ { bad => $kind{$name} }, {}, {} ],
        limit_rate => '4m');
    my $path = $cdn->file('b.bin', $size, 1);
    my $r = shoal($cdn->client_args, $cdn->url('b.bin'));
    download_ok($r, $path, $name);
    cmp_ok($r->{seconds}, '<', deadline(12), 'in time');
    note(sprintf '%.1f s', $r->{seconds});
    $cdn->stop;
}

# A node that no connection comes about with: its queue of them is full.
{
    my $cdn = cdn(nodes => [ {}, {} ]);
    my $path = $cdn->file('b.bin', $size, 1);
    my ($addr, $port) = ($cdn->node(0)->{addr}, $cdn->port);
    $cdn->node(0)->stop;
    my $mute = IO::Socket::IP->new(LocalHost => $addr, LocalPort => $port,
        Listen => 1, ReuseAddr => 1) or die "$addr:$port: $!\n";
    listen $mute, 0;
    my @filled = map { IO::Socket::IP->new(PeerHost => $addr,
        PeerPort => $port, Blocking => 0) } 1 .. 4;
    my $r = shoal($cdn->client_args, $cdn->url('b.bin'));
    download_ok($r, $path, 'one that does not take connections');
    cmp_ok($r->{seconds}, '<', deadline(4), 'another one gets its request');
    $cdn->stop;
}

# Alone, a node that breaks off is asked again.
for my $name ('truncates') {
    my $cdn = cdn(nodes => [ { bad => $kind{$name} } ]);
    my $path = $cdn->file('b.bin', $size, 1);
    my $r = shoal($cdn->client_args, $cdn->url('b.bin'));
    download_ok($r, $path, "$name, alone");
    $cdn->stop;
}

# One that contradicts itself, and is the first to answer each time.
{
    my $cdn = cdn(nodes => [ { bad => { total => 7 } },
        map { { bad => { delay => 2 } } } 1, 2 ]);
    my $path = $cdn->file('b.bin', $size, 1);
    my $r = shoal($cdn->client_args, $cdn->url('b.bin'));
    download_ok($r, $path, 'another total, the others are late');
    $cdn->stop;
}

# Right headers, wrong bytes: only a checksum tells, and it does.
my $cdn = cdn(nodes => [ {}, { bad => { corrupt => 1 } }, {} ],
    limit_rate => '3m');
my $path = $cdn->file('b.bin', $size, 1);
my $r = shoal($cdn->client_args, '--checksum',
    'sha256=' . sha256_file($path), $cdn->url('b.bin'));
like($r->{status}, qr/^(?:0|32)$/, 'corrupt node, --checksum');
if ($r->{status} eq '0') { same_file("$r->{dir}/b.bin", $path, 'content') }
else { ok(!-e "$r->{dir}/b.bin", 'no file') }

# With a piece layer it is found out and left.
$r = shoal('--make-layer', $path);
$r = shoal($cdn->client_args, "--layer=$path.shoal", $cdn->url('b.bin'));
download_ok($r, $path, 'corrupt node, piece layer');

finish();
