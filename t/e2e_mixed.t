# CDN nodes that hold different things under one URL: what is saved is the
# version that most of them hold, or what the checksum says, whatever the
# nodes show; or nothing, with an error that lists them.

use v5.36;
use JSON::PP;
use Shoal::Mixed qw(mixed);
use Shoal::Test;

my $m = mixed(size => 3_000_000, rate => '2m');

sub start($case, @more) {
    my $cdn = $m->cdn($case);
    return [ $case, $cdn, shoal_start($cdn->client_args, '-q',
        '--report=report.json', @more, $cdn->url('f.bin')) ];
}

# Its end, the content of the file, and the report.
sub end($play) {
    my ($case, $cdn, $p) = @$play;
    my $r = shoal_end($p, 60);
    my $file = "$r->{dir}/f.bin";
    my $got = -e $file ? $m->which(slurp($file)) : 'error';
    my $report = decode_json(slurp("$r->{dir}/report.json"))->{files}[0];
    $cdn->stop;
    return ($got, $report, $r);
}

sub judge($play) {
    my ($case) = @$play;
    my ($got, $report, $r) = end($play);
    my $want = $case->{want};
    if ($want eq 'one') {
        isnt($got, 'none', "$case->{name}: no mixture");
    } else {
        is($got, $want, $case->{name}) or diag($r->{stderr});
    }
    return if $want ne 'error';
    isnt($r->{status}, 0, 'the exit status says so');
    my $error = $report->{error};
    note($error);
    like($r->{stderr}, qr/^shoal: .*; nodes: /m, 'the error lists them');
    for my $node ($play->[1]->nodes) {
        my $size = -s $node->path('f.bin');
        like($error, qr/\Q@{[ $node->addr ]}\E[^;]*: $size bytes, (?:no )?ETag[^;]*, (?:no )?Last-Modified/,
            'each with its size and validators');
    }
}

# Some at a time.
sub play(@start) {
    while (my @some = splice @start, 0, 5) {
        judge($_) for map { $_->() } @some;
    }
}

play(map { my $case = $_; sub () { start($case) } } $m->cases);

# A checksum decides, also for what fewest hold, and whatever validators say.
my %sum = map { $_ => 'sha-256=' . sha256_file($m->path($_)) } qw(right other);
play(map { my ($name, $what, @nodes) = @$_;
    sub () { start({ name => "a checksum: $name", nodes => \@nodes,
        want => $what }, '--checksum', $sum{$what}) } }
    [ 'what one of three holds', 'right', qw(other right other) ],
    [ 'what one of three holds, in secret', 'other', qw(right right other) ],
    [ 'what the fifth node holds', 'right', ('other') x 4, 'right' ],
    [ 'another version', 'right', [ 'other', etag => '"a"' ],
        [ 'other', etag => '"a"' ], 'right' ]);

# Nobody has it.
my $none = start({ name => 'none', nodes => [qw(other last)] }, '--checksum',
    $sum{right});
my ($got, $report, $r) = end($none);
is($got, 'error', 'a checksum that nobody has: no file');
is($r->{status}, 32, 'the exit status');
like($report->{error}, qr/checksum.*; nodes: .*ETag.*; .*ETag/,
    'the error lists the nodes');

finish();
