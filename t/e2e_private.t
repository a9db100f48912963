# Who a user is, only the URL's own server hears: no tracker, no super peer, no
# server that it redirects to; and nobody else hears of such a file.

use v5.36;
use Shoal::Test;

my $size = 3 * 65536 + 5;
my $file = make_file(tmpdir('private') . '/a.bin', $size, 1, 1700000000);
my $secret = 'c0ffee5ecret';
my $serial = 0;

# A server that remembers all that it is asked.
sub listener(%o) {
    my $heard = tmpdir('heard') . '/' . ++$serial;
    my $addr = $o{addr} // '127.0.0.' . (20 + $serial);
    my $each = delete $o{each} // sub ($q) { () };
    spew($heard, '');
    my $n = Shoal::BadNode->new(port => free_port($addr), %o, addr => $addr,
        each => sub ($q) {
            open my $f, '>>', $heard or die "$heard: $!\n";
            syswrite $f, join "\n", $q->{line},
                (map { "$_: $q->{h}{$_}" } sort keys %{ $q->{h} }), '', '';
            return $each->($q);
        });
    $n->{heard} = $heard;
    $n->link_file($file, $_) for 'a.bin', 'plain.bin';
    return $n->start;
}

sub heard($n) { return slurp($n->{heard}) }
sub hush($n)  { spew($n->{heard}, '') }
sub at($n)    { return "$n->{addr}:$n->{port}" }

my $answer = sprintf '{"id":"%s","interval":60,"super":[],"peers":[]}',
    '11' x 20;
my $tracker = listener(handler => sub ($q) { (200, {}, $answer) });
my $named = listener(handler => sub ($q) { (200, {}, $answer) });
my $target = listener(rate => 600_000);
my $origin = listener(rate => 600_000,
    headers => { 'Shoal-Tracker' => 'http://' . at($named) . '/peers' },
    each => sub ($q) {
        $q->{uri} =~ m{^/go/} ? (redirect => 'http://' . at($target)
            . '/a.bin') : () });

my $home = tmpdir('home');
spew("$home/netrc", "machine $origin->{addr} login me password $secret\n"
    . "machine $target->{addr} login me password $secret\n");
spew("$home/cookies", join '', map {
    "$_\tFALSE\t/\tFALSE\t0\tsid\t$secret\n" } $origin->{addr}, $target->{addr});
spew("$home/other", "elsewhere.example.com\tFALSE\t/\tFALSE\t0\ta\tb\n");

my $basic = qr/^authorization: Basic bWU6YzBmZmVlNWVjcmV0$/m;
my @kinds = (
    [ '--user', $basic, [ '--user=me', "--password=$secret" ] ],
    [ 'in the URL', $basic, [], user => "me:$secret\@" ],
    [ '~/.netrc', $basic, [], env => { NETRC => "$home/netrc" } ],
    [ '--load-cookies', qr/^cookie: sid=$secret$/m,
      [ "--load-cookies=$home/cookies" ] ],
    [ 'Authorization', qr/^authorization: Bearer $secret$/m,
      [ "--header=Authorization: Bearer $secret" ] ],
    [ 'Cookie', qr/^cookie: x=$secret$/m, [ "--header=Cookie: x=$secret" ] ],
    [ 'X-Api-Key', qr/^x-api-key: $secret$/m,
      [ "--header=X-Api-Key: $secret" ] ],
);

sub fetch($path, $user, $env, @args) {
    hush($_) for $tracker, $named, $target, $origin;
    return shoal({ env => { HOME => "$home/none", %$env } }, @args,
        '--no-upload', '--tracker=http://' . at($tracker) . '/peers',
        "http://$user" . at($origin) . "/$path");
}

# Without any, both trackers hear of it: the test can fail.
my $r = fetch('plain.bin', '', {}, '--header=X-Plain: 1', '-U', 'Me/2',
    '-O', 'a.bin');
download_ok($r, $file, 'without credentials');
like(heard($tracker), qr/^GET \S*plain\.bin/m, 'the tracker hears of the file');
like(heard($named), qr/^GET \S*plain\.bin/m, 'and the one that the origin names');
like(heard($origin), qr/^x-plain: 1$/m, 'the origin sees a header');
like(heard($origin), qr{^user-agent: Me/2$}m, 'and the agent');
unlike(heard($tracker), qr{x-plain|Me/2}, 'the tracker neither');

# What they hear of anything else; of that one they may hear late that it is
# over.
sub told() {
    return join '', grep { !/plain\.bin/ } split /(?=^GET )/m,
        heard($tracker) . heard($named);
}

for my $kind (@kinds) {
    my ($name, $like, $args, %o) = @$kind;
    my @how = ($o{user} // '', $o{env} // {}, @$args, '-S', '-v', '--explain',
        '--report=json');

    $r = fetch('a.bin', @how);
    download_ok($r, $file, $name);
    like(heard($origin), $like, "$name: the origin knows");
    is(told(), '', "$name: no tracker hears of it");
    like($r->{stdout} . $r->{stderr}, qr/not shared: the origin /,
        "$name: as the user is told");
    unlike($r->{stderr} . $r->{stdout}, qr/$secret/, "$name: and no reader");

    $r = fetch('go/a.bin', @how);
    download_ok($r, $file, "$name, redirected");
    like(heard($origin), $like, "$name: the origin knows");
    like(heard($target), qr/^GET/m, "$name: the next server is asked");
    if ($name eq '~/.netrc') {
        unlike(heard($target), qr/authorization/, "$name: without a login");
    } else {
        unlike(heard($target), qr/authorization|cookie|$secret/,
            "$name: without a secret");
    }
    is(told(), '', "$name: no tracker hears of it");
}

# A mirror is another server; its login stands in its own URL.
for my $user ('', 'you:pw@') {
    hush($_) for $tracker, $named, $target, $origin;
    $r = shoal({ env => { HOME => $home } }, '--user=me', "--password=$secret",
        "--header=X-Api-Key: $secret", '--no-upload',
        '--tracker=http://' . at($tracker) . '/peers',
        "--mirror=http://$user" . at($target) . '/a.bin',
        'http://' . at($origin) . '/a.bin');
    download_ok($r, $file, "a mirror ($user)");
    like(heard($origin), $basic, 'the origin knows');
    like(heard($target), qr/^(GET|HEAD)/m, 'the mirror is asked');
    unlike(heard($target), qr/$secret|bWU6/, 'without what is for the origin');
    like(heard($target), qr/^authorization: Basic eW91OnB3$/m, 'with its own')
        if $user;
    is(told(), '', 'and no tracker');
    unlike($r->{stderr}, qr/you|pw/, 'nor reader');
}

# Cookies and logins of others than this server change nothing.
$r = fetch('a.bin', '', {}, "--load-cookies=$home/other");
download_ok($r, $file, 'cookies of others');
unlike(heard($origin), qr/^cookie/m, 'are not sent');
isnt(heard($tracker), '', 'and the file is shared');
$r = fetch('a.bin', '', { NETRC => "$home/netrc" }, '--no-netrc');
unlike(heard($origin), qr/authorization/, '--no-netrc');
mkdir "$home/with";
rename "$home/netrc", "$home/with/.netrc";
$r = fetch('a.bin', '', { HOME => "$home/with" });
like(heard($origin), $basic, '~/.netrc without a word');

# What is kept for -c, and what errors say.
my $broken = listener(each => sub ($q) {
    $q->{h}{range} && $q->{h}{range} eq 'bytes=0-0' ? ()
        : $q->{before} ? (status => 404) : (truncate => 150_000) });
$r = shoal({ env => { HOME => $home } }, '-t1', "http://me:$secret\@"
    . at($broken) . '/a.bin?token=t0ken');
isnt($r->{status}, 0, 'a broken download');
my @kept = glob "$r->{dir}/*.ctl";
is(@kept, 1, 'is kept');
unlike(slurp($kept[0]), qr/me:/, 'the control file knows no login');
like($r->{stderr}, qr{^shoal: .*/a\.bin}m, 'the error names the URL');
unlike($r->{stderr}, qr/$secret/, 'without what is secret');
unlike($r->{stderr}, qr/^shoal: .*t0ken/m, 'and without its query');
$r = shoal("ftp://me:$secret\@example.com/x?$secret");
unlike($r->{stderr}, qr/$secret/, 'nor for a URL that cannot be fetched');

finish();
