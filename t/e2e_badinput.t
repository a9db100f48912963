# Bad input: a clear message, wget's exit code, and nothing lost.

use v5.36;
use Shoal::Test;

my $cdn = cdn(nodes => 2, server => join "\n",
    map { "location /$_ { return $_; }" } 401, 403, 410, 500);
$cdn->file('ok.bin', 500_000, 1);
my @res = $cdn->client_args;
my $port = free_port('127.0.0.12');

my @case = (
    [ 'no URL', 2 ],
    [ 'unknown option', 2, '--no-such-option', $cdn->url('ok.bin') ],
    [ 'no value', 2, $cdn->url('ok.bin'), '-O' ],
    [ 'bad --resolve', 2, '--resolve', 'x', $cdn->url('ok.bin') ],
    [ 'bad address in --resolve', 2, '--resolve', 'x:80:1.2.3',
      $cdn->url('ok.bin') ],
    [ 'bad --checksum', 2, '--checksum', 'sha256=xyz', $cdn->url('ok.bin') ],
    [ 'bad --listen-port', 2, '--listen-port', '70000', $cdn->url('ok.bin') ],
    [ 'bad --bind-address', 2, '--bind-address', 'x.y', $cdn->url('ok.bin') ],
    [ 'bad --tracker', 2, '--tracker', 'ftp://x/', $cdn->url('ok.bin') ],
    [ 'ftp URL', qr/^[12]$/, 'ftp://example.com/a' ],
    [ 'no URL at all', qr/^[12]$/, 'just-a-word' ],
    [ 'file URL', qr/^[12]$/, 'file:///etc/passwd' ],
    [ 'no host', qr/^[12]$/, 'http:///a' ],
    [ 'host does not resolve', 4, 'http://no-such-host.invalid/a' ],
    [ 'nobody listens', 4, '--resolve', "x.example.com:$port:127.0.0.12",
      "http://x.example.com:$port/a" ],
    [ 'HTTP 404', 8, @res, $cdn->url('none') ],
    [ 'HTTP 403', 8, @res, $cdn->url('403') ],
    [ 'HTTP 410', 8, @res, $cdn->url('410') ],
    [ 'HTTP 500', 8, @res, $cdn->url('500') ],
    [ 'HTTP 401', 6, @res, $cdn->url('401') ],
    [ 'folder is a file', 3, @res, '-P', '/etc/passwd/x',
      $cdn->url('ok.bin') ],
    [ 'folder is missing for -O', 3, @res, '-O', '/nonexistent/x/y',
      $cdn->url('ok.bin') ],
    [ 'layer of a missing file', 3, '--make-layer', '/nonexistent' ],
    [ 'layer file is missing', 3, @res, '--layer=/nonexistent',
      $cdn->url('ok.bin') ],
);
for my $c (@case) {
    my ($name, $want, @args) = @$c;
    my $r = shoal({ deadline => 25 }, @args);
    if (ref $want) { like($r->{status}, $want, $name) }
    else           { is($r->{status}, $want, $name) }
    like($r->{stderr}, qr/^shoal: .+/m, "$name: says why")
        or diag($r->{stderr});
    # What was fetched already may stay, for -c.
    my @left = grep { !/\.part(\.ctl)?$/ } glob "$r->{dir}/*";
    is("@left", '', "$name: leaves no file");
}

# One of two fails: the other is there, the status is the failure's.
my $r = shoal(@res, $cdn->url('none'), $cdn->url('ok.bin'));
is($r->{status}, 8, 'one of two');
same_file("$r->{dir}/ok.bin", $cdn->node(0)->path('ok.bin'), 'the other');

# A file that is there is never damaged by a failure.
my $dir = tmpdir('keep');
spew("$dir/mine", 'precious');
$r = shoal(@res, '-O', "$dir/mine", $cdn->url('none'));
is($r->{status}, 8, '404 over an existing file');
is(slurp("$dir/mine"), 'precious', 'which is still there');

finish();
