# Where a CDN node sends a super peer: every hop, and every URL that an answer
# names, goes through the same test as the first one.

use v5.36;
use JSON::PP;
use Shoal::FakeTracker qw(fake_tracker);
use Shoal::Test;
use Shoal::Trap;

my $t = fake_tracker();
my $trap = Shoal::Trap->new(addr => '127.0.0.9');
my $p = $trap->port;
my $size = 100_000;
my $cdn = cdn(nodes => 1);
$cdn->file('a.bin', $size);
my $dir = tmpdir('redirects');
my $seen = "$dir/headers";
spew($seen, '');

# A node that redirects /N to the Nth line of a file, and one that shows what
# it was asked.
my $node = cdn(host => 'in.allowed.example.com', nodes => [ { addr => '127.0.0.14',
    bad => { handler => sub ($q) {
        my ($n) = $q->{uri} =~ m{^/(\d+)};
        my $to = (@{ decode_json(slurp("$dir/to")) })[ $n // 1e6 ];
        return (404, {}, '') if !defined $to;
        utf8::encode($to);
        return (302, { Location => $to, 'Set-Cookie' => 'a=1; Domain=example.com' }, '');
    } } } ]);
my $shows = cdn(host => 'shows.allowed.example.com', nodes => [ { addr => '127.0.0.15',
    bad => { each => sub ($q) {
        open my $f, '>>', $seen;
        print $f map { "$_: $q->{h}{$_}\n" } sort keys %{ $q->{h} };
        return ();
    } } } ]);
$shows->file('b.bin', $size, 3);
# whose answers name a piece layer that is elsewhere
my @links = map { cdn(host => 'links.allowed.example.com', nodes => [ { addr => '127.0.0.16',
    limit_rate => '300k', headers => { Link => "<$_>; rel=\"piece-layer\"" } } ]) }
    $trap->url('l.shoal'), "http://x.allowed.example.com:$p/l.shoal";
$_->file('l.bin', 6 * $size, 4) for @links;
my $a = $cdn->url('a.bin');

# [ where to, the answer ]
my @cases = (
    [ $trap->url, '?origin' ],
    [ "http://x.allowed.example.com:$p/", '?origin' ],
    [ "http://mapped.allowed.example.com:$p/", '?origin' ],
    [ "//x.allowed.example.com:$p/x", '?origin' ],
    [ "HTTP://X.ALLOWED.EXAMPLE.COM:$p/", '?origin' ],
    [ "http://X.allowed.example.com.:$p/", '?' ],
    [ "http://cdn.example.com:$p/a.bin", '?origin' ],
    [ 'http://cdn.example.com/a.bin', '?origin' ],
    [ 'https://cdn.example.com:' . $cdn->port . '/a.bin', '?origin' ],
    [ 'http://cdn.example.com:' . $cdn->port . "\@127.0.0.9:$p/", '?origin' ],
    [ "http://user:secret\@cdn.example.com:" . $cdn->port . '/a.bin', '?origin' ],
    [ "http://127.0.0.9:$p\\\@cdn.example.com/", '?' ],
    [ "http://127.0.0.9:$p#\@cdn.example.com/", '?' ],
    [ "http:\\\\127.0.0.9:$p/", '?' ],
    [ "\\\\127.0.0.9:$p/", '?' ],
    [ "http://127%2e0%2e0%2e9:$p/", '?' ],
    [ "http://2130706441:$p/", '?' ],
    [ "http://0x7f000009:$p/", '?' ],
    [ "http://0x7f.9:$p/", '?' ],
    [ "http://0177.0.0.011:$p/", '?' ],
    [ "http://127.9:$p/", '?' ],
    [ "http://[::ffff:127.0.0.9]:$p/", '?' ],
    [ "http://[::ffff:7f00:9]:$p/", '?' ],
    [ "http://[::127.0.0.9]:$p/", '?' ],
    [ "http://[64:ff9b::7f00:9]:$p/", '?' ],
    [ "http://[fe80::1%25lo]:$p/", '?' ],
    [ "http://x.allowed.example.com%00.cdn.example.com:$p/", '?' ],
    [ "http://127.0.0.9\t:$p/", '?' ],
    [ "http://\xe2\x93\xa7.allowed.example.com:$p/", '?' ],
    [ 'http://x.allowed.example.com:0/', '?' ],
    [ 'http://x.allowed.example.com:65536/', '?' ],
    [ 'http:///a.bin', '?' ],
    [ 'http://:80/a.bin', '?' ],
    [ 'http://' . 'x' x 300 . '.allowed.example.com/', '?' ],
    [ 'http://x.allowed.example.com:80/' . 'x' x 9000, '?' ],
    [ "ftp://cdn.example.com:$p/a.bin", '?' ],
    [ 'file:///etc/passwd', '?' ],
    [ "gopher://127.0.0.9:$p/_GET", '?' ],
    [ "dict://127.0.0.9:$p/d", '?' ],
    [ '', '?' ],
    [ $a, '+' ],
    [ $a =~ s/^http/HTTP/r =~ s/cdn\.example\.com/CDN.Example.COM/r, '+' ],
);
my $circle = @cases;
my $hops = $circle + 2;
my @to = ((map { $_->[0] } @cases), $node->url($circle + 1), $node->url($circle),
    (map { $node->url($hops + $_) } 1 .. 25), $a, $shows->url('b.bin'));
utf8::decode($_) for @to;
spew("$dir/to", encode_json(\@to));
push @cases, [ 'circle', '?' ];

my $home = tmpdir('home');
spew("$home/.netrc", "default login u password NETRC\n");
my $sp = superpeer(trackers => [ $t->conf ], cdn => $cdn,
    env => { HOME => $home },
    resolve => [ $node->resolve, $shows->resolve, (map { $_->resolve } @links),
        (map { ("x.allowed.example.com:$_:127.0.0.9",
                "mapped.allowed.example.com:${_}:::ffff:127.0.0.9") } $p, 80),
        'cdn.example.com:80:127.0.0.9', "cdn.example.com:$p:127.0.0.9" ],
    origins => [ 'http://*.allowed.example.com:*' ],
    settings => { allow_addresses => [ map { "127.0.0.$_/32" } 11, 14 .. 16 ] });

sub outcome($id, $seconds = 20) {
    my $line = $t->wait_line(qr/^[+?]$id /, $seconds);
    return $line =~ /^\+/ ? '+' : $line =~ s/^(.)\S+ (\S+).*/$1$2/r;
}

my @ids = map { $t->prepare($node->url($_), $size) } 0 .. $#cases;
for my $i (0 .. $#cases) {
    my ($to, $want) = @{ $cases[$i] };
    my $is = outcome($ids[$i]);
    my $name = length $to > 60 ? substr($to, 0, 60) . '..' : $to;
    like($is, qr/^\Q$want\E/, $name =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ger);
}
is($trap->touched, 0, 'nothing inside was connected to');
like(outcome($t->prepare($node->url($hops + 7), $size)), qr/^\+/, '19 hops');
like(outcome($t->prepare($node->url($hops), $size)), qr/^\?/, '26 hops');

# What one origin says is not carried to another.
is(outcome($t->prepare($node->url($#to), $size)), '+', 'followed to another origin');
my $headers = slurp($seen);
like($headers, qr/^host: shows\.allowed/m, 'whose requests were seen');
unlike($headers, qr/^(?:cookie|authorization|referer|proxy-)/mi,
    'without cookies, netrc, or word of the first');

# A piece layer is fetched from where files may be fetched, or not at all.
is(outcome($t->prepare($_->url('l.bin'), 6 * $size)), '+', 'a link to a piece layer elsewhere')
    for @links;
is($trap->touched, 0, 'which nobody asked for');

# Over many hosts: all of them are asked, and it ends.
$sp->stop;
my $q = free_port('127.0.0.17');
my $chain = cdn(host => 'h0.chain.example.com', port => $q, nodes => [
    { addr => '127.0.0.17', bad => { handler => sub ($q) {
        my ($n) = $q->{h}{host} =~ /^h(\d+)\.chain\.example\.com:(\d+)/;
        return (302, { Location => 'http://h' . ($n + 1)
            . ".chain.example.com:$2/x" }, '') if $n < 15;
        return ();
    } } } ]);
$chain->file('x', $size, 5);
$t->forget_commands->clear;
my $far = superpeer(trackers => [ $t->conf ], name => 'far',
    origins => [ 'http://*.chain.example.com:*' ],
    resolve => [ map { "h$_.chain.example.com:$q:127.0.0.17" } 0 .. 15 ]);
my $far_id = $t->prepare($chain->url('x'), $size);
like($t->wait_line(qr/^[+?]$far_id /, 20), qr/^\+/, 'fifteen hosts');
$far->stop;

finish();
