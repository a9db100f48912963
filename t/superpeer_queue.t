# What is fetched next: files that somebody waits for before sets of earlier
# runs; where the queue is full, those give way. What cannot succeed is not
# tried each time that it is asked for.

use v5.36;
use Shoal::Test;
use Shoal::FakeTracker qw(fake_tracker);

my $size = 4_000_000;
my $cdn  = cdn(nodes => 1, limit_rate => '500k');
$cdn->file("$_.bin", $size, $_) for 1 .. 9;
my $t  = fake_tracker();
my $sp = superpeer(trackers => [ $t->conf ], cdn => $cdn,
    settings => { limits => { prefetch_jobs => 5, prefetch_queue => 5 } });

my %file_of;
sub prepare($n) {
    my $id = $t->prepare($cdn->url("$n.bin"), $size, 'mtime:1700000000');
    $file_of{$id} = $n;
    return $id;
}

# The files in the order in which they were begun.
sub begun($stderr) {
    return join ' ', $stderr =~ m{/(\d)\.bin: begins}g;
}

sub prefetch() { return $sp->status->{prefetch} }

# Five sets that are not complete.
my @ids = map { prepare($_) } 1 .. 5;
$t->wait_line(qr/^~$_ [1-9]/) for @ids;
$sp->kill9;
$sp->{settings}{limits}{prefetch_jobs} = 1;
$t->forget_commands->clear;
$sp->start;
wait_for { prefetch()->{running} == 1 } 5, 'the first of them';
is(prefetch()->{queued}, 4, 'the others wait');
is(prefetch()->{waited}, 0, 'nobody waits for them');

# A new file, one of those in the queue, and so many that none has room.
prepare(6);
wait_for { prefetch()->{waited} == 1 } 5, 'the command';
my ($running) = begun($sp->stderr);
my $last = (grep { $_ != $running } 5, 4)[0];
prepare($last);
wait_for { prefetch()->{waited} == 2 } 5, 'the command for a queued one';
is(prefetch()->{queued}, 5, 'which is in the queue once');
my @more = (prepare(7), prepare(8), prepare(9));
wait_for { prefetch()->{waited} == 5 } 5, 'as many as there is room for';
is(prefetch()->{displaced}, 3, 'sets of earlier runs gave way');
is(prefetch()->{queued}, 5, 'the queue is full');
my $refused = $t->prepare($cdn->url('x.bin'), 1000);
$t->wait_line(qr/^\?$refused busy/);
pass('the next one is refused');
$cdn->set(limit_rate => '100m');
$t->wait_line(qr/^\+$_ /, 30) for @more;
is(begun($sp->stderr), "$running 6 $last 7 8 9", 'first come, first served');
is((grep { $_->{url} =~ m{/x\.bin$} } @{ $sp->status->{refusals} })[0]{reason},
   'busy', 'status');
$sp->stop;
$t->forget_commands->clear;
$sp->start;
$t->wait_line(qr/^\+$_ /, 20) for @ids;
pass('sets that gave way are gone on with');

# Refusals from memory.
$t->clear;
sub refused($id, $n) {
    wait_for { (grep { /^\?$id / } $t->lines) >= $n } 10, "refusal $n";
    my ($r) = grep { $_->{id} eq $id } @{ $sp->status->{refusals} };
    return $r;
}
$cdn->file('other.bin', 1000);
for my $case ([ 'none.bin', 1000, 'notfound' ], [ 'other.bin', 999, 'noagree' ],
    [ 'huge.bin', 1 << 40, 'toolarge' ])
{
    my ($name, $bytes, $reason) = @$case;
    my $id = $t->prepare($cdn->url($name), $bytes);
    my $r = refused($id, 1);
    is("$r->{reason} $r->{repeats}", "$reason 0", "$reason: refused");
    my $asked = $cdn->node(0)->requests(uri => "/$name");
    $t->clear;
    $t->prepare($cdn->url($name), $bytes);
    $r = refused($id, 1);
    is("$r->{reason} $r->{repeats}", "$reason 1", 'again, from memory');
    ok($r->{remembered}, 'as the status says');
    is(scalar $cdn->node(0)->requests(uri => "/$name"), $asked,
        'no node was asked');
}
is(prefetch()->{remembered}, 3, 'counted');

# A file that comes later, and a reload.
$cdn->file('none.bin', 1000);
$sp->process->signal('HUP');
wait_for { $sp->stderr =~ /reload: done/ } 5, 'the reload';
$t->clear;
my $id = $t->prepare($cdn->url('none.bin'), 1000);
like($t->wait_line(qr/^[+?]$id /), qr/^\+/, 'a reload forgets refusals');

# A network error may be over soon: it is not remembered.
$cdn->node(0)->stop;
$id = $t->prepare($cdn->url('1.bin?again'), $size);
like($t->wait_line(qr/^[+?]$id /, 30), qr/ failed$/, 'no node lives: failed');
$cdn->node(0)->start;
$t->clear;
$t->prepare($cdn->url('1.bin?again'), $size);
like($t->wait_line(qr/^[+?]$id /), qr/^\+/, 'tried again at once');

# A reload while a job runs: it keeps the guard that it began with, and what
# comes later has the new one, also where more jobs may run.
sub reload(%settings) {
    my $n = () = $sp->stderr =~ /reload: done/g;
    $sp->{settings} = { %{ $sp->{settings} }, %settings };
    $sp->write_conf;
    $sp->process->signal('HUP');
    wait_for { (() = $sp->stderr =~ /reload: done/g) > $n } 5, 'the reload';
}
# (nginx's rate is of a connection, and what it allows for a second goes at once.)
$cdn->set(limit_rate => '700k');
$cdn->file("$_.bin", $size, $_) for qw(p q r);
my @slow = map { $t->prepare($cdn->url("$_.bin"), $size) } qw(p q r);
$t->wait_line(qr/^~$slow[0] [1-9]/);
is(prefetch()->{running}, 1, 'one job at a time');
reload(limits => { prefetch_jobs => 2 });
wait_for { prefetch()->{running} == 2 } 5, 'two after a reload';
$t->wait_line(qr/^~$slow[1] [1-9]/);
reload(limits => { prefetch_jobs => 2 },
    origins => ['https://elsewhere.example.com']);
like($t->wait_line(qr/^[+?]$slow[$_] /, 20), qr/^\+/, 'a job that ran goes on')
    for 0, 1;
is($t->wait_line(qr/^[+?]$slow[2] /), "?$slow[2] origin",
   'one that waited is refused by the new origins');

# A later command for a file that is queued has a URL that is signed anew.
$sp->stop;
$t->forget_commands->clear;
$sp = superpeer(trackers => [ $t->conf ], cdn => $cdn, name => 'one',
    settings => { limits => { prefetch_jobs => 1 } });
$cdn->set(limit_rate => '1m');
$cdn->file("signed$_.bin", $size, $_) for 1, 2;
my $first = $t->prepare($cdn->url('signed1.bin'), $size, 'mtime:1700000000');
$t->wait_line(qr/^~$first [1-9]/);
my $signed = $t->prepare($cdn->url('signed2.bin') . '?sig=old', $size,
    'mtime:1700000000');
wait_for { prefetch()->{queued} == 1 } 5, 'the command';
my $again = $t->prepare($cdn->url('signed2.bin') . '?sig=new', $size,
    'mtime:1700000000', id => $signed);
my $after = $t->prepare($cdn->url('signed1.bin') . '?x', $size, 'etag:"x"');
wait_for { prefetch()->{queued} == 2 } 5, 'the commands after it';
$cdn->set(limit_rate => '100m');
$t->wait_line(qr/^\+$signed /, 20);
my @uris = map { $_->{uri} } grep { $_->{uri} =~ /signed2/ }
    $cdn->node(0)->requests;
cmp_ok(scalar @uris, '>', 0, 'it was asked for');
is(scalar(grep { !/sig=new/ } @uris), 0, 'with the URL of the later command');

finish();
