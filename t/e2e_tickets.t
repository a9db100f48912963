# With tickets super peers serve whom the tracker sends: clients get them,
# renew them in a long download and after keys have changed, and go on with
# the CDN where there is none to be had.

use v5.36;
use Shoal::Test;
use Shoal::Ticket qw(ticket);

my $dir = tmpdir('keys');
my ($one, $two) = map { $_ x 32 } '0a', 'f1';

sub keys_are($name, @keys) { spew("$dir/$name", join '', map { "$_\n" } @keys) }
keys_are($_, $one) for qw(tracker sp);

my $size = 10 * 1048576;
my $s = stage(nodes => 1, superpeers => 2, limit_rate => '8m',
    tracker => { http => "tracker_ticket_key swarm $dir/tracker time=2m;" },
    superpeer => { settings => { tickets => { key_file => ["$dir/sp"], clock_skew => '0s' },
        limits => { upload_rate => '1MiB' } } });
my $path = $s->cdn->file('a.bin', $size, 7);
my %seen;    # tickets

# What the client's table says of all super peers: bytes, and words of each.
sub supers($r) {
    my ($all) = $r->{stderr} =~ /^ +all +super peer +(\d+)/m;
    return $all // 0;
}

sub calls() { return split /\n/, slurp("$s->{tracker}{dir}/access.log") }
sub reload_sps() {
    $_->process->signal('HUP') for $s->sps;
    for my $sp ($s->sps) {
        my $n = () = $sp->stderr =~ /reload: done/g;
        $sp->{reloads} //= 0;
        $sp->{reloads}++;
        wait_for { (() = $sp->stderr =~ /reload: done/g) >= $sp->{reloads} } 10, 'the reload';
    }
}

sub remember($name) {
    my $a = $s->ask($name, event => 'stopped');
    $seen{$_} = 1 for map { $_->{url} =~ /[?&]t=\d+\.(\w+)/ } @{ $a->{super} };
}

my $r = $s->get('a.bin');
download_ok($r, $path, 'cold, with tickets on both sides');
$s->wait_ready('a.bin');
remember('a.bin');
cmp_ok(scalar(keys %seen), '==', 1, 'one ticket for both super peers');
$s->cdn->set(limit_rate => '150k');
$r = $s->get('a.bin');
download_ok($r, $path, 'warm');
cmp_ok(supers($r), '>', $size / 2, 'mostly from super peers');

# Both sides change their key at once in mid-download: what the client has is
# refused from then on, a minute before it would ask again.
my $before = calls();
my $c = $s->get_start('a.bin');
wait_for { part_bytes("$c->{dir}/a.bin.part", $size) > $size / 8 } 20, 'an eighth';
keys_are($_, $two) for qw(tracker sp);
reload_sps();
$s->tracker->reload;
my $at = part_bytes("$c->{dir}/a.bin.part", $size);
cmp_ok($at, '<', $size * 3 / 4, 'the key changes in mid-download');
$r = shoal_end($c, 60);
$r->{file} = "$c->{dir}/a.bin";
download_ok($r, $path, 'another key in mid-download');
cmp_ok(supers($r), '>', $size / 2, 'super peers go on');
my @calls = (calls())[ $before .. calls() - 1 ];
my @asks = grep { /GET \/peers/ && !/event=/ } @calls;
cmp_ok(scalar @asks, '>=', 1, 'with a new ticket: the tracker was asked early');
is_deeply([ grep { /[?&]bad=/ } @calls ], [], 'and nobody was reported');
unlike($r->{stderr}, qr/HTTP 403/, 'in the end they are well');
remember('a.bin');
cmp_ok(scalar(keys %seen), '==', 2, 'tickets of two keys');

# Tickets of a second or two, and a download of several.
$s->tracker->reload(more => "tracker_ticket_key swarm $dir/tracker time=2s;",
    peers => 'tracker_interval 1s;');
$s->wait_ready('a.bin');
$before = calls();
$r = $s->get({ deadline => 60 }, 'a.bin');
download_ok($r, $path, 'longer than its tickets last');
cmp_ok($r->{seconds}, '>', 3.2, 'which takes its time');
cmp_ok(supers($r), '>', $size / 2, 'mostly from super peers');
is_deeply([ grep { /[?&]bad=/ } (calls())[ $before .. calls() - 1 ] ], [], 'nobody was reported');

# A tracker of another key: tickets, but none that is good.
keys_are('tracker', $one);
$s->tracker->reload(more => "tracker_ticket_key swarm $dir/tracker;", peers => '');
$s->cdn->set(limit_rate => '8m');
$s->wait_ready('a.bin');
$before = calls();
$r = $s->get('a.bin');
download_ok($r, $path, 'tickets of an unknown key');
is(supers($r), 0, 'nothing from super peers');
like($r->{stderr}, qr/super peer .* HTTP 403/, 'which the report says');
is_deeply([ grep { /[?&]bad=/ } (calls())[ $before .. calls() - 1 ] ], [], 'nobody is reported');
my $denied = grep { /GET \/peers/ && !/event=/ } (calls())[ $before .. calls() - 1 ];
cmp_ok($denied, '<=', 3, 'and the tracker is left alone');
remember('a.bin');

subtest 'a key is changed in three steps, and nobody is refused' => sub {
    my @steps = ([ 'begin', [$one], [$one] ], [ 'the new one last', [ $one, $two ], [ $one, $two ] ],
        [ 'the new one first', [ $two, $one ], [ $two, $one ] ], [ 'the old one gone', [$two], [$two] ]);
    my %last;
    for (@steps) {
        my ($name, $tracker, $sp) = @$_;
        # the slower side of each step: what it does not know yet is not used
        keys_are('sp', @$sp);
        reload_sps() if $name ne 'the old one gone';
        keys_are('tracker', @$tracker);
        $s->tracker->reload;
        $s->wait_ready('a.bin');
        my $a = $s->ask('a.bin', event => 'stopped');
        my %now = map { /^(.*)\?/ ? ($1 => $_) : () } map { $_->{url} } @{ $a->{super} };
        is(keys %now, 2, "$name: both are listed");
        my @status = map { http(GET => s{\?}{/blocks/$a->{id}?}r,
            headers => { Range => 'bytes=0-9' })->{status} } values %now, values %last;
        is_deeply([ grep { $_ != 206 } @status ], [], 'tickets of this step and the one before are good');
        reload_sps() if $name eq 'the old one gone';
        %last = %now;
    }
};

my $all = join '', $s->tracker->error_log, slurp("$s->{tracker}{dir}/access.log"),
    map { $_->stderr, http(GET => $_->status_url('/status'))->{body} } $s->sps;
$all .= $_->stderr . $_->stdout for Shoal::Process->all_processes;
is_deeply([ grep { index($all, $_) >= 0 } keys %seen ], [], 'no ticket is logged or shown anywhere');
is_deeply([ grep { $all =~ /$_/i } $one, $two ], [], 'no key');

finish();
