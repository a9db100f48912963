# Tokens in query strings are used for fetching, and never shown: not in logs
# at any level, not in status, metrics or the list of sets, whatever goes
# wrong.

use v5.36;
use Shoal::Test;
use Shoal::Dns qw(dns);
use Shoal::FakeTracker qw(fake_tracker);

my $size = 300_000;
my $dns  = dns();
my $t    = fake_tracker();
my $cdn  = cdn(nodes => [ {} ]);
my $bad  = cdn(host => 'bad.example.com', nodes => [ { addr => '127.0.0.12',
    bad => { each => sub ($q) {
        $q->{uri} =~ m{^/private} ? (headers =>
            { 'Cache-Control' => 'private' })
        : $q->{uri} =~ m{^/busy}  ? (status => 503)
        : $q->{uri} =~ m{^/drop}  ? (drop => 1)
        : $q->{uri} =~ m{^/away}  ? (redirect =>
            'http://inside.example.com/x?t=SECRET-location')
        : $q->{uri} =~ m{^/odd}   ? (redirect =>
            'ftp://inside.example.com/x?t=SECRET-odd')
        : $q->{uri} =~ m{^/back}  ? (redirect => $cdn->url('back')
            . '?t=SECRET-back')
        : $q->{uri} =~ m{^/total} ? (total => 5)
        : () } } } ]);
my $sp = superpeer(trackers => [ $t->conf ],
    origins => ['http://*.example.com:*'],
    resolve => [ $cdn->resolve, $bad->resolve,
        'closed.example.com:1:127.0.0.11', 'inside.example.com:80:10.0.0.1' ],
    settings => { log => { level => 'debug' }, resolver => {
        servers => [ $dns->address ], timeout => '300ms' } });
$cdn->file($_, $size) for qw(fine back slow);
$bad->file($_, $size) for qw(private total drop busy);
$dns->set('mute.example.com', drop => 1);

my $n = 0;
my @all;
sub ask($url, $bytes = $size, %o) {
    my $id = $t->prepare("$url?t=SECRET-" . ++$n . '&sig=SECRET', $bytes,
        '', %o);
    push @all, $id;
    return $id;
}
my %case = (
    fine       => ask($cdn->url('fine')),
    missing    => ask($cdn->url('none')),
    othersize  => ask($cdn->url('fine'), 7),
    toolarge   => ask($cdn->url('fine'), 1 << 40),
    denied     => ask('http://evil.example.org/x'),
    port       => ask('http://closed.example.com:1/x'),
    inside     => ask('http://inside.example.com/x'),
    nxdomain   => ask('http://none.example.com/x'),
    mute       => ask('http://mute.example.com/x'),
    ftp        => ask('ftp://cdn.example.com/x'),
    user       => ask('http://u:SECRET@cdn.example.com/x'),
    (map { $_  => ask($bad->url($_)) }
        qw(private busy drop away odd back total)),
    super      => ask($cdn->url('slow'), $size, super =>
        ['http://127.0.0.77:1?ticket=SECRET-ticket'],
        digest => { root => 'ab' x 32, votes => 2 }),
);
for my $name (sort keys %case) {
    my $line = $t->wait_line(qr/^[+?]$case{$name} /, 30);
    my $ready = $name =~ /^(?:fine|back|super)$/;
    like($line, $ready ? qr/^\+/ : qr/^\?/, "$name: " . substr $line, 42);
}
ok((grep { $_->{uri} =~ /t=SECRET-1&sig=SECRET/ } $cdn->node(0)->requests),
    'the token is used');
ok((grep { $_->{uri} =~ /SECRET-back/ } $cdn->node(0)->requests),
    'also that of a redirect');

# Again, from memory; after a reload; after a crash in mid-download.
$t->prepare($cdn->url('none') . '?t=SECRET-2&sig=SECRET', $size);
$sp->process->signal('HUP');
wait_for { $sp->stderr =~ /reload: done/ } 5, 'the reload';
my $shown = $sp->stderr;
$cdn->file('big', 8_000_000);
$cdn->set(limit_rate => '1m');
my $id = $t->prepare($cdn->url('big') . '?t=SECRET-big', 8_000_000,
    'mtime:1700000000');
$t->wait_line(qr/^~$id [1-9]/);
$shown .= http(GET => $sp->status_url('/status'))->{body}
    . http(GET => $sp->status_url('/metrics'))->{body};
$sp->kill9;
$shown .= $sp->stderr;
$cdn->set(limit_rate => '100m');
$sp->start;
$t->wait_line(qr/^\+$id /, 20);
my ($st, $out, $err) = run_cmd(program('superpeer'), 'cache', 'ls', '-c',
    $sp->conf);
$shown .= $sp->stderr . $out . $err
    . http(GET => $sp->status_url('/status'))->{body};
like($shown, qr{/big\b}, 'URLs are shown');
like($out, qr/^[0-9a-f]{12} /m, 'the list of sets');
unlike($shown, qr/SECRET/, 'and tokens nowhere');

# A full cache: what is being filled keeps its room.
$sp->stop;
$cdn->file($_, 8_000_000) for qw(full1 full2);
$cdn->set(limit_rate => '300k');
$t->forget_commands->clear;
my $small = superpeer(trackers => [ $t->conf ], cdn => $cdn, name => 'small',
    cache_size => '16MiB');
$id = $t->prepare($cdn->url('full1') . '?t=SECRET-1', 8_000_000,
    'mtime:1700000000');
$t->wait_line(qr/^~$id [1-9]/, 20);
$id = $t->prepare($cdn->url('full2') . '?t=SECRET-2', 8_000_000,
    'mtime:1700000000');
is($t->wait_line(qr/^[+?]$id /, 20), "?$id busy", 'no room');
$shown = http(GET => $small->status_url('/status'))->{body};
like($shown, qr{/full2\b}, 'its refusal is shown');
unlike($shown . $small->stderr, qr/SECRET/, 'without the token');
$small->stop;

finish();
