# What GET /peers refuses, and how it says so.

use v5.36;
use Shoal::Test;

my $t = tracker(delay => '0', http => 'tracker_origin swarm s.example.com signed;'
    . 'large_client_header_buffers 8 32k;');

my $url = 'http://cdn.example.com/a';
my $max = '9223372036854775807';
my $number = "not a number from 0 to $max";

# Query as it stands, and what comes: the line, or 200.
sub query($q, %o) {
    return http(GET => $t->url . "?$q", %o);
}

sub refused($q, $line, $status = 400, %o) {
    my $r = query($q, %o);
    my $name = length $q > 70 ? substr($q, 0, 67) . '...' : $q;
    is("$r->{status} $r->{body}", "$status $line\n", $name);
    is($r->{headers}{'content-type'}, 'text/plain', 'text');
    is($r->{headers}{'cache-control'}, 'no-store', 'not to be stored');
}

my $u = 'url=' . url_encode($url);

subtest 'arguments' => sub {
    refused('size=1', 'url: missing');
    refused('', 'url: missing');
    refused($u, 'size: missing');
    refused("$u&size=", "size: $number");
    refused("$u&size=-1", "size: $number");
    refused("$u&size=+1", "size: $number");
    refused("$u&size=0x10", "size: $number");
    refused("$u&size=1.0", "size: $number");
    refused("$u&size=9223372036854775808", "size: $number");
    refused("$u&size=18446744073709551617", "size: $number");
    refused("$u&size=" . '9' x 64, "size: $number");
    refused("$u&size=" . '9' x 65, 'size: too long');
    refused("$u&size=1&size=1", 'size: given twice');
    refused("$u&$u&size=1", 'url: given twice');
    refused("$u&size=1&left=2", 'left: more than size');
    refused("$u&size=1&left=x", "left: $number");
    refused("$u&size=1&port=$_", 'port: not a number from 1 to 65535')
        for 0, 65536, -1, 'http', '';
    refused("$u&size=1&numwant=201", 'numwant: not a number from 0 to 200');
    refused("$u&size=1&event=paused",
        'event: not started, completed or stopped');
    refused("$u&size=1&got=1,2", 'got: not SUPER,PEER,CDN in bytes');
    refused("$u&size=1&got=1,2,3,4", 'got: not SUPER,PEER,CDN in bytes');
    my $bad = 'bad: not dead,ADDR:PORT or wrong,ADDR:PORT';
    refused("$u&size=1&bad=$_", $bad) for 'dead', 'dead,', 'late,1.2.3.4:5',
        'dead,1.2.3.4', 'dead,1.2.3:5', 'dead,1.2.3.4:0', 'dead,[::1:5',
        'dead,[::g]:5', 'wrong,:5';
    refused("$u&size=1" . '&bad=dead,1.2.3.4:5' x 9, 'bad: given too often');
    refused("$u&size=1&version=abc",
        'version: not etag:"...", mtime:SECONDS or text:...');
    refused("$u&size=1&version=text:" . 'x' x 252, 'version: too long');
    refused("$u&size=1&provider=" . 'x' x 65, 'provider: too long');
    # a lone byte, cut, overlong, a surrogate, beyond the last code point
    for my $bytes (qw(%ff %80 %c3 %c3%41 %e2%82 %f0%9f%98 %c0%af %c1%bf
        %e0%9f%bf %f0%8f%bf%bf %ed%a0%80 %ed%bf%bf %f4%90%80%80 %f8%88%80%80%80))
    {
        refused("$u&size=1&version=text:a$bytes", 'version: not UTF-8');
        refused("$u&size=1&version=etag:%22$bytes%22", 'version: not UTF-8');
        refused("$u&size=1&provider=$bytes", 'provider: not UTF-8');
    }
};

subtest 'escapes' => sub {
    refused('url=http%3&size=1', 'url: badly escaped');
    refused('url=http%3A%2F%2Fcdn.example.com%2F%&size=1', 'url: badly escaped');
    refused('url=http%3A%2F%2Fcdn.example.com%2F%g0&size=1', 'url: badly escaped');
    refused("$u&size=%31%3", 'size: badly escaped');
    refused("$u&size=%0a", 'size: has a control character');
    refused("url=$url%00&size=1", 'url: has a control character');
    refused("url=$url%7f&size=1", 'url: has a control character');
    is(query("$u&size=%31")->{status}, 200, 'an escaped digit');
    is(query("$u&size=1&version=text:$_&provider=$_")->{status}, 200, $_)
        for qw(%c3%a4 %c2%80 %df%bf %e0%a0%80 %ed%9f%bf %ee%80%80 %ef%bf%bf
               %f0%90%80%80 %f4%8f%bf%bf);
};

subtest 'URLs' => sub {
    my $long = 'http://cdn.example.com/' . 'x' x 4073;
    is(length $long, 4096, 'as long as it may be');
    is(query("url=$long&size=1")->{status}, 200, 'is taken');
    is(query('url=' . join('', map { sprintf '%%%02x', ord } split //, $long)
        . '&size=1')->{status}, 200, 'escaped as well');
    refused("url=${long}x&size=1", 'url: too long');
    refused('url=' . '%61' x 4097 . '&size=1', 'url: too long');
    refused('url=' . 'x' x 12000 . '&size=1', 'url: too long');
    # in its one form, as super peers are told of it
    is(query("url=" . substr($long, 0, 4087) . '%22' x 3 . '&size=1')
        ->{status}, 200, 'escaped, and as long as it may be');
    refused('url=' . substr($long, 0, 4088) . '%22' x 3 . '&size=1',
        'url: too long');
    my $shared = 'url: not an http or https URL to be shared';
    refused('url=http%3A%2F%2Fcdn.example.com%2F' . '%22' x 1400 . '&size=1',
        $shared);
    refused('url=&size=1', $shared);
    refused("url=$_&size=1", $shared) for 'ftp://cdn.example.com/', '/a',
        'http://u:p@cdn.example.com/a', 'http://cdn.example.com:0/';
    is(query('size=1', headers => { 'Shoal-URL' => $url })->json->{id},
        query("$u&size=1")->json->{id}, 'in the header');
    refused("$u&size=1", 'url: given twice', 400,
        headers => { 'Shoal-URL' => $url });
    refused('size=1', 'url: given twice', 400,
        headers => [ 'Shoal-URL' => $url, 'Shoal-URL' => $url ]);
    refused('size=1', 'url: too long', 400,
        headers => { 'shoal-url' => "${long}x" });
};

subtest 'what is not for this tracker' => sub {
    my $other = 'url: host not served by this tracker';
    refused("url=http://$_/a&size=1", $other, 403) for 'example.com',
        'xcdn.example.com', 'a.cdn.example.com', 'cdn.example.com.';
    refused("$u%3f$_&size=1", 'url: signed URLs are not shared', 403)
        for 'X-Amz-Signature=1', 'x-amz-date=1', 'a=1%26TOKEN=2', 'sig=',
            'Expires=1', '%2573ig=1', 'X-Goog-Date', 'key-pair-id=1';
    is(query("$u%3f$_&size=1")->{status}, 200, "$_ does not sign")
        for 'tokens=1', 'x-amz=1', 'design=1';
    is(query('url=http://s.example.com/a%3ftoken=1&size=1')->{status}, 200,
        'an origin that is declared as signed');
};

subtest 'methods' => sub {
    for my $m (qw(POST PUT DELETE)) {
        my $r = http($m => $t->url . "?$u&size=1", body => 'x' x 100_000);
        is("$r->{status} $r->{body}", "405 method: not GET or HEAD\n", $m);
    }
    is(http($_ => $t->url, body => '')->{headers}{allow}, 'GET, HEAD',
        "$_: Allow") for qw(POST PUT);
    is(http(PUT => $t->control_url, body => '',
        headers => { Authorization => 'Bearer sesame' })->{headers}{allow},
        'POST', 'Allow of calls');
    my $r = http(HEAD => $t->url . "?$u&size=1");
    is("$r->{status} $r->{body}", '200 ', 'HEAD');
    is($r->{headers}{'content-type'}, 'application/json', 'type');
    $r = http(GET => $t->url . "?$u&size=1", body => 'x' x 200_000);
    is($r->{status}, 200, 'GET with a body');
};

is(query("$u&size=$max&left=0&numwant=0&bogus=1&bogus=2&a"
    . '&got=1,2,3&bad=dead,1.2.3.4:5&bad=wrong,[2001:db8::1]:65535'
    . '&version=' . url_encode("etag:\"a\\\xc3\xbf\""))->{status}, 200, 'all is well');

finish();
