# A file that is replaced while a super peer fetches it: rewritten in place,
# which no answer shows that has begun, or renamed over. What it tells to be
# held is the version that it was asked for, as a whole, or it says no.

use v5.36;
use Shoal::FakeTracker qw(fake_tracker);
use Shoal::Test;

my $size = 6_000_000;
my ($old, $new) = map { make_file(tmpdir('versions') . "/$_", $size, $_,
    1_600_000_000 + 100 * $_) } 1, 2;
my $version = sprintf 'etag:"%x-%x"', 1_600_000_100, $size;
my $last = 30;

my %replace = (
    'renamed over' => sub ($path) {
        run_cmd('cp', '--preserve=timestamps', $new, "$path.new");
        rename "$path.new", $path or die "$path: $!\n";
    },
    'rewritten in place' => sub ($path) {
        open my $f, '+<:raw', $path or die "$path: $!\n";
        print $f slurp($new);
        close $f;
    },
);

sub start($how, $nodes) {
    my $cdn = cdn(nodes => $nodes, limit_rate => '1m');
    run_cmd('cp', '--preserve=timestamps', $old, $_->path('f.bin'))
        for $cdn->nodes;
    my $t = fake_tracker();
    my $sp = superpeer(trackers => [ $t->conf ], cdn => $cdn,
        addr => '127.0.0.' . ++$last, cache_size => '64MiB',
        settings => { limits => { nodes_per_file => 1 } });
    my $id = $t->prepare($cdn->url('f.bin'), $size, $version);
    return { cdn => $cdn, t => $t, sp => $sp, id => $id,
        what => "$how, nodes: $nodes", how => $how, nodes => $nodes };
}

my @plays = map { my $how = $_; map { start($how, $_) } 1, 2 }
    sort keys %replace;
for my $play (@plays) {
    $play->{t}->wait_line(qr/^~$play->{id} [1-9]/, 20);
    $replace{ $play->{how} }->($play->{cdn}->node(0)->path('f.bin'));
}
for my $play (@plays) {
    my ($t, $sp, $id, $what) = @$play{qw(t sp id what)};
    my $line = $t->wait_line(qr/^[+?]$id /, 40);
    if ($play->{nodes} == 1) {
        is($line, "?$id noagree", "$what: nobody has it any more");
        is(http(GET => $sp->base . "/blocks/$id/have")->{status}, 404,
            'and nothing of it is held');
    } else {
        like($line, qr/^\+/, "$what: the other node has it");
        ok(http(GET => $sp->base . "/blocks/$id")->{body} eq slurp($old),
            'as a whole');
    }
    $sp->stop;
    $_->stop for @$play{qw(cdn t)};
}

finish();
