# The tracker's id for every vector.

use v5.36;
use Shoal::Test;

my $t = tracker(delay => '0', origin => [ qw(cdn.example.com www.xxxx.com
    cdn.example.com:8080 [2001:db8::1] [::1] my_host-1.example) ]);

my $unhex = sub ($s) { $s =~ s/\\x([0-9a-f]{2})/chr hex $1/ger };
my $n = 0;

for (split /\n/, slurp(top() . '/t/vectors/identity.txt')) {
    next if /^#/ || $_ eq '';
    my ($url, $size, $provider, $version, $canonical, $id) = split /\t/, $_, -1;
    my %args = (url => $unhex->($url), size => $size);
    $args{provider} = $unhex->($provider) if $provider ne '';
    $args{version}  = $unhex->($version)  if $version ne '';
    my $r = $t->ask(%args);
    # the library takes any bytes; over the wire they have to be UTF-8
    my $text = $args{version} // '';
    if ($canonical eq 'error' || !utf8::decode($text)) {
        is($r->{status}, 400, "refused: $url $size $provider $version");
    } elsif ($r->{status} == 200) {
        is($r->json->{id}, $id, "$url $size $provider $version");
    } else {
        fail("$url: $r->{status} $r->{body}");
    }
    $n++;
}
cmp_ok($n, '>=', 30, 'vectors');

subtest 'parameters that only count' => sub {
    my $id = sub ($url) { $t->ask(url => $url, size => 7)->json->{id} };
    my $u = 'http://cdn.example.com/a';
    is($id->("$u?utm_source=x"), $id->($u), 'the only one');
    is($id->("$u?UTM_x=1&a=1&fbclid=2"), $id->("$u?a=1"), 'first and last');
    is($id->("$u?a=1&gclid=2&b=3"), $id->("$u?a=1&b=3"), 'in the middle');
    is($id->("$u?%75tm_source=x"), $id->($u), 'escaped');
    isnt($id->("$u?utm=1"), $id->($u), 'a name that is only alike');
    is($id->("$u?$_"), $id->($u), "$_: an empty query is none")
        for '', 'utm_a=1&', '&utm_a=1';
    isnt($id->("$u?utm_a=1&&"), $id->($u), 'but two empty parameters are one');
};

finish();
