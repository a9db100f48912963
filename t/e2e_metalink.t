# Metalink 4: from a file, from a URL, found by its type, in Link headers; and
# checksums in lists.

use v5.36;
use Digest::SHA ();
use MIME::Base64 ();
use Shoal::Test;

my $size = 1_500_000;
my @host = map { cdn(nodes => 1, host => "h$_.example.com") } 0 .. 2;
my @args = map { $_->client_args } @host;
$host[0]->file($_, $size, 1) for qw(a.bin l.bin d.bin);
$host[$_]->file('a.bin', $size, 1, mtime => 1_600_000_000 + $_) for 1, 2;
$host[2]->file('bad.bin', $size, 2, mtime => 1_600_000_002);
my $path = $host[0]->node(0)->path('a.bin');
my $sha = sha256_file($path);

sub pieces($file, $length) {
    my $data = slurp($file);
    return join '', qq(<pieces length="$length" type="sha-256">),
        (map { '<hash>' . Digest::SHA::sha256_hex(substr $data, $_ * $length,
            $length) . '</hash>' } 0 .. (length($data) - 1) / $length),
        '</pieces>';
}

sub metalink(@files) {
    return '<?xml version="1.0" encoding="UTF-8"?>'
        . '<metalink xmlns="urn:ietf:params:xml:ns:metalink">'
        . join('', map { qq(<file name="$_->{name}">)
            . ($_->{size} ? "<size>$_->{size}</size>" : '')
            . ($_->{sha} ? qq(<hash type="sha-256">$_->{sha}</hash>) : '')
            . ($_->{pieces} // '')
            . join('', map { qq(<url priority="$_->[0]">$_->[1]</url>) }
                @{ $_->{urls} }) . '</file>' } @files)
        . '</metalink>';
}

sub urls($name, @which) {
    return [ map { [ $_ + 1, $host[$_]->url($name) ] } @which ];
}

my $dir = tmpdir('metalink');
spew("$dir/a.meta4", metalink({ name => '../../a.bin', size => $size,
    sha => $sha, urls => urls('a.bin', 2, 1) }));
my $r = shoal(@args, '--input-metalink', "$dir/a.meta4");
download_ok({ %$r, file => "$r->{dir}/a.bin" }, $path, 'from a file');

# Its hash decides, and so does its size.
spew("$dir/sha.meta4", metalink({ name => 'a.bin', size => $size,
    sha => 'ab' x 32, urls => urls('a.bin', 1) }));
$r = shoal(@args, '--input-metalink', "$dir/sha.meta4");
is($r->{status}, 32, 'another hash');
ok(!-e "$r->{dir}/a.bin", 'no file');
spew("$dir/size.meta4", metalink({ name => 'a.bin', size => $size + 1,
    urls => urls('a.bin', 1) }));
$r = shoal(@args, '--input-metalink', "$dir/size.meta4");
isnt($r->{status}, 0, 'another size');
like($r->{stderr}, qr/other size: $size/, 'said so');
spew("$dir/rubbish.meta4", '<html>no</html>');
$r = shoal(@args, '--input-metalink', "$dir/rubbish.meta4");
is($r->{status}, 1, 'rubbish');
like($r->{stderr}, qr/rubbish\.meta4: line 1: not a Metalink 4/, 'and where');

# Hashes of pieces find out what is wrong, without any other.
spew("$dir/pieces.meta4", metalink({ name => 'a.bin', size => $size,
    pieces => pieces($path, 100_000),
    urls => [ [ 1, $host[1]->url('a.bin') ], [ 2, $host[2]->url('bad.bin') ] ]
}));
$r = shoal(@args, '--input-metalink', "$dir/pieces.meta4");
download_ok({ %$r, file => "$r->{dir}/a.bin" }, $path, 'pieces');
spew("$dir/pieces2.meta4", metalink({ name => 'a.bin', size => $size,
    pieces => pieces($path, 100_000),
    urls => [ [ 1, $host[2]->url('bad.bin') ], [ 2, $host[1]->url('a.bin') ] ]
}));
$r = shoal(@args, '--input-metalink', "$dir/pieces2.meta4");
download_ok({ %$r, file => "$r->{dir}/a.bin" }, $path,
    'pieces, and the first mirror is wrong');

# Behind a URL: asked for, or found by its type; several files in one.
my $origin = cdn(nodes => 1, host => 'm.example.com',
    server => 'types { application/metalink4+xml meta4; }');
push @args, $origin->client_args;
spew($origin->node(0)->path('two.meta4'), metalink(
    { name => 'one', size => $size, sha => $sha, urls => urls('a.bin', 1, 2) },
    { name => 'two', sha => sha256_file($host[2]->node(0)->path('bad.bin')),
      urls => urls('bad.bin', 2) }));
$r = shoal(@args, '--input-metalink', $origin->url('two.meta4'),
    '--select-file=2');
same_file("$r->{dir}/two", $host[2]->node(0)->path('bad.bin'),
    'one of several, behind a URL');
$r = shoal(@args, $origin->url('two.meta4'));
is($r->{status}, 0, 'found by its type');
same_file("$r->{dir}/one", $path, 'the first file');
same_file("$r->{dir}/two", $host[2]->node(0)->path('bad.bin'), 'the second');
ok(!-e "$r->{dir}/two.meta4", 'not the Metalink itself');
$r = shoal(@args, '--select-file=3', $origin->url('two.meta4'));
like($r->{stderr}, qr/has no file 3, only 2/, 'not so many');

# Link headers (RFC 6249), with the digest that lets the mirror be used.
my $digest = MIME::Base64::encode_base64(pack('H*', $sha), '');
$host[0]->set(limit_rate => '200k', headers => {
    Digest => "SHA-256=$digest",
    Link => '<' . $host[1]->url('a.bin') . '>; rel=duplicate; pri=1; geo=de, '
        . '<' . $origin->url('l.meta4')
        . '>; rel=describedby; type="application/metalink4+xml"',
});
spew($origin->node(0)->path('l.meta4'), metalink({ name => 'x', size => $size,
    sha => $sha, urls => urls('a.bin', 2) }));
$r = shoal(@args, $host[0]->url('l.bin'));
download_ok({ %$r, file => "$r->{dir}/l.bin" }, $path, 'Link headers');
like($r->{stderr}, qr/h1\.example\.com\S* 127\S+ +CDN node +[1-9]/,
    'the mirror gave some');
like($r->{stderr}, qr/h2\.example\.com/, 'and the Metalink was read');

# Of one priority, first those in the country that is preferred.
$host[0]->set(headers => { Digest => "SHA-256=$digest", Link => join ', ',
    map { my ($n, $more) = @$_; '<' . $host[1]->url("$n.bin") . ">; rel=duplicate; $more" }
        [ a => 'pri=2; geo=de; depth=1' ], [ b => 'pri=1; geo=fr' ],
        [ c => 'pri=1; geo=DE' ], [ d => 'geo=de' ], [ e => 'pri=9; pref' ] });
for my $case ([ 'e b c a d' ], [ 'e c b a d', '--preferred-location=de' ]) {
    my ($order, @more) = @$case;
    $r = shoal(@args, '--explain', @more, $host[0]->url('l.bin'));
    is(join(' ', $r->{stderr} =~ m{names a mirror: \S+/(\w)\.bin}g), $order,
        "Link: the order of mirrors @more");
}

# Lists of checksums.
$host[0]->set(limit_rate => undef, headers => {});
spew("$dir/SUMS", "# list\n$sha *./x/a.bin\n" . 'cd' x 32 . "  b.bin\n");
$r = shoal(@args, "--checksum=\@$dir/SUMS", $host[0]->url('a.bin?x=1'));
is($r->{status}, 0, 'list of checksums');
spew("$dir/BSD", "SHA256 (a.bin) = " . 'cd' x 32 . "\n");
$r = shoal(@args, "--checksum=\@$dir/BSD", $host[0]->url('a.bin'));
is($r->{status}, 32, 'BSD style, wrong');
$r = shoal(@args, "--checksum=\@$dir/BSD", $host[0]->url('l.bin'));
is($r->{status}, 32, 'not in the list');
like($r->{stderr}, qr/BSD: no checksum of l\.bin/, 'said so');
$r = shoal(@args, '--checksum=@/none', $host[0]->url('l.bin'));
is($r->{status}, 3, 'no list');

# URL.sha256
spew($host[0]->node(0)->path('a.bin.sha256'), "$sha\n");
spew($host[0]->node(0)->path('l.bin.sha256'), 'cd' x 32 . "  l.bin\n");
$r = shoal(@args, '--checksum=auto', $host[0]->url('a.bin'));
download_ok({ %$r, file => "$r->{dir}/a.bin" }, $path, 'auto');
$r = shoal(@args, '--checksum=auto', $host[0]->url('l.bin'));
is($r->{status}, 32, 'auto, wrong');
$r = shoal(@args, '--checksum=auto', $host[0]->url('d.bin'));
is($r->{status}, 0, 'auto, but there is none');
like($r->{stderr}, qr/d\.bin\.sha256: HTTP 404: the file is not checked/,
    'said so');

finish();
