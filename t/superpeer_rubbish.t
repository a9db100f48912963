# A tracker that says rubbish, too much or hostile things: each is refused,
# and what makes sense beside it is done.

use v5.36;
use Shoal::Test;
use Shoal::FakeTracker qw(fake_tracker);

my $cdn = cdn(nodes => 1);
$cdn->file('a.bin', 100_000);
my $t  = fake_tracker();
my $sp = superpeer(trackers => [ $t->conf ], cdn => $cdn,
    settings => { limits => { prefetch_queue => 2000 } });
my $host = $cdn->host . ':' . $cdn->port;

sub still_works($what) {
    state $n = 0;
    $cdn->file('ok' . ++$n, 50_000, $n);
    my $id = $t->prepare($cdn->url("ok$n"), 50_000);
    like($t->wait_line(qr/^[+?]$id /, 20), qr/^\+/, "$what: others go on");
}

# Hostile URLs: what came of each.
my $serial = 0;
for my $url ("http://user:secret\@$host/x", "http://$host\@127.0.0.9/x",
    'file:///etc/passwd', 'gopher://127.0.0.1/x', 'x', '', "http://$host/\n",
    "http://$host/a\r\nX: y", "http:// $host/",
    'http://127.0.0.1:22/', 'http://2130706433/', 'http://0177.0.0.1/',
    'http://0x7f.1/', 'http://0.0.0.0/', 'http://[::1]/', 'http://localhost/',
    'http://[::ffff:127.0.0.1]/', "http://$host.evil.example.com/",
    "http://evil.example.com\\\@$host/", "http://$host/" . 'a' x 5000,
    'http://' . 'a' x 300 . '/', "http://$host:99999/", "https://$host/a.bin")
{
    my $id = $t->prepare($url, 100_000, '', id => sprintf '%040x', ++$serial);
    my $shown = substr($url, 0, 40) =~ s/[^ -~]/?/gr;
    my $line = eval { $t->wait_line(qr/^[+?]$id /, 10) } // 'nothing';
    like($line, qr/^\?$id (?:failed|origin)$/, "refused: $shown");
}
is(scalar $cdn->node(0)->requests, 0, 'nobody was asked');
still_works('hostile URLs');

# Things that are no commands.
for my $more ({ id => 'short' }, { size => 'big' }, { size => -1 },
    { url => [] }, { version => {} }, { version => 'x' x 300 },
    { provider => "p\n" }, { size => 9223372036854775807 })
{
    $t->prepare($cdn->url('a.bin'), 100_000, '', id => 'e' x 40, %$more);
}
still_works('no commands');

# A thousand at once; each is answered.
$t->clear;
my @ids;
for my $i (1 .. 1000) {
    push @ids, sprintf 'f%039x', $i;
    $t->prepare($cdn->url("missing$i"), 1000 + $i, '', id => $ids[-1]);
}
wait_for { (my %got = map { /^\?(f\S+) notfound/ ? ($1 => 1) : () } $t->lines);
    keys %got == 1000 } 60, '1000 answers';
pass('1000 at once: all are answered');
still_works('1000 at once');

# A new epoch that only the answers to news tell, as the poll gets none.
$cdn->set(limit_rate => '300k');
$cdn->file('slow.bin', 6_000_000, 9);
my ($old) = map { $_->{id} } grep { $_->{state} eq 'complete' }
    @{ $sp->status->{sets} };
my $slow = $t->prepare($cdn->url('slow.bin'), 6_000_000);
$t->wait_line(qr/^~$slow [1-9]/);
$t->misbehave('mute');
$t->clear;
$t->new_epoch;
$t->wait_line(qr/^\+$old /, 20);
pass('a new epoch without a broken poll: all is announced');
$cdn->set(limit_rate => '100m');
$t->misbehave('');

# News that are not taken are not lost: all is said again.
$t->misbehave('refuse');
$cdn->file('unheard.bin', 1000);
my $unheard = $t->prepare($cdn->url('unheard.bin'), 1000);
wait_for { $sp->status->{trackers}[0]{error} =~ /400/ } 20, 'news are refused';
wait_for { (grep { $_->{id} eq $unheard && $_->{state} eq 'complete' }
    @{ $sp->status->{sets} })[0] } 20, 'the file is there';
$t->misbehave('');
$t->wait_line(qr/^\+$unheard /, 30);
pass('what a tracker refused to hear is said again');

# Answers without an end, and endless nesting.
for my $how (qw(endless deep)) {
    $t->misbehave($how);
    $t->prepare($cdn->url("$how.bin"), 1000);
    wait_for { !$sp->status->{trackers}[0]{connected} } 20, "$how: noticed";
    $t->misbehave('');
    still_works($how);
}
ok($sp->alive, 'still there');
my $rss = slurp('/proc/' . $sp->pid . '/status') =~ /VmHWM:\s*(\d+)/ ? $1 : 0;
cmp_ok($rss, '<', 400_000, 'and not fat') if !sanitized();

finish();
