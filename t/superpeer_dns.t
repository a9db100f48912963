# The addresses of CDN nodes come from DNS servers of the configuration: all
# of both families, known as long as their records say, and no server that is
# mute holds anything up.

use v5.36;
use Shoal::Test;
use Shoal::Dns qw(dns);
use Shoal::FakeTracker qw(fake_tracker);

my $cdn = cdn(nodes => [ {}, {}, { addr => '::1' } ]);
$cdn->file("f$_", 300_000, $_) for 1 .. 9;
$cdn->file("t$_", 1000, $_) for 7 .. 99;
$cdn->file('slow.bin', 30_000_000);
my $port = $cdn->port;
my $dns  = dns();
my $mute = dns(addr => '127.0.0.4')->mute;
my $t    = fake_tracker();
my $sp   = superpeer(trackers => [ $t->conf ],
    origins => ["http://*.example.com:$port"], settings => {
        bind_address => undef, allow_addresses => [ '127.0.0.0/8', '::1' ],
        resolver => { servers => [ $dns->address ], timeout => '1500ms' },
        limits => { prefetch_jobs => 8 } });

# What came of it, and after how many seconds.
sub fetch($name, $file, $size = 300_000) {
    my $begun = now;
    my $id = $t->prepare("http://$name:$port/$file", $size);
    my $line = $t->wait_line(qr/^[+?]$id /, 20);
    my ($why) = grep { $_->{id} eq $id } @{ $sp->status->{refusals} };
    return (substr($line, 0, 1) . ($why ? " $why->{why}" : ''), now - $begun);
}

sub asked_nodes($file) {
    return join ' ', grep { $cdn->node($_)->requests(uri => "/$file") } 0 .. 2;
}

subtest 'all addresses of both families' => sub {
    $dns->set('all.example.com', a => [ '127.0.0.99', '127.0.0.98' ],
        aaaa => ['::1']);
    is((fetch('all.example.com', 'f1'))[0], '+',
        'the only one that lives is IPv6');
    $dns->set('v4.example.com', a => [ '127.0.0.99', '127.0.0.12' ]);
    is((fetch('v4.example.com', 'f2'))[0], '+', 'the second one of IPv4');
    is(asked_nodes('f2'), '1', 'nobody else was asked');
    $dns->set('real.example.com', a => ['127.0.0.11'], ttl => 60);
    $dns->set('alias.example.com', cname => 'real.example.com');
    is((fetch('alias.example.com', 'f3'))[0], '+', 'an alias');
    $dns->set('long.example.com', aaaa => ['::1'],
        a => [ map { "127.0.2.$_" } 1 .. 40 ]);
    is((fetch('long.example.com', 'f4'))[0], '+',
        'more addresses than are taken, over TCP; the families by turns');
    is(scalar $dns->queries(name => 'long.example.com', over => 'tcp'), 1,
        'the answer of one family was too long');
};

subtest 'as long as the records say' => sub {
    $dns->set('moves.example.com', ttl => 1, answers => [
        { a => ['127.0.0.11'] }, { a => ['127.0.0.12'] } ]);
    fetch('moves.example.com', $_) for qw(f5 f6);
    is(scalar $dns->queries(name => 'moves.example.com', type => 'A'), 1,
        'asked once within a second');
    my $n = 6;
    wait_for {
        is((fetch('moves.example.com', 't' . ++$n, 1000))[0], '+', "file $n");
        $dns->queries(name => 'moves.example.com', type => 'A') > 1;
    } 10, 'it to be asked again';
    is(asked_nodes("t$n"), '1', 'the other answer counts');
    $dns->set('crowd.example.com', a => ['127.0.0.11']);
    my @ids = map { $t->prepare("http://crowd.example.com:$port/f$_",
        300_000) } 1 .. 8;
    $t->wait_line(qr/^[+?]$_ /) for @ids;
    is(scalar $dns->queries(name => 'crowd.example.com'), 2,
        'eight files at once ask once a family');
};

subtest 'no address' => sub {
    is((fetch('none.example.com', 'x'))[0], '? none.example.com: cannot '
        . 'resolve: Domain name not found', 'no such name');
    $dns->set('bad.example.com', rcode => 'SERVFAIL');
    like((fetch('bad.example.com', 'x'))[0],
        qr/^\? bad\.example\.com: cannot resolve: Could not contact DNS/, 'SERVFAIL');
    $dns->set('empty.example.com');
    like((fetch('empty.example.com', 'x'))[0], qr/^\? .*cannot resolve/,
        'a name without addresses');
    $dns->set('inside.example.com', a => ['10.1.2.3']);
    is((fetch('inside.example.com', 'x'))[0],
        '? 10.1.2.3: address not allowed', 'a private address');
};

subtest 'answers that do not come' => sub {
    $dns->set('half.example.com', a => ['127.0.0.11'], drop => { AAAA => 1 });
    my ($line, $s) = fetch('half.example.com', 'f8');
    is($line, '+', 'one family does not answer');
    cmp_ok($s, '<', deadline(1.3), 'the other one counts after a moment');
    $dns->set('late.example.com', a => ['127.0.0.11'], delay => 0.5);
    is((fetch('late.example.com', 'f9'))[0], '+', 'a late answer');
    $dns->set('never.example.com', drop => 1);
    ($line, $s) = fetch('never.example.com', 'x');
    like($line, qr/^\? never\.example\.com: cannot resolve: /, 'none at all');
    cmp_ok($s, '<', deadline(4), 'after the time that is set');
    my $id = $t->prepare("http://never.example.com:$port/y", 1000);
    is((fetch('real.example.com', 'f9'))[0], '+', 'others go on meanwhile');
    $t->wait_line(qr/^\?$id failed/);
};

subtest 'other servers by a reload' => sub {
    my $n = $dns->queries;
    $sp->{settings}{resolver}{servers} = [ $mute->address, $dns->address ];
    $sp->write_conf;
    $sp->process->signal('HUP');
    wait_for { $sp->stderr =~ /reload: done/ } 10, 'the reload';
    is((fetch('real.example.com', 'f1'))[0], '+',
        'the first is mute, the second answers');
    cmp_ok(scalar $mute->queries, '>', 0, 'the first was asked');
    cmp_ok(scalar $dns->queries, '>', $n, 'what was known is forgotten');
};

subtest 'the end' => sub {
    $_->mute for $dns, $mute;
    my $n = $mute->queries;
    $t->prepare("http://end.example.com:$port/x", 1000);
    wait_for { $mute->queries > $n } 5, 'the question';
    my $begun = now;
    is($sp->stop, 0, 'a name is being looked up: status 0');
    cmp_ok(now - $begun, '<', deadline(1.2), 'at once');
    unlike($sp->stderr, qr/deleted half/, 'nothing is left behind');
};

finish();
