# The super peer's configuration is checked before anything starts; its
# example loads; its settings are documented.

use v5.36;
use Shoal::Test;
use IO::Socket::IP;

my $sp = Shoal::SuperPeer->new(origins => ['http://cdn.example.com'],
    trackers => [ { url => 'http://127.0.0.1:9/control', token => 'x' } ]);
my $bin = program('superpeer');

my ($st, $out, $err) = $sp->run_bad('-t');
is($st, 0, '-t: status 0');
is($out, $sp->conf . ": ok\n", 'says so');
is($err, '', 'and nothing else');
ok(!-e $sp->cache . '/data.mdb', 'and starts nothing');

my $good = slurp($sp->conf);
my @bad = (
    [ 'unknown key', "nonsense: 1\n", 'nonsense: expected a setting' ],
    [ 'unknown key below', "limits:\n  speed: 1\n",
      'limits.speed: expected a setting', 1 ],
    [ 'wrong type', "limits:\n  connections: many\n",
      'limits.connections: expected a number from 1 to 15000, given `many`',
      1 ],
    [ 'out of range', "limits:\n  prefetch_jobs: 65\n",
      'limits.prefetch_jobs: expected a number from 1 to 64, given `65`', 1 ],
);
for my $b (@bad) {
    my ($name, $text, $message, $below) = @$b;
    spew($sp->conf, $good . $text);
    my $line = ($good =~ tr/\n//) + 1 + ($below // 0);
    for my $t ([], ['-t']) {
        ($st, $out, $err) = $sp->run_bad(@$t);
        is($st, 2, "$name: status");
        like($err, qr/^\Q$sp->{dir}\E\/superpeer\.yaml:$line: \Q$message\E/,
             "$name: file, line, key");
    }
}

spew($sp->conf, "name: a\n");
($st, $out, $err) = $sp->run_bad;
is($st, 2, 'missing settings: status');
for my $key (qw(cache.path cache.size origins)) {
    like($err, qr/:1: \Q$key\E: expected .*, given nothing$/m, $key);
}

spew($sp->conf, "name: [\n");
($st, $out, $err) = $sp->run_bad;
is($st, 2, 'no YAML: status');
like($err, qr/:2: not YAML: /, 'and where');

# A listener that is taken.
my $taken = IO::Socket::IP->new(LocalHost => $sp->addr,
    LocalPort => $sp->port, Listen => 1);
spew($sp->conf, $good);
($st, $out, $err) = $sp->run_bad;
is($st, 4, 'address in use: status');
like($err, qr/ error - block server: listen on .* Address already in use$/m,
     'address in use: words');

# The command line.
($st, $out, $err) = run_cmd($bin, '-h');
is($st, 0, '-h');
like($out, qr/^usage: superpeer .*-c, --config/s, 'usage');
($st, $out, $err) = run_cmd($bin, '-V');
like($out, qr/^superpeer \d+\.\d+\.\d+$/, '-V');
for my $args ([], ['-x'], ['-c'], ['-c', 'a', 'b']) {
    ($st, $out, $err) = run_cmd($bin, @$args);
    is($st, 2, "superpeer @$args: status 2");
    like($err, qr/usage: superpeer/, 'usage');
}
($st, $out, $err) = run_cmd($bin, '-c', '/nonexistent/file');
is($st, 2, 'no file');
is($err, "/nonexistent/file: No such file or directory\n", 'words');

# What comes with it.
sub openssl(@args) {
    my ($st, $out, $err) = run_cmd({ cwd => tmpdir('etc') }, 'openssl', @args);
    die "openssl @args: $err\n" if $st;
}
my ($etc, $folder) = (tmpdir('etc'), tmpdir('folder'));
openssl(qw(req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2
    -subj /CN=sp1 -keyout sp1.key -out sp1.pem));
openssl(qw(ecparam -name prime256v1 -genkey -noout -out other.key));
spew("$etc/ca.pem", slurp("$etc/sp1.pem"));
spew("$etc/token", "sesame\n");
spew("$etc/tickets.key", 'ab' x 16 . "\n");
my $example = slurp(top() . '/conf-examples/superpeer.yaml')
    =~ s{/etc/shoal}{$etc}gr =~ s{/var/cache/shoal}{$folder}r;

# -t with this file: (status, what it says).
sub try($text) {
    my $file = spew(tmpdir('try') . '/try.yaml', $text);
    my ($st, $out, $err) = run_cmd($bin, '-t', '-c', $file);
    return ($st, $err =~ s/\Q$file\E/F/gr);
}
is_deeply([ try($example) ], [ 0, '' ], 'the example loads');
my ($short) = slurp(top() . '/README.md') =~ /^```yaml\n(.*?)^```/ms;
is_deeply([ try($short =~ s{/etc/shoal}{$etc}gr =~ s{/var/cache/shoal}{$folder}r) ],
    [ 0, '' ], "the README's too");
my $whole = $example =~ s/^#(?! \S)//gmr;
is_deeply([ try($whole) ], [ 0, '' ], 'and with all that stands behind a #');
my %there;
for my $line (split /\n/, $whole) {
    state @above;
    my ($indent, $list, $key) = $line =~ /^( *)(- )?(\w+):/ or next;
    my $depth = length("$indent" . ($list // '')) / 2;
    @above = @above[ 0 .. length($indent) / 2 - 1 ];
    $above[$depth] = $key;
    $there{ join '.', grep { defined } @above[ 0 .. $depth ] } = 1;
}

# The files that it names: what is wrong with each, and where.
for my $fault (
    [ sp1 => 'key', sub { spew("$etc/sp1.key", slurp("$etc/other.key")) },
      qr/^F:\d+: (?:tls|trackers\[\]\.certificate): .*not the key of the certificate/m ],
    [ token => 'missing', sub { unlink "$etc/token" },
      qr/^F:\d+: trackers\[\]\.token_file: \S+: No such file/m ],
    [ ca => 'rubbish', sub { spew("$etc/ca.pem", "hello\n") },
      qr/^F:\d+: trackers\[\]\.ca: \S+: expected certificates in PEM, given none$/m ],
    [ tickets => 'rubbish', sub { spew("$etc/tickets.key", "xyz\n") },
      qr/^F:\d+: tickets\.key_file: / ],
    [ cache => 'a file', sub { rmdir $folder; spew($folder, '') },
      qr/^F:\d+: cache\.path: expected a folder, given `\S+`, which is none$/m ],
    [ cache => 'missing', sub { rmdir $folder },
      qr/^F:\d+: cache\.path: expected a folder that can be written, given `\S+`: No such/m ])
{
    my ($what, $how, $do, $re) = @$fault;
    my %kept = map { $_ => slurp($_) } glob "$etc/*";
    $do->();
    ($st, $err) = try($whole);
    is($st, 2, "$what: $how: status 2");
    like($err, $re, 'what, and where');
    spew($_, $kept{$_}) for keys %kept;
    if ($what eq 'cache') { unlink $folder; mkdir $folder }
}
is_deeply([ try($whole) ], [ 0, '' ], 'all of it is right again');
ok(!-e "$folder/data.mdb", 'and the folder is as it was');
($st, $out, $err) = run_cmd($bin, '-S');
ok(index(slurp(top() . '/docs/settings.md'), $out) > 0,
   'docs/settings.md has what superpeer -S prints');
is((run_cmd($bin, "--settings$_"))[1], $out, "--settings$_: the same")
    for '', '=markdown';
my @keys = $out =~ /^### `(.*)`$/mg;
is_deeply([ sort map { s/\[\]//r } @keys ],
    [ sort grep { my $k = $_; !grep { /^\Q$k\E\./ } keys %there } keys %there ],
    'the example has all of them, and no others');
my ($help) = (run_cmd($bin, '--help'))[1];
is_deeply([ grep { $help !~ /^ +\Q$_\E +(?:required|default: )/m } @keys ], [],
          '--help names them all');
my $man = (run_cmd($bin, '--settings=man'))[1];
is_deeply([ map { s/\\-/-/gr } $man =~ /^\.B (.*)$/mg ], \@keys,
          '--settings=man has them all');
ok(index(slurp(top() . '/docs/superpeer.8'), $man) > 0,
   'docs/superpeer.8 has what it prints');
is((run_cmd($bin, '--settings=html'))[0], 2, 'another format: status 2');

finish();
