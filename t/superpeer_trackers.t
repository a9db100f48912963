# Several trackers, and several addresses of one: a poll, an epoch and a cursor
# for each; addresses that come and go; two that are the same tracker's.

use v5.36;
use Shoal::Test;
use Shoal::FakeTracker qw(fake_tracker);

my $cdn = cdn(nodes => 1);
$cdn->file($_, 100_000) for map { "$_.bin" } 'a' .. 'f';
my $port = free_port('127.0.0.3');
my %t = map { $_ => fake_tracker(addr => "127.0.0.$_", port => $port) } 3 .. 5;
my $other = fake_tracker(addr => '127.0.0.8');
my $host  = 'tracker.example.com';

sub resolve(@last) {
    return $cdn->resolve, "$host:$port:" . join ',', map { "127.0.0.$_" } @last;
}
sub settings(@last) { return { resolve => [ resolve(@last) ] } }

my $sp = superpeer(cdn => $cdn, settings => settings(3, 4), trackers =>
    [ { url => "http://$host:$port/control", token => 'sesame' }, $other->conf ]);

sub reload() {
    my $before = length $sp->stderr;
    $sp->write_conf;
    kill HUP => $sp->pid;
    wait_for { substr($sp->stderr, $before) =~ /reload: done$/m } 10, 'the reload';
}
sub state_of($last) {
    my ($s) = grep { $_->{address} eq "127.0.0.$last:" . $t{$last}{port} }
        @{ $sp->status->{trackers} };
    return $s;
}
sub polled($t, $seconds = 10) { wait_for { $t->polls } $seconds, "a poll at $t->{addr}" }

polled($_) for @t{3, 4}, $other;
my %epoch = map { $_->{epoch} => 1 } @{ $sp->status->{trackers} };
is(scalar keys %epoch, 3, 'an epoch for each');
my %session = map { $_->{args}{session} => 1 } map { $_->calls } @t{3, 4}, $other;
is(scalar keys %session, 1, 'one session');

# What one tells is prepared, and all hear of it.
my $id = $t{4}->prepare($cdn->url('a.bin'), 100_000);
$_->wait_line(qr/^\+$id /) for @t{3, 4}, $other;
pass('all three hear of it');
$id = $t{4}->prepare($cdn->url('b.bin'), 100_000);
$_->wait_line(qr/^\+$id /) for @t{3, 4}, $other;
wait_for { grep { ($_->{args}{cursor} // 0) == 2 } $t{4}->polls } 10, 'its cursor';
ok(!(grep { $_->{args}{cursor} } $t{3}->polls), "and the others' stay");

# Another address for an old one.
$sp->{settings} = settings(4, 5);
reload();
$t{5}->wait_line(qr/^\+$id /);
polled($t{5});
wait_for { !state_of(3) } 10, 'the old address to be gone';
my ($said) = grep { $_->{args}{event} } $t{3}->calls;
is($said->{args}{event}, 'stopped', 'it was told');
ok(!(grep { $_->{args}{event} } $t{4}->calls), 'the others were not');
is(scalar(grep { ($_->{args}{full} // '') eq 'first' } $t{4}->calls), 1,
    'who stays hears no second announcement');

# A tracker less, and one more.
my $new = fake_tracker(addr => '127.0.0.9');
$sp->{trackers}[1] = $new->conf;
reload();
$new->wait_line(qr/^\+$id /);
wait_for { grep { $_->{args}{event} } $other->calls } 10, 'the old one to hear of it';
like($sp->stderr, qr/reload: trackers: changed$/m, 'named');
$sp->{settings}{locality} = 'cn/x';
reload();
my $next = $new->prepare($cdn->url('c.bin'), 100_000);
$new->wait_line(qr/^\+$next /);
is((grep { @{ $_->{lines} } } $new->calls)[-1]{args}{locality}, 'cn/x', 'locality');

# The same tracker in other words: the old link's last word does not count
# against what the new one says.
spew(tmpdir('token') . '/token', "sesame\n");
$new->clear;
$sp->{trackers}[1] = { url => $new->conf->{url}, token_file => tmpdir('token') . '/token' };
reload();
wait_for { grep { ($_->{args}{full} // '') eq 'last' } $new->calls } 10, 'its announcement';
my ($word) = wait_for { (grep { $_->{args}{event} } $new->calls)[0] } 10, 'the last word';
my ($first) = grep { ($_->{args}{full} // '') eq 'first' } $new->calls;
cmp_ok($word->{args}{seq}, '<', $first->{args}{seq}, 'a last word is older than what follows');

# The same tracker at a second address: one of the two speaks.
my $twin = fake_tracker(addr => '127.0.0.6', port => $port, same => $t{4});
$t{6} = $twin;
$sp->{settings} = settings(4, 6);
reload();
wait_for { state_of(6) && state_of(6)->{same} } 10, 'the second to be known as such';
$next = $t{4}->prepare($cdn->url('d.bin'), 100_000);
$t{4}->wait_line(qr/^\+$next /);
is_deeply([ grep { $_->{addr} eq '127.0.0.6' && ($_->{args}{wait_ms} || @{ $_->{lines} }) }
    $t{4}->calls ], [], 'and says nothing');
$t{4}->stop;
wait_for { grep { $_->{addr} eq '127.0.0.6' && $_->{args}{wait_ms} } $twin->calls } 20,
    'it to take over';
$next = $twin->prepare($cdn->url('e.bin'), 100_000);
$twin->wait_line(qr/^\+$next /);
pass('it takes over when the first one is gone');
my @warnings = $sp->stderr =~ / warn - tracker .* at 127\.0\.0\.4: /g;
cmp_ok(scalar @warnings, '<=', 2, 'which is not said with every attempt');

is($sp->stop, 0, 'the end');
for ([ $twin, '127.0.0.6' ], [ $new, '127.0.0.9' ]) {
    my ($t, $addr) = @$_;
    my ($last) = grep { $_->{addr} eq $addr && $_->{args}{event} } $t->calls;
    is($last->{args}{event}, 'stopped', "$addr hears of it");
}

# A tracker over IPv4 and IPv6: the super peer is where the link that speaks
# calls from, whatever the other one asks.
SKIP: {
    my $probe = IO::Socket::IP->new(LocalHost => '::1', Listen => 1);
    skip 'no IPv6 here', 3 if !$probe;
    my $dual = Shoal::Tracker->new(origin => $cdn->host);
    $dual->{server} = "listen [::1]:$dual->{port};";
    $dual->start;
    my $sp2 = superpeer(cdn => $cdn, settings => { bind_address => undef, resolve =>
        [ $cdn->resolve, "dual.example.com:$dual->{port}:127.0.0.2,::1" ] }, trackers => [ {
            url => "http://dual.example.com:$dual->{port}/control", token => $dual->token } ]);
    my $links = wait_for {
        my @links = sort { $a->{same} <=> $b->{same} } @{ $sp2->status->{trackers} };
        @links == 2 && $links[1]{same} && $links[0]{announcements} ? \@links : undef;
    } 10, 'one of two links';
    my ($speaks, $quiet) = @$links;
    is($quiet->{epoch}, $speaks->{epoch}, 'one tracker');
    my $from = $speaks->{address} =~ /^\[/ ? '[::1]' : '127.0.0.1';
    wait_for { $dual->status->{super}[0]{url} eq "http://$from:" . $sp2->port } 5,
        'the tracker to have its place';
    pass("it is at $from, where the link that speaks calls from");
    unlike($dual->error_log, qr/new session/, 'one session');
}

# The name gets another address while it runs: in a mount namespace, for an
# /etc/hosts of our own.
SKIP: {
    skip 'another /etc/hosts needs root', 2 if $> != 0;
    my ($st) = run_cmd(qw(unshare -m true));
    skip 'no mount namespaces here', 2 if $st ne '0';
    my $hosts = tmpdir('hosts') . '/hosts';
    my sub name_is(@last) { spew($hosts, join '', map { "127.0.0.$_ $host\n" } @last) }
    name_is(3, 5);
    $_->clear for values %t;
    $sp->{settings} = { resolve => [ $cdn->resolve ] };
    $sp->{trackers} = [ { url => "http://$host:$port/control", token => 'sesame' } ];
    $sp->write_conf;
    $sp->{process} = start_cmd({ env => { san_env() }, name => 'sp' }, 'unshare', '-m', 'sh', '-c',
        'mount --bind "$2" /etc/hosts && exec "$0" -c "$1"', program('superpeer'), $sp->conf, $hosts);
    polled($_) for @t{3, 5};
    $t{5}->stop;
    my $moved = fake_tracker(addr => '127.0.0.7', port => $port);
    name_is(3, 7);
    polled($moved);
    pass('a new address gets a link');
    wait_for { $sp->stderr =~ /at 127\.0\.0\.5: address is gone$/m } 20, 'the old one to go';
    is($sp->stop, 0, 'and the old one is left');
}

finish();
