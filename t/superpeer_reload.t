# SIGHUP: the file is read anew and checked as a whole; what can change does,
# what cannot is named, and one with a fault changes nothing.

use v5.36;
use Shoal::Test;
use Shoal::FakeTracker qw(fake_tracker);

my $cdn = cdn(nodes => 1);
$cdn->file('a.bin', 100_000);
my $t  = fake_tracker();
my $sp = superpeer(trackers => [ $t->conf ], settings => { log => { level => 'info' } },
    origins => ['http://other.example.com']);
my $good = slurp($sp->conf);

# What the log says after the file was changed.
sub reload($text) {
    my $before = length $sp->stderr;
    spew($sp->conf, $text);
    kill HUP => $sp->pid;
    wait_for { substr($sp->stderr, $before)
        =~ /reload: (?:done|nothing was changed)$/m } 10, 'the reload';
    return substr $sp->stderr, $before;
}

my $said = reload($good);
unlike($said, qr/reload: \S+: (?:changed|needs)/, 'the same file: no change');

$said = reload($good . "nonsense: 1\nlimits:\n  connections: 0\n");
my $line = ($good =~ tr/\n//) + 1;
like($said, qr/ error - reload: \Q$sp->{dir}\E\/superpeer\.yaml:$line: nonsense: /,
     'a fault, where it is');
like($said, qr/:@{[ $line + 2 ]}: limits\.connections: expected /, 'all of them');
like($said, qr/ error - reload: nothing was changed$/m, 'nothing was changed');

$said = reload($good =~ s/^name: \K.*/other/mr =~ s/^listen: \K.*/"*:1"/mr);
like($said, qr/ warn - reload: $_: needs a restart$/m, "$_: needs a restart")
    for qw(name listen);
like($said, qr/reload: done$/m, 'done');
is($sp->status->{name}, $sp->name, 'it goes on under its name');
$said = reload($good);
unlike($said, qr/restart/, 'back again: no word of it');

$said = reload($good =~ s/level: \Kinfo/debug/r);
like($said, qr/ info - reload: log\.level: changed$/m, 'a change');

# Another origin may be fetched from, an older one not any more.
my $id = $t->prepare($cdn->url('a.bin'), 100_000);
$t->wait_line(qr/^\?$id origin$/);
my ($resolve, $origin) = ($cdn->resolve, 'http://' . $cdn->host . ':' . $cdn->port);
$good =~ s/^resolve: .*/resolve: [ "$resolve" ]/m;
$said = reload($good =~ s/^ +- \K.*other\.example\.com.*/"$origin"/mr);
like($said, qr/ info - reload: $_: changed$/m, "$_ changes") for qw(origins resolve);
my $next = $t->prepare($cdn->url('a.bin'), 100_000, 'mtime:1700000000');
$t->wait_line(qr/^\+$next /);
reload($good);
$id = $t->prepare($cdn->url('a.bin'), 100_001);
$t->wait_line(qr/^\?$id origin$/);
pass('origins come and go');

unlink $sp->conf;
my $before = length $sp->stderr;
kill HUP => $sp->pid;
wait_for { substr($sp->stderr, $before) =~ /nothing was changed$/m } 10, 'it';
like(substr($sp->stderr, $before), qr/reload: \S+yaml: No such file/,
     'without a file nothing changes');
ok($sp->alive, 'and it runs');

finish();
