# SIGHUP: the file is read anew and checked as a whole; what can change does,
# what cannot is named, and one with a fault changes nothing.

use v5.36;
use Shoal::Test;
use Shoal::FakeTracker qw(fake_tracker);

my $t  = fake_tracker();
my $sp = superpeer(trackers => [ $t->conf ], settings => { log => { level => 'info' } },
    origins => ['http://cdn.example.com']);
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

unlink $sp->conf;
my $before = length $sp->stderr;
kill HUP => $sp->pid;
wait_for { substr($sp->stderr, $before) =~ /nothing was changed$/m } 10, 'it';
like(substr($sp->stderr, $before), qr/reload: \S+yaml: No such file/,
     'without a file nothing changes');
ok($sp->alive, 'and it runs');

finish();
