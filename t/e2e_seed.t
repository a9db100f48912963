# Who has the whole file stays to serve it (--seed-time, --seed-ratio); who
# comes later takes it unchecked only where he says so (--unverified-peers).

use v5.36;
use IO::Select;
use IO::Socket::IP;
use Shoal::Test;

my $size = 2 * 1048576;
my $s = stage(nodes => 1, superpeers => 0, delay => '50ms');
my $path = $s->cdn->file('s.bin', $size, 1);
my $addr = '127.0.0.41';

sub complete() {
    my $answer = $s->ask('s.bin');
    return map { [ $_->{addr}, $answer->{id} ] }
        grep { $_->{complete} } @{ $answer->{peers} };
}

sub seed(@args) {
    my $p = $s->get_start('s.bin', '--bind-address', $addr, '--listen-port',
        free_port($addr), @args);
    wait_for { complete() || !$p->alive } 20, 'a complete peer on the list';
    ok($p->alive, "@args: it stays");
    same_file("$p->{dir}/s.bin", $path, 'its file stands under its name');
    return ($p, complete());
}

sub bytes($r, $kind) {
    return $r->{stderr} =~ /^  all +$kind +(\d+)/m ? $1 : -1;
}

# Nothing bears out what the peer would give. The node is slow enough for
# the tracker's answer to come before the end.
my ($seed) = seed('--seed-time', '60s');
$s->cdn->set(limit_rate => '1m');
my $r = $s->get('s.bin', '--no-upload');
download_ok($r, $path, 'beside it');
is(bytes($r, 'peer'), 0, 'nothing is taken unchecked');
unlike($r->{stderr}, qr/bears/, 'nor is there a warning');

$s->cdn->set(limit_rate => '20k'); # less than a block at once
$r = $s->get('s.bin', '--no-upload', '--unverified-peers');
download_ok($r, $path, '--unverified-peers');
cmp_ok(bytes($r, 'peer'), '>', $size / 2, 'most came from the peer');
like($r->{stderr}, qr/s\.bin: parts of it came from peers, and nothing bears/,
    'and that is said');
$s->cdn->set(limit_rate => 0);
$seed->stop('INT');
$seed->any_status;
is(scalar complete(), 0, 'who is interrupted takes himself off the list');

($seed, my $peer) = seed('--seed-ratio', '0.5');
my ($at, $id) = @$peer;
my $got = http(GET => "http://$at/blocks/$id",
    headers => { Range => 'bytes=0-' . ($size / 2 - 1) });
is(length $got->{body}, $size / 2, 'half of it is taken');
is($seed->wait(20), 0, 'it goes when it gave half a copy');
is(scalar complete(), 0, 'and takes itself off the list');

$r = $s->get('s.bin', '--bind-address', $addr, '--listen-port',
    free_port($addr), '--seed-time', '0.02');
download_ok($r, $path, '--seed-time in minutes');
cmp_ok($r->{seconds}, '>=', 1.2, 'is waited for');
$r = $s->get('s.bin', '--bind-address', $addr, '--listen-port',
    free_port($addr));
cmp_ok($r->{seconds}, '<', deadline(1.2), 'without it nobody waits');

# What is given has a limit, and so has the number of those who come for it.
($seed, $peer) = seed('--seed-time', '60s', '--max-upload-limit', '1m',
    '--max-connections', '2');
($at, $id) = @$peer;
my $start = now;
$got = http(GET => "http://$at/blocks/$id");
is(length $got->{body}, $size, '--max-upload-limit: all of it is given');
cmp_ok(now() - $start, '>=', 1.4, 'in no less than two seconds, but for the first bytes');
my @come = map { IO::Socket::IP->new(PeerAddr => $at) // die "$at: $@" } 1 .. 3;
my $waiting = IO::Select->new(@come);
is(scalar $waiting->can_read(10), 1, '--max-connections=2: of three one is sent away');
$seed->stop('INT');
$seed->any_status;

finish();
