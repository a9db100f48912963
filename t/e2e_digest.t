# Digests that the origin publishes, and piece layers by header, option and
# file: right ones pass, wrong ones are noticed.

use v5.36;
use Shoal::Test;
use Digest::MD5;
use IO::File;
use MIME::Base64 qw(encode_base64);

my $size = 1_000_000;
my $dir = tmpdir('layers');
my $content = make_file("$dir/content", $size, 1);
my $other = make_file("$dir/other", $size, 2);
my %sha = map { $_ => encode_base64(pack('H*', sha256_file("$dir/$_")), '') }
    qw(content other);
for my $file ($content, $other) {
    is(shoal('--make-layer', $file)->{status}, 0, 'layer made');
}

my %md5 = map { $_ => encode_base64(Digest::MD5->new->addfile(
    IO::File->new("$dir/$_", 'r'))->digest, '') } qw(content other);

my $cdn = cdn(nodes => 2, server => join "\n",
    'location /md5/ { add_header Content-MD5 "' . $md5{content} . '"; }',
    'location /wrongmd5/ { add_header Content-MD5 "' . $md5{other} . '"; }',
    'location /amz/ { add_header x-amz-checksum-sha256 "' . $sha{other}
        . '"; }',
    'location /parts/ { add_header x-amz-checksum-sha256 "' . $sha{other}
        . '-2"; }',
    'location /good/ { add_header Repr-Digest "sha-256=:' . $sha{content}
        . ':"; }',
    'location /wrong/ { add_header Repr-Digest "sha-256=:' . $sha{other}
        . ':"; }',
    'location /old/ { add_header Digest "SHA-256=' . $sha{content} . '"; }',
    'location /slow/ { limit_rate 300; }',
    'location /link/ { add_header Link "</layers/f.shoal>; '
        . 'rel=\"piece-layer\""; }');
$cdn->file('f.bin', $size, 1);
my $first = $cdn->node(0)->path('f.bin');
$cdn->link_file($first, "$_/f.bin") for qw(good wrong old link auto none md5 wrongmd5 amz parts);
$cdn->link_file("$content.shoal", 'layers/f.shoal');
$cdn->link_file("$content.shoal", 'auto/f.bin.shoal');
$cdn->link_file("$other.shoal", "$_/other.shoal") for qw(layers slow);

sub get($name, @args) {
    return shoal($cdn->client_args, @args, $cdn->url($name));
}

download_ok(get('good/f.bin'), $first, 'Repr-Digest');
download_ok(get('old/f.bin'), $first, 'Digest');
download_ok(get('md5/f.bin'), $first, 'Content-MD5');
download_ok(get('parts/f.bin'), $first, 'a checksum of parts is none of it');
is(get("$_/f.bin")->{status}, 32, "other bytes: $_") for qw(wrongmd5 amz);
my $r = get('wrong/f.bin');
is($r->{status}, 32, 'a Repr-Digest of other bytes');
ok(!-e "$r->{dir}/f.bin", 'no file that looks whole');
like($r->{stderr}, qr/^shoal: .*(?:verif|digest|checksum)/mi, 'says why');

download_ok(get('link/f.bin'), $first, 'Link: rel="piece-layer"');
download_ok(get('auto/f.bin', '--layer=auto'), $first, '--layer=auto');
download_ok(get('none/f.bin', '--layer=auto'), $first, 'auto, none there');
download_ok(get('f.bin', "--layer=$content.shoal"), $first, '--layer=FILE');
download_ok(get('f.bin', '--layer=' . $cdn->url('layers/f.shoal')), $first,
    '--layer=URL');
for my $bad ("$other.shoal", $cdn->url('layers/other.shoal')) {
    $r = get('f.bin', "--layer=$bad");
    is($r->{status}, 32, 'a layer of other bytes');
    ok(!-e "$r->{dir}/f.bin", 'no file that looks whole');
}

# It is waited for, though the file is there long before.
my $slow = $cdn->url('slow/other.shoal');
$r = get('f.bin', "--layer=$slow");
is($r->{status}, 32, 'a layer that comes late');

# A layer file that is none.
my $text = slurp("$content.shoal");
my %damaged = (
    'cut off'     => substr($text, 0, length($text) - 5),
    'longer'      => $text . 'x',
    'empty'       => '',
    'other magic' => $text =~ s/shoal-layer 1/shoal-layer 2/r,
    'other size'  => $text =~ s/^size \d+/size 99/mr,
    'other block' => $text =~ s/^block \d+/block 131072/mr,
    'other root'  => $text =~ s/^root ..../root 0000/mr,
    'flipped'     => substr($text, 0, -1) . chr(ord(substr $text, -1) ^ 1),
);
for my $what (sort keys %damaged) {
    spew("$dir/damaged", $damaged{$what});
    $r = get('f.bin', "--layer=$dir/damaged");
    isnt($r->{status}, 0, "damaged layer: $what");
    like($r->{stderr}, qr/^shoal: .+/m, 'says why');
}

# Other algorithms.
for my $alg ([ 'md5', 'md5sum' ], [ 'sha-1', 'sha1sum' ],
             [ 'sha-512', 'sha512sum' ])
{
    my (undef, $out) = run_cmd($alg->[1], $first);
    my ($hex) = $out =~ /^(\w+)/;
    download_ok(get('f.bin', '--checksum', "$alg->[0]=$hex"), $first,
        $alg->[0]);
    is(get('f.bin', '--checksum', "$alg->[0]=" . reverse $hex)->{status}, 32,
        "$alg->[0]: wrong");
}

finish();
