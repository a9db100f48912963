# A cache folder that cannot be used: words, a status of its own, nothing
# started.

use v5.36;
use Shoal::Test;

my $file = spew(tmpdir('x') . '/file', 'x');
my $locked = tmpdir('locked');

sub try_cache($path) {
    my $sp = Shoal::SuperPeer->new(cache => $path,
        origins => ['http://cdn.example.com'],
        trackers => [ { url => 'http://127.0.0.1:9/control' } ]);
    return $sp->run_bad;
}

my ($st, $out, $err) = try_cache("$file/below");
is($st, 3, 'below a file: status 3');
like($err, qr/ error - cache \Q$file\E\/below: Not a directory$/m, 'words');

($st, $out, $err) = try_cache('/nonexistent/cache');
is($st, 3, 'no folder: status 3');
like($err, qr/ cache \/nonexistent\/cache: No such file or directory$/m,
     'words');

SKIP: {
    skip 'root may write anywhere', 2 if $> == 0;
    chmod 0500, $locked;
    ($st, $out, $err) = try_cache($locked);
    is($st, 3, 'not writable: status 3');
    like($err, qr/ cache \Q$locked\E: Permission denied$/m, 'words');
    chmod 0700, $locked;
}

# A file that is no cache is moved aside.
my $junk = tmpdir('junk');
spew("$junk/data.mdb", 'no LMDB file ' x 10000);
my $new = superpeer(cache => $junk, origins => ['http://cdn.example.com'],
    trackers => [ { url => 'http://127.0.0.1:9/control' } ]);
my ($aside) = map { s{.*/}{}r } glob "$junk/data.mdb.damaged-*";
like($new->stderr, qr/ error - cache \Q$junk\E: data\.mdb is damaged: /,
     'damaged: words');
like($new->stderr, qr/; moved to \Q$aside\E, a new one is begun/, 'where it is');
is(slurp("$junk/$aside"), 'no LMDB file ' x 10000, 'and not changed');
$new->stop;

# One at a time.
my $sp = superpeer(origins => ['http://cdn.example.com'],
    trackers => [ { url => 'http://127.0.0.1:9/control' } ]);
($st, $out, $err) = try_cache($sp->cache);
is($st, 3, 'in use: status 3');
like($err, qr/ cache \S+: in use by another super peer$/m, 'words');
ok($sp->alive, 'the first one goes on');

finish();
