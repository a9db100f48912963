# Blocks from other super peers that the tracker names: taken where a root is
# known and a CDN node bears it out, checked, and no vote for the root.

use v5.36;
use Shoal::Test;
use Shoal::FakeTracker qw(fake_tracker);

my $size = 8 * 1048576;
my $cdn  = cdn(nodes => 2, limit_rate => '700k');
my $t    = fake_tracker();
my $etag = sprintf 'etag:"%x-%x"', 1700000000, $size;
my $sp   = superpeer(trackers => [ $t->conf ], cdn => $cdn);

sub layer_for($path) {
    my $r = shoal('--make-layer', $path);
    die $r->{stderr} if $r->{status};
    return "$path.shoal";
}
my $wrong = make_file(tmpdir('w') . '/wrong', $size, 666);
my $wrong_layer = layer_for($wrong);

# What came of it: the line, the super peer that was named, what was taken.
sub play($name, %o) {
    my $path  = $cdn->file($name, $size, $name);
    my $layer = $o{layer} // layer_for($path);
    my $id    = resource_id($cdn->url($name), $size, $etag);
    my $fake  = fake_super(addr => $o{addr} // '127.0.0.25');
    $fake->serve($id, $o{content} // $path, $layer);
    $fake->start(%{ $o{bad} // {} });
    my $before = $sp->status->{prefetch};
    my @digest = exists $o{root} ? () : (digest => {
        root => (layer_of($o{told} // $layer))[0], votes => 2 });
    $t->prepare($cdn->url($name), $size, $etag, super => [ $o{url}
        // "http://$fake->{addr}:$fake->{port}" ], @digest);
    my $line = $t->wait_line(qr/^[+?]$id /, 40);
    my $after = $sp->status->{prefetch};
    my %got = map { $_ => $after->{got}{$_} - $before->{got}{$_} }
        qw(cdn super);
    ok(http(GET => $sp->base . "/blocks/$id")->{body} eq slurp($path),
        "$name: right bytes") if $line =~ /^\+/;
    $fake->stop;
    return ($line, $fake, \%got, $id);
}

my ($line, $fake, $got) = play('true');
like($line, qr/^\+\S+ \S+ copy http$/, 'ready, and no vote');
# which is no fast one: a test's own
cmp_ok($got->{super}, '>', $size / 8, 'a good part of it from the super peer');
cmp_ok($got->{cdn}, '>', 0, 'some of it from the CDN');
wait_for { grep { $_->{args}{got} =~ /^[1-9]\d*,0,[1-9]/ } $t->calls } 10,
    'the tracker to be told bytes by source';

($line, $fake, $got) = play('noroot', root => undef);
like($line, qr/^\+\S+ \S+ cdn http$/, 'no root: a vote');
is(scalar $fake->requests, 0, 'nobody but CDN nodes was asked');

($line, $fake, $got) = play('blocks', content => $wrong);
like($line, qr/^\+/, 'wrong blocks under the true root: ready');
cmp_ok($fake->requests, '>', 0, 'it was asked');
cmp_ok($got->{cdn}, '>=', $size, 'all of it from the CDN in the end');
cmp_ok($sp->status->{prefetch}{wrong}{super}, '>', 0, 'wrong ones are counted');
like(http(GET => $sp->status_url('/metrics'))->{body},
    qr/^shoal_superpeer_wrong_blocks_total\{source="super"\} [1-9]/m,
    'also for Prometheus');

($line, $fake, $got) = play('layer', layer => $wrong_layer,
    content => $wrong, told => layer_for($cdn->file('layer', $size, 'layer')));
like($line, qr/^\+\S+ \S+ cdn http$/, 'a layer of another root: a vote');
is($got->{super}, 0, 'nothing is taken');

($line, $fake, $got) = play('lie', layer => $wrong_layer, content => $wrong);
like($line, qr/^\+/, 'root, layer and blocks of other bytes: ready');
cmp_ok($got->{cdn}, '>=', $size, 'the CDN wins');

($line, $fake, $got) = play('hangs', bad => { hang => 1 });
like($line, qr/^\+\S+ \S+ cdn http$/, 'one that hangs holds nothing up');

($line, $fake, $got) = play('user',
    url => "http://user:secret\@127.0.0.25:1");
like($line, qr/^\+\S+ \S+ cdn http$/, 'a URL with a user is none');

# Redirects of super peers are not followed, and their addresses are checked.
my $secret = cdn(nodes => [ { addr => '127.0.0.9' } ]);
($line, $fake) = play('redirect', bad => { handler => undef, redirect =>
    'http://127.0.0.9:' . $secret->port . '/x' });
like($line, qr/^\+\S+ \S+ cdn http$/, 'one that redirects');
is(scalar $secret->node(0)->requests, 0, 'is not followed');
$sp->{settings}{allow_addresses} = ['127.0.0.8/29'];
$sp->write_conf;
$sp->process->signal('HUP');
wait_for { $sp->stderr =~ /reload: done/ } 5, 'the reload';
($line, $fake) = play('guard');
like($line, qr/^\+\S+ \S+ cdn http$/, 'one at an address that is not allowed');
is(scalar $fake->requests, 0, 'is not connected to');

# What others gave, and no CDN node bore out before the end, is not gone on
# with: nobody could tell any more that they lied.
my $slow = tmpdir('slow') . '/slow';
spew($slow, '1');
my $late = cdn(nodes => [ { bad => { each => sub ($q) {
    -s $slow && $q->{method} eq 'GET' ? (rate => 2000) : () } } } ]);
$sp->stop;
$sp = superpeer(trackers => [ $t->conf ], cdn => $late);
$t->forget_commands->clear;
my $path = $late->file('half', $size, 'half');
my $id = resource_id($late->url('half'), $size, $etag);
my $half = fake_super(addr => '127.0.0.26');
$half->serve($id, $wrong, $wrong_layer);
$half->start(rate => 400_000);
$t->prepare($late->url('half'), $size, $etag, super =>
    ["http://127.0.0.26:$half->{port}"],
    digest => { root => (layer_of($wrong_layer))[0], votes => 1 });
wait_for { $sp->status->{prefetch}{got}{super} > 300_000 } 20, 'blocks of it';
$sp->kill9;
$half->stop;
$t->forget_commands->clear;
spew($slow, '');
$sp->start;
my $root = (layer_of(layer_for($path)))[0];
is($t->wait_line(qr/^[+?]$id /, 40), "+$id $root cdn http",
    'ended from the CDN after a crash: the true root, a vote');
ok(http(GET => $sp->base . "/blocks/$id")->{body} eq slurp($path),
    'and not one wrong byte');
$late->stop; # it is still slow for the run that was killed

finish();
