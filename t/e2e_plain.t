# No ranges, or no length: one plain GET as wget does it, and no tracker.

use v5.36;
use Shoal::Test;

my $size = 3 * 1048576 + 5;
my %kind = (
    'no ranges'           => { ranges => 0 },
    'no length'           => { ranges => 0, length => 'none' },
    'chunked'             => { ranges => 0, length => 'chunked' },
    'no HEAD, no length'  => { ranges => 0, length => 'chunked',
                               head => 'forbid' },
);

my $tracker = tracker();
for my $name (sort keys %kind) {
    my $cdn = cdn(nodes => [ { bad => $kind{$name} } ]);
    my $path = $cdn->file('plain.bin', $size, 1);
    my $r = shoal($cdn->client_args, '--tracker', $tracker->url,
        $cdn->url('plain.bin'));
    download_ok($r, $path, $name);
    $cdn->stop;
}
is(slurp($tracker->dir . '/access.log'), '', 'the tracker heard nothing');

# Without ranges a broken connection is an error or a new start, never a
# short file.
for my $opt ({ ranges => 0, truncate => 1_000_000 },
             { ranges => 0, length => 'chunked', truncate => 1_000_000 })
{
    my $cdn = cdn(nodes => [ { bad => $opt } ]);
    $cdn->file('plain.bin', $size, 1);
    my $r = shoal($cdn->client_args, $cdn->url('plain.bin'));
    isnt($r->{status}, 0, 'truncated: not a success');
    isnt($r->{status}, 'timeout', 'and an end');
    ok(!-e "$r->{dir}/plain.bin", 'no file that looks whole');
    $cdn->stop;
}

# A checksum holds for a plain stream too.
{
    my $cdn = cdn(nodes => [ { bad => { ranges => 0 } } ]);
    my $path = $cdn->file('plain.bin', $size, 1);
    my $r = shoal($cdn->client_args, '--checksum',
        'sha256=' . sha256_file($path), $cdn->url('plain.bin'));
    download_ok($r, $path, 'plain, with its checksum');
    $r = shoal($cdn->client_args, '--checksum', 'md5=' . '0' x 32,
        $cdn->url('plain.bin'));
    is($r->{status}, 32, 'plain, with another checksum');
    ok(!-e "$r->{dir}/plain.bin", 'no file that looks whole');
    $cdn->stop;
}

# One node without ranges among good ones.
my $cdn = cdn(nodes => [ { bad => { ranges => 0 } }, {}, {} ]);
my $path = $cdn->file('plain.bin', $size, 1);
my $r = shoal($cdn->client_args, $cdn->url('plain.bin'));
download_ok($r, $path, 'the first node has no ranges');

finish();
