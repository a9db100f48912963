# superpeer cache ls, show, rm, verify: of an agent that runs, and of one that
# does not.

use v5.36;
use IO::Socket::UNIX;
use JSON::PP;
use Shoal::Test;
use Shoal::FakeTracker qw(fake_tracker);

my $cdn = cdn(nodes => 1);
my $t  = fake_tracker();
my $sp = superpeer(trackers => [ $t->conf ], cdn => $cdn);
my $socket = $sp->cache . '/control.sock';

sub admin($command, @args) {
    return run_cmd({ env => { san_env() }, name => "cache-$command" },
        program('superpeer'), 'cache', $command, '-c', $sp->conf, @args);
}

sub admin_json($command, @args) {
    my ($st, $out, $err) = admin($command, '--json', @args);
    return ($st, eval { decode_json($out) } // { bad => $out }, $err);
}

my (%id, %path);
for my $i (1 .. 3) {
    my $name = "file$i.bin";
    $path{$i} = $cdn->file($name, $i * 1048576 + 10, $i);
    $id{"f$i"} = $t->prepare($cdn->url("$name?token=secret$i"),
        $i * 1048576 + 10, 'mtime:1700000000');
    $t->wait_line(qr/^\+$id{"f$i"} /);
}

sub check_lists($how) {
    my ($st, $out, $err) = admin('ls');
    is("$st$err", '0', "$how: ls");
    my @lines = split /\n/, $out;
    like(shift @lines, qr/^ID +SIZE +BLOCKS +STATE +LAST USE .*URL$/, 'head');
    is(@lines, 3, 'three sets');
    my ($two) = grep { /file2/ } @lines;
    my $short = substr $id{f2}, 0, 12;
    my $row = qr{2\.0 MiB +33/33  complete +\d{4}-\d\d-\d\d [\d:]+  http};
    like($two, qr{^$short +$row://\S+/file2\.bin$}, 'one of them');
    unlike($out, qr/secret/, 'no tokens');

    my $list;
    ($st, $list, $err) = admin_json('ls');
    my %by = map { $_->{id} => $_ } @{ $list->{sets} };
    is_deeply([ map { $by{ $id{"f$_"} }{size} } 1 .. 3 ],
        [ map { $_ * 1048576 + 10 } 1 .. 3 ], '--json');

    ($st, $out) = admin('show', substr $id{f3}, 0, 8);
    like($out, qr/^id +$id{f3}$/m, 'show: a prefix is enough');
    like($out, qr/^state +complete$/m, 'what it is');
    like($out, qr/^root +[0-9a-f]{64}$/m, 'its root');
    ($st, $out) = admin('show', $cdn->url('file1.bin'));
    like($out, qr/^id +$id{f1}$/m, 'a URL as well');

    ($st, $out, $err) = admin('show', 'beefbeef');
    is($st, 1, 'one that is not there: status 1');
    is($err, "superpeer cache: beefbeef: no such set\n", 'words');
    ($st, $out, $err) = admin('show', 'http');
    is($st, 1, 'no id and no URL');

    ($st, $out, $err) = admin('verify');
    is("$st$err", '0', 'verify: nothing is wrong');
    is($out, "99 blocks, 6.0 MiB: 0 wrong, 0 of no set\n", 'counts');
    return %by;
}

my %sets = check_lists('running');
my $used = $sp->status->{cache}{used};
my $sum = 0;
$sum += $_->{room} for values %sets;
is($sum, $used, 'the room of all is what counts as used');
my (undef, $all) = admin_json('ls');
is("@{$all->{cache}}{qw(used sets complete)}", "$used 3 3", 'ls tells it, too');
is(sprintf('%o', (stat $socket)[2] & 07777), '600', 'its owner alone');

# On probation until a second address reads it.
sub probation() { return admin_json('show', $id{f1}) }
for my $n (5, 5, 6) {
    ok((probation())[1]{sets}[0]{probation}, "before it is read from .$n");
    http(GET => $sp->base . "/blocks/$id{f1}", from => "127.0.0.$n");
}
wait_for { !(probation())[1]{sets}[0]{probation} } 5, 'two have read it';
pass('read from two addresses: proven');

# The tracker hears of it before.
$t->clear;
my ($st, $out, $err) = admin('rm', substr($id{f2}, 0, 10), 'cafe');
is($st, 1, 'rm: one is there, one is not');
like($out, qr{^removed $id{f2}  http://\S+/file2\.bin$}, 'which one');
is($err, "superpeer cache: cafe: no such set\n", 'which one not');
$t->wait_line(qr/^-$id{f2}$/);
is(http(GET => $sp->base . "/blocks/$id{f2}")->{status}, 404, 'it is gone');
is(scalar @{ (admin_json('ls'))[1]{sets} }, 2, 'two are left');
is((admin('rm'))[0], 2, 'rm without sets: status 2');

# Clients that say nothing, or nothing useful, hold up nobody.
sub connect_to() { return IO::Socket::UNIX->new(Peer => $socket) }
my @mute = map { connect_to() } 1 .. 3;
is((admin('ls'))[0], 0, 'beside three that are mute');
push @mute, connect_to();
my $busy = wait_for { my ($st, undef, $err) = admin('ls'); $st ? $err : '' }
    5, 'to be told so';
is($busy, "superpeer cache: others are using it\n", 'four are enough');
wait_for { (admin('ls'))[0] == 0 } 15, 'them to be given up';
pass('who says nothing is given up');
@mute = ();
for my $bad ('', "\n", "[1]\n", '{"command":"ls"', qq({"command":7,"sets":8}\n),
    '[' x 100_000 . "\n", qq({"command":"rm","sets":[1,{}]}\n))
{
    my $c = connect_to();
    $c->print($bad);
    shutdown $c, 1;
    local $/;
    my $answer = readline $c;
    unlike($answer // '', qr/removed/, 'bad input: ' . substr $bad, 0, 30);
}
is(scalar @{ (admin_json('ls'))[1]{sets} }, 2, 'nothing has gone');

# Not running: the same.
$id{f2} = $t->prepare($cdn->url('file2.bin?token=secret2'), 2 * 1048576 + 10,
    'mtime:1700000000');
$t->wait_line(qr/^\+$id{f2} /);
$sp->stop;
ok(!-e $socket, 'no socket is left');
check_lists('stopped');

# A damaged block.
my $file = $sp->cache . '/data.mdb';
my $at = index slurp($file), substr slurp($path{3}), 20 * 65536, 64;
open my $f, '+<:raw', $file or die "$file: $!\n";
seek $f, $at + 1000, 0;
print $f 'damage';
close $f;
($st, $out, $err) = admin('verify');
is($st, 1, 'verify: status 1');
like($err, qr/ $id{f3} cache: block 20 is damaged, and dropped$/m, 'the log');
like($out, qr/^$id{f3}  1 wrong blocks, dropped  http\S+file3.bin$/m, 'which');
like($out, qr/^99 blocks, 6\.0 MiB: 1 wrong, 0 of no set$/m, 'counts');
($st, my $v) = admin_json('verify', $id{f3});
is_deeply($v->{verified}, { blocks => 48, bytes => 3 * 1048576 + 10 - 65536,
    wrong => 0, astray => 0 }, 'the next time it is not there');
my (undef, $show) = admin_json('show', $id{f3});
is($show->{sets}[0]{state}, 'incomplete', 'and its set not complete');
$t->clear;
$cdn->clear_logs;
$sp->start;
$t->wait_line(qr/^\+$id{f3} /);
is((grep { $_->{method} eq 'GET' && $_->{bytes} == 65536 }
    $cdn->node(0)->requests), 1, 'the agent fetches that block');

# On the running agent as well.
$sp->stop;
($at) = index slurp($file), substr slurp($path{1}), 3 * 65536, 64;
open $f, '+<:raw', $file or die "$file: $!\n";
seek $f, $at + 1000, 0;
print $f 'damage';
close $f;
$sp->start;
($st, $out, $err) = admin('verify', $id{f1});
is("$st $err", '1 ', 'running: status 1');
like($out, qr/^17 blocks, 1\.0 MiB: 1 wrong, 0 of no set$/m, 'counts');
wait_for { (admin('verify', $id{f1}))[1] =~ /^17 blocks.*: 0 wrong/m } 10,
    'the block to be fetched again';

# Words.
my $bin = program('superpeer');
for my $args ([], ['dance'], [ 'show' ], [ 'ls', '--no-such' ], [ 'ls', '' ]) {
    ($st, $out, $err) = run_cmd({ env => { san_env() } }, $bin, 'cache',
        @$args);
    is($st, 2, "superpeer cache @$args: status 2");
    like($err, qr/usage: superpeer cache/, 'usage');
}
like((run_cmd({ env => { san_env() } }, $bin, 'cache', '--help'))[1],
     qr/^  verify /m, '--help');
is((run_cmd({ env => { san_env() } }, $bin, '-c', $sp->conf, 'cache', 'ls'))[0],
   0, 'superpeer -c FILE cache ls');

finish();
