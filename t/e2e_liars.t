# Every lie that a super peer or a peer can tell, each beside an honest one:
# the file is right; who lied is blamed, after two wrong blocks at the latest,
# and nobody else is; and the tracker hears of it.

use v5.36;
use JSON::PP;
use Shoal::Liar qw(liar);
use Shoal::Test;

my $size = 3 * 1048576;
my $s = stage(nodes => [ ({ bad => { rate => 200_000 } }) x 2 ],
    superpeers => 0, delay => '0', tracker => { peers =>
        'tracker_interval 1s;' });
my ($t, $cdn) = ($s->tracker, $s->cdn);
my $dir = tmpdir('content');
my $right = make_file("$dir/right", $size, 1, 1700000000);
my $wrong = make_file("$dir/wrong", $size, 666, 1700000000);
for my $path ($right, $wrong) {
    is(shoal('--make-layer', $path)->{status}, 0, 'layer made');
}
my $version = sprintf 'etag:"%x-%x"', 1700000000, $size;
my ($root) = slurp("$right.shoal") =~ /^root (\S+)$/m;

# What each has to come to: blocks are wrong; it only stands in the way; or
# whether it gives something is a matter of luck.
my %lies = (
    (map { $_ => 'wrong' } qw(random shifted zeroed old repeated)),
    (map { $_ => 'dead' } qw(claims range total)),
    (map { $_ => 'slow' } qw(short fickle endless stalls)),
    hashes => 'contradicted',
);

my $n = 0;
sub start($how, $kind) {
    my $name = "$kind-$how.bin";
    $cdn->link_file($right, $name);
    my $url = $cdn->url($name);
    my $id = resource_id($url, $size, $version);
    my $net = ++$n;
    my $honest = fake_super(tracker => $t, addr => "127.0.4.$net",
        name => "honest$net", session => sprintf '%016x', $net);
    $honest->serve($id, $right, "$right.shoal");
    # Not so fast that nobody else is asked.
    $honest->start(each => sub ($q) {
        $q->{uri} =~ m{/\w{40}(?:\?|$)} ? (delay => 0.3) : () });
    $honest->announce($id, $root);
    my $liar = liar(how => $how, addr => "127.0.5.$net", id => $id,
        true => $right, false => $wrong, layer => "$right.shoal",
        false_layer => "$wrong.shoal");
    my %file = (url => $url, size => $size, version => $version);
    # A second super peer that tells another root would leave none; so this
    # one is a copy.
    if ($kind eq 'peer') {
        $liar->join($t, %file);
    } elsif ($how eq 'hashes') {
        $liar->{tracker} = $t;
        $liar->announce($id, $liar->{root}, 'copy');
    } else {
        $liar->register($t);
    }
    my $p = $s->get_start($name, '--bind-address', "127.7.$net.1",
        '--report=report.json', '--explain');
    return { how => $how, kind => $kind, p => $p, honest => $honest,
        liar => $liar, net => $net, name => $name };
}

sub row($report, $who) {
    my ($row) = grep { $_->{name} eq "$who->{addr}:$who->{port}" }
        $report->{sources}->@*;
    return $row;
}

sub judge($play) {
    my ($how, $kind) = @$play{qw(how kind)};
    my $what = "$kind, $how";
    my $r = shoal_end($play->{p}, 60);
    $r->{file} = "$r->{dir}/$play->{name}";
    my $report = decode_json(slurp("$r->{dir}/report.json"))->{files}[0];
    unlink "$r->{dir}/report.json";
    download_ok($r, $right, "$what: the right bytes") or return;
    my $honest = row($report, $play->{honest});
    my $liar = row($report, $play->{liar});
    for my $row (grep { $_ != ($liar // 0) } $report->{sources}->@*) {
        is($row->{wrong_blocks} . ($row->{banned} ? ' banned' : ''), 0,
            "$what: no blame for $row->{kind} $row->{name}");
    }
    cmp_ok($honest->{used}, '>', 0, "$what: the honest one gives some");
    my ($told) = map { /\bbad=(\w+),\Q$liar->{name}\E/ ? $1 : () }
        grep { /^127\.7\.$play->{net}\.1 / }
        split /\n/, slurp($t->dir . '/access.log') if $liar;
    my @other = map { /\bbad=(\w+,\Q$honest->{name}\E)/ ? $1 : () }
        grep { /^127\.7\.$play->{net}\.1 / }
        split /\n/, slurp($t->dir . '/access.log');
    is("@other", '', "$what: no report of the honest one");
    my $end = $lies{$how};
    if ($end eq 'wrong') {
        is($liar->{used}, 0, "$what: nothing of it is in the file");
        is($liar->{wrong_blocks}, 2, "$what: two wrong blocks,");
        ok($liar->{banned}, 'then it is banned');
        is($told, 'wrong', 'and reported');
    } elsif ($end eq 'dead') {
        is($liar->{used}, 0, "$what: nothing of it is in the file");
        is($liar->{wrong_blocks}, 0, 'which is no wrong block');
    } elsif ($end eq 'contradicted' && $liar) {
        is($liar->{used}, 0, "$what: nothing of it is in the file");
    }
    note("$what: " . ($liar ? "$liar->{state}, told " . ($told // '-')
        : 'not named'));
}

my @all = map { my $how = $_; map { [ $how, $_ ] } qw(super peer) }
    sort keys %lies;
while (my @some = splice @all, 0, 4) {
    my @plays = map { start(@$_) } @some;
    judge($_) for @plays;
    $_->stop for map { @$_{qw(honest liar)} } @plays;
}

finish();
