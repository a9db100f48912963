# CDN nodes that hold different things under one URL: what a super peer ends
# with is what most of those it asked hold, or it says why it has nothing.

use v5.36;
use Shoal::FakeTracker qw(fake_tracker);
use Shoal::Mixed qw(mixed);
use Shoal::Test;

my $m = mixed(size => 3_000_000, rate => '2m');
my $last = 30;

sub start($case) {
    my $cdn = $m->cdn($case);
    my $t = fake_tracker();
    my $sp = superpeer(trackers => [ $t->conf ], cdn => $cdn,
        addr => '127.0.0.' . ++$last, cache_size => '64MiB',
        settings => { limits => { nodes_per_file => $case->{per_file} // 3 } });
    my $id = $t->prepare($cdn->url('f.bin'), $m->size,
        $case->{version} // $m->version);
    return [ $case, $cdn, $sp, $id, $t ];
}

sub judge($play) {
    my ($case, $cdn, $sp, $id, $t) = @$play;
    my $line = $t->wait_line(qr/^[+?]$id /, 40);
    my $want = $case->{want};
    my $got = 'error';
    $got = $m->which(http(GET => $sp->base . "/blocks/$id")->{body})
        if $line =~ /^\+/;
    if ($want eq 'one') {
        isnt($got, 'none', "$case->{name}: no mixture");
    } else {
        is($got, $want, $case->{name}) or diag($sp->stderr);
    }
    if ($want eq 'error') {
        like($line, qr/ noagree$/, 'the tracker hears why');
        my ($refused) = grep { $_->{id} eq $id } @{ $sp->status->{refusals} };
        note($refused->{why});
        like($refused->{why}, qr/nodes hold other bytes/, 'its status too');
        for my $node ($cdn->nodes) {
            my $size = -s $node->path('f.bin');
            like($sp->stderr, qr/refused.*\Q@{[ $node->addr ]}\E[^;]*: $size bytes, ETag[^;]*, Last-Modified/,
                'and its log names each node with what it shows');
        }
    }
    $sp->stop;
    $_->stop for $cdn, $t;
}

my @cases = grep { !$_->{client} } $m->cases;
while (my @some = splice @cases, 0, 4) {
    judge($_) for map { start($_) } @some;
}

finish();
