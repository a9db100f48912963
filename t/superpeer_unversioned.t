# Where no version is known, nobody can tell whether blocks that are held are
# of the file that the nodes have by now: such a set is begun anew, after a
# restart and after a failure.

use v5.36;
use Shoal::Test;
use Shoal::FakeTracker qw(fake_tracker);

my $size = 32 * 1048576;
my $cdn = cdn(nodes => 1, limit_rate => '4m');
$cdn->file('a.bin', $size, 1);
my $t  = fake_tracker();
my $sp = superpeer(trackers => [ $t->conf ], cdn => $cdn,
    settings => { limits => { nodes_per_file => 1 } });
my $id = $t->prepare($cdn->url('a.bin'), $size);

sub some($what) {
    wait_for { (grep { /^~$id (\d+)/ && $1 >= 64 } $t->lines) } 20, $what;
}

sub whole($path, $what) {
    $cdn->set(limit_rate => '100m');
    $t->wait_line(qr/^\+$id \S+ cdn http$/, 20);
    ok(http(GET => $sp->base . "/blocks/$id")->{body} eq slurp($path), $what);
}

some('64 blocks');
$sp->kill9;
my $path = $cdn->file('a.bin', $size, 2);
$t->clear;
$sp->start;
whole($path, 'another file of that size after a restart: its bytes alone');
unlike($sp->stderr, qr/goes on with/, 'nothing old was used');

# The node goes while the set is filled, and comes back with another file.
$t->clear;
$cdn->set(limit_rate => '4m');
$cdn->file('b.bin', $size, 3);
$id = $t->prepare($cdn->url('b.bin'), $size);
some('64 blocks of another');
$cdn->node(0)->stop;
$t->wait_line(qr/^\?$id failed$/, 60);
ok((grep { $_ eq "-$id" } $t->lines), 'it failed: said to be gone');
is(http(GET => $sp->base . "/blocks/$id/have")->{status}, 404, 'and is');
$path = $cdn->file('b.bin', $size, 4);
$t->clear;
$cdn->node(0)->start;
$t->prepare($cdn->url('b.bin'), $size);
whole($path, 'another file when the node is back: its bytes alone');

# Two nodes that show nothing to tell their files apart by: where they hold
# other bytes, nothing decides. Where the other one has to take over, it gives
# all.
$sp->stop;
$t->forget_commands->clear;
my $bytes = 20_000_000;
my $dir = tmpdir('files');
my @files = map { make_file("$dir/$_", $bytes, $_) } 1, 2;

sub bare($file, $first) {
    return { bad => { each => sub ($q) {
        return (drop => 1) if $first && $q->{before};
        my ($from, $to) = ($q->{h}{range} // '') =~ /^bytes=(\d+)-(\d+)$/;
        return (handler => sub { (200, { 'Content-Length' => $bytes }, '') })
            if !defined $from;
        my $n = $to - $from + 1;
        return (delay => 0.05 + $n / 20e6, handler => sub {
            open my $f, '<:raw', $file or die "$file: $!\n";
            seek $f, $from, 0;
            read $f, (my $data), $n;
            return (206, { 'Content-Range' => "bytes $from-$to/$bytes" },
                $data);
        });
    } } };
}

for my $case ([ 'one node at a time', 0 ], [ 'a node that goes', 1 ]) {
    my ($what, $goes) = @$case;
    my $two = cdn(nodes => [ bare($files[0], $goes), bare($files[1], 0) ]);
    $sp = superpeer(trackers => [ $t->conf ], cdn => $two,
        settings => { limits => { nodes_per_file => 2 } });
    $t->forget_commands->clear;
    $id = $t->prepare($two->url("$goes.bin"), $bytes);
    like($t->wait_line(qr/^[+?]$id /, 40),
        $goes ? qr/^\+/ : qr/^\?$id noagree/, $what);
    my $got = http(GET => $sp->base . "/blocks/$id")->{body};
    my @same = grep { $got eq slurp($files[$_]) } 0, 1;
    is("@same", $goes ? '1' : '', "$what: no mixture");
    cmp_ok($sp->status->{prefetch}{wasted}{cdn}, '>', 0,
        'what the first one gave is thrown away') if $goes;
    $sp->stop;
    $two->stop;
}

finish();
