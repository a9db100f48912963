# A super peer with ticket keys serves blocks, bitmaps and hashes only to who
# shows a good ticket, and says to the others what is wrong with theirs.

use v5.36;
use Shoal::FakeTracker qw(fake_tracker);
use Shoal::Test;
use Shoal::Ticket qw(ticket);

my $dir = tmpdir('keys');
my ($old, $new) = map { $_ x 32 } '0a', 'f1';
spew("$dir/keys", "$old\n");

my $cdn = cdn(nodes => 1);
my $path = $cdn->file('a.bin', 300_000);
my $t = fake_tracker();
my $sp = superpeer(trackers => [ $t->conf ], cdn => $cdn,
    settings => { tickets => { key_file => ["$dir/keys"], clock_skew => '1min' } });
my $id = $t->prepare($cdn->url('a.bin'), 300_000);
$t->wait_line(qr/^\+$id/);
my $other = 'ab' x 20;

sub get($what, $query = '', %o) {
    return http(GET => $sp->base . "/blocks/$what" . ($query eq '' ? '' : "?$query"), %o);
}

sub said($r) { return "$r->{status} $r->{body}" }

my $later = time + 600;
my $good = ticket($old, $id, $later);
my $foreign = 'ticket of another id or an unknown key';

my @cases = (
    [ 'a good one', "t=$good", undef ],
    [ 'among other arguments', "x=1&t=$good&t2=3", undef ],
    [ 'percent-encoded', 't=' . $good =~ s/(.)/sprintf '%%%02X', ord $1/er, undef ],
    [ 'just expired, as clocks differ', 't=' . ticket($old, $id, time - 10), undef ],
    [ 'none', '', 'no ticket' ],
    [ 'another argument', "tt=$good", 'no ticket' ],
    [ 'empty', 't=', 'malformed ticket' ],
    [ 'without a value', 't', 'no ticket' ],
    [ 'expired', 't=' . ticket($old, $id, time - 70), 'expired ticket' ],
    [ 'expired long ago', 't=' . ticket($old, $id, 1), 'expired ticket' ],
    [ 'made to last', 't=' . $good =~ s/^\d+/$later + 1/er, $foreign ],
    [ 'of another id', 't=' . ticket($old, $other, $later), $foreign ],
    [ 'of another key', 't=' . ticket($new, $id, $later), $foreign ],
    [ 'cut short', 't=' . substr($good, 0, -1), 'malformed ticket' ],
    [ 'its time alone', "t=$later", 'malformed ticket' ],
    [ 'in upper case', 't=' . ticket($old, $id, $later) =~ s/\.(.*)/'.' . uc $1/er,
        'malformed ticket' ],
    [ 'twice, a bad one first', "t=1.2&t=$good", 'malformed ticket' ],
    [ 'very long', 't=' . '1' x 4000, 'malformed ticket' ],
);
for my $what ('', '/have', '/hashes') {
    my @bad;
    for (@cases) {
        my ($name, $query, $want) = @$_;
        my $r = get("$id$what", $query);
        my $is = defined $want ? said($r) eq "403 $want\n" : $r->{status} == 200;
        push @bad, "$name: " . said($r) =~ s/[^ -~].*//sr if !$is;
    }
    is_deeply(\@bad, [], ($what || 'blocks') . ': each ticket says what it is');
}

my $r = get($id, "t=$good", headers => { Range => 'bytes=0-99' });
is("$r->{status} $r->{body}", '206 ' . substr(slurp($path), 0, 100), 'a range');
is(http(HEAD => $sp->base . "/blocks/$id")->{status}, 403, 'HEAD is asked for one too');
is(said(get($other)), "403 no ticket\n", 'an id that is not held: no word of that');
is(get($other, 't=' . ticket($old, $other, $later))->{status}, 404,
    'before there is a ticket for it');
is(get('short')->{status}, 404, 'a path that is none');

sub reload($text) {
    spew("$dir/keys", $text);
    my $done = () = $sp->stderr =~ /reload: (?:done|nothing)/g;
    $sp->process->signal('HUP');
    wait_for { (() = $sp->stderr =~ /reload: (?:done|nothing)/g) > $done } 10, 'the reload';
}

my $next = ticket($new, $id, $later);
reload("$old\n$new\n");
is_deeply([ map { get($id, "t=$_")->{status} } $good, $next ], [ 200, 200 ],
    'two keys: both are good');
reload("$new\nsesame\n");
like($sp->stderr, qr{tickets\.key_file: \Q$dir\E/keys:2: expected a key of}, 'a key that is none: named');
is_deeply([ map { get($id, "t=$_")->{status} } $good, $next ], [ 200, 200 ], 'nothing changes');
reload("$new # of June\n");
is_deeply([ map { said(get($id, "t=$_")) =~ s/\A200 .*/200/sr } $good, $next ],
    [ "403 $foreign\n", 200 ], 'the old one is taken away');

my $denied = $sp->status->{serve}{denied};
my $metrics = http(GET => $sp->status_url('/metrics'))->{body};
is($metrics =~ /^shoal_superpeer_denied_answers_total (\d+)/m ? $1 : undef, $denied,
    'the same in metrics and status');
my $wrong = grep { defined $_->[2] } @cases;
is($denied, 3 * $wrong + 3, 'each refusal is counted');

my $shown = $sp->stderr . http(GET => $sp->status_url('/status'))->{body};
unlike($shown, qr/$old|$new|sesame/i, 'no key is shown');
my @macs = map { /\.(.*)/ } $good, $next;
unlike($shown, qr/$macs[0]|$macs[1]/, 'nor a ticket');

$sp->stop;
my $open = superpeer(trackers => [ $t->conf ], cdn => $cdn, cache => $sp->cache,
    addr => $sp->addr, name => 'open');
$sp = $open;
is_deeply([ map { get($id, $_)->{status} } '', 't=1.2' ], [ 200, 200 ],
    'without keys everybody is served');

finish();
