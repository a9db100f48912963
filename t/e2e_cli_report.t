# --report and --explain: what became of all files, for programs and people.

use v5.36;
use JSON::PP;
use Shoal::Test;

my $s = stage(nodes => [ {}, { bad => { status => 503 } }, {} ],
    superpeers => 1, limit_rate => '1500k');
my $size = 4_000_000;
my $path = $s->cdn->file('f.bin', $size, 1);
is($s->get('f.bin')->{status}, 0, 'the super peer hears of it');
$s->wait_ready('f.bin');
my @args = ($s->cdn->client_args, '--tracker', $s->tracker->url);

# docs/report.md has the schema: every key of it is there, and no other.
my $docs = slurp(top() . '/docs/report.md');
sub keys_of($section) {
    my ($text) = $docs =~ /^## $section\n(.*?)(?=^## |\z)/ms;
    return [ sort $text =~ /^\| `(\w+)` \|/mg ];
}

my $dir = tmpdir('report');
my $r = shoal({ cwd => $dir }, @args, '-q', '--report=report.json',
    $s->cdn->url('f.bin'), $s->cdn->url('none') . '?token=geheim', 'ftp://x/y');
is($r->{status}, 8, 'two of three fail');
my $text = slurp("$dir/report.json");
my $json = decode_json($text);
unlike($text =~ s/none\?token=geheim//r, qr/geheim/, 'no secrets but in names of files');
is_deeply([ sort keys %$json ], keys_of('Report'), 'keys of the report');
is($json->{status}, 8, 'status');
is($json->{format}, 1, 'format');
my ($good, $none, $bad) = $json->{files}->@*;
is_deeply([ sort keys %$_ ], keys_of('Files'), 'keys of a file')
    for $json->{files}->@*;
is(scalar($json->{files}->@*), 3, 'three files');
is($good->{url}, $s->cdn->url('f.bin'), 'url');
is($good->{file}, 'f.bin', 'file');
is($good->{status}, 0, 'status');
ok($good->{saved}, 'saved');
is($good->{error}, undef, 'no error');
is("$good->{size} $good->{held} $good->{resumed}", "$size $size 0", 'sizes');
my $used = 0;
$used += $_ for values $good->{used}->%*;
is($used, $size, 'all bytes are accounted for');
my %sum = map { $_ => 0 } qw(cdn super_peer peer);
$sum{ $_->{kind} } += $_->{used} for $good->{sources}->@*;
is_deeply([ @sum{qw(cdn super_peer peer)} ],
    [ $good->{used}->@{qw(cdn super_peers peers)} ], 'by source as by kind');
is_deeply([ sort keys %$_ ], keys_of('Sources'), 'keys of a source')
    for $good->{sources}->@*;
is_deeply([ sort keys %$_ ], keys_of('Trackers'), 'keys of a tracker')
    for $good->{trackers}->@*;
is_deeply([ sort keys %$_ ], keys_of('Events'), 'keys of an event')
    for $good->{events}->@*;
cmp_ok(scalar($good->{events}->@*), '>', 5, 'much happened');
my ($out) = grep { $_->{state} ne 'ok' } $good->{sources}->@*;
like($out->{state}, qr/503/, 'why a source was not used');
is("$none->{status} $none->{saved}", '8 ' . JSON::PP::false, 'one that is missing');
like($none->{error}, qr/404/, 'its error');
is($bad->{status}, 1, 'one that is no URL of ours');

# It replaces an older one, also a longer one.
$r = shoal({ cwd => $dir }, @args, '-q', '--report=report.json', 'ftp://x/');
is(scalar(decode_json(slurp("$dir/report.json"))->{files}->@*), 1, 'anew');
$r = shoal(@args, '-q', '--report=json', $s->cdn->url('f.bin'));
is(decode_json($r->{stdout})->{files}[0]{file}, 'f.bin', 'to standard output');
$s->cdn->link_file($path, "\xff.bin");
$r = shoal(@args, '-q', '--report=json', $s->cdn->url('%ff.bin'));
is(decode_json($r->{stdout})->{files}[0]{file}, '\377.bin', 'a name that is no UTF-8');
for my $to ('/none/x', '/') {
    $r = shoal(@args, "--report=$to", $s->cdn->url('f.bin'));
    is($r->{status}, 3, 'to nowhere');
    is(join(' ', glob "$r->{dir}/*"), '', 'is found out before anything else');
}

# After a signal it says how far all came.
my $p = shoal_start({ cwd => $dir }, @args, '-q', '--report=cut.json',
    '--limit-rate=500k', $s->cdn->url('f.bin'));
wait_for { -e "$dir/f.bin.1.part" } 10, 'it to begin';
$p->stop('INT');
$p->any_status;
$json = decode_json(slurp("$dir/cut.json"));
ok(!$json->{files}[0]{saved}, 'a download that was stopped');
cmp_ok($json->{files}[0]{held}, '<', $size, 'has not come to its end');

# For people.
$r = shoal(@args, '-q', '--explain', $s->cdn->url('f.bin'));
is($r->{status}, 0, '--explain');
note($r->{stderr});
like($r->{stderr}, qr/^Explanation of 'f\.bin':$/m, 'begins');
like($r->{stderr}, qr/^  CDN node 127\.0\.0\.$_: \S/m, "node $_") for 11 .. 13;
like($r->{stderr}, qr/^  CDN node 127\.0\.0\.12: .*503.*\n(?:    .*\n)*?    gave nothing$/m,
    'why one was not used');
like($r->{stderr}, qr/^  super peer \S+: ok$/m, 'the super peer');
like($r->{stderr}, qr{^\ {4}gave\ [\d.]+[KM]?\ \([\d.]+%\ of\ the\ file\)\ from
    \ [\d.]+\ s\ to\ [\d.]+\ s,\ \S+B/s}mx, 'times and rates');
like($r->{stderr}, qr/^  tracker \S+: ok$/m, 'the tracker');
like($r->{stderr}, qr/^  CDN node 127\.0\.0\.11: ok\n +[\d.]+ s  found/m,
    'what happened with a source when');

finish();
