package Shoal::Bench::Wget;

# Never slower than wget, from exec to exit with the final check: alone, and
# with everything wrong that can be wrong with those who are to help. On this
# machine, and behind a line of 40 ms.

use v5.36;
use Shoal::Bench qw(quick tiny sized median);
use Shoal::Bench::Client qw(source_file tool fetch alternate spread);
use Shoal::Bench::FarSuper qw(far_super);
use Shoal::Cdn ();
use Shoal::Delay qw(delay_line);
use Shoal::Env qw(program tmpdir);
use Shoal::FakeSuper qw(layer_of);
use Shoal::Net qw(free_port wait_port);
use Shoal::Nginx qw(nginx);
use Shoal::Process qw(run_cmd start_cmd);
use Shoal::Stage qw(resource_id);

my @cases = qw(no_tracker dead_tracker dead_peers slow_superpeer
    refused_superpeer);

# Name, bytes, rounds near and far, seconds that are allowed on top.
my @sizes = (
    [ '100 KB', 100_000, sized(21, 7, 1), sized(7, 3, 1), 0.02 ],
    [ '10 MB', sized(10_000_000, 10_000_000, 1_000_000), sized(15, 5, 1),
        sized(7, 3, 1), 0 ],
    [ '256 MB', sized(256_000_000, 256_000_000, 2_000_000), sized(7, 2, 1),
        sized(3, 1, 1), 0 ],
);

my $silent = '198.18.200';      # packets to .2 and above go nowhere

sub ids($class) {
    return map { ("wget_$_", "wget_${_}_40ms") } @cases;
}

sub owed($class) {
    return grep { !tiny() || !/_40ms$/ } $class->ids;
}

sub command(@cmd) {
    my ($st, undef, $err) = run_cmd(@cmd);
    die "@cmd: $err\n" if $st ne '0';
    return;
}

# A network whose addresses take packets and never answer: both ends are
# here, and the frames are for a third.
sub silent_network() {
    state $made = 0;
    return if $made++;
    command(qw(ip link add silent0 type veth peer name silent1));
    command(qw(ip link set), $_, 'up') for qw(silent0 silent1);
    command(qw(ip addr add), "$silent.1/24", qw(dev silent0));
    command(qw(ip neigh add), "$silent.$_", qw(lladdr 02:00:00:00:00:99 dev
        silent0 nud permanent)) for 2 .. 9;
    return;
}

# Where the CDN and the tracker are: here, or 40 ms away.
sub place($rtt_ms) {
    return { addr => '127.0.0.11', wrap => [] } if !$rtt_ms;
    my $line = delay_line(rtt_ms => $rtt_ms);
    return { addr => $line->far, wrap => [ $line->wrap ], line => $line };
}

# Takes connections, and that was it.
sub dead_tracker($place) {
    my $port = free_port();
    my $p = start_cmd({ name => 'deadtracker' }, @{ $place->{wrap} }, $^X,
        '-MIO::Socket::IP', '-e', 'my $s = IO::Socket::IP->new(LocalHost =>'
        . ' shift, LocalPort => shift, Listen => 1024) or die; sleep 3600',
        $place->{addr}, $port)->any_status;
    wait_port($place->{addr}, $port, $p);
    return "http://$place->{addr}:$port/peers";
}

# What a tracker says of a file: nginx, at once.
sub tracker($place, $files, $more) {
    my $port = free_port();
    my $locations = join '', map {
        my $json = qq({"id":"$_->{id}","interval":60,)
            . qq("digest":{"root":"$_->{root}","votes":2},$more});
        qq(        location = /$_->{name} { return 200 '$json'; }\n);
    } @$files;
    nginx(name => 'tracker', wrap => $place->{wrap}, http => <<"EOC");
    server {
        listen $place->{addr}:$port;
        default_type application/json;
$locations
    }
EOC
    return sub ($file) {
        ('--tracker', "http://$place->{addr}:$port/$file->{name}") };
}

sub lists($super, @peers) {
    my $supers = join ',', map { qq({"url":"$_","state":"ready"}) } @$super;
    my $peers = join ',', map { qq({"addr":"$_","complete":true}) } @peers;
    return qq("super":[$supers],"peers":[$peers]);
}

# What each case adds to the client's arguments, by file.
sub cases($place, $cdn, $files) {
    my $closed = "$place->{addr}:" . free_port();
    my $dead = dead_tracker($place);
    silent_network();
    my $peers = tracker($place, $files, lists([],
        map { ("$silent.$_:40000", "$place->{addr}:" . free_port()) } 2 .. 9));
    my $slow = far_super(rtt_ms => $place->{line} ? 40 : 0, rate_mbit => 1,
        cdn => $cdn, files => $files);
    my $slow_tracker = tracker($place, $files, lists([ $slow->url ]));
    my $refused = tracker($place, $files, lists(["http://$closed"]));
    return (
        no_tracker => sub ($file) { () },
        dead_tracker => sub ($file) { ('--tracker', $dead) },
        dead_peers => sub ($file) {
            ('--layer', $file->{layer}, $peers->($file)) },
        slow_superpeer => $slow_tracker,
        refused_superpeer => $refused,
    );
}

sub files($cdn, $base) {
    my @files;
    for my $size (@sizes) {
        my $f = source_file($cdn->node(0)->root, "f$size->[1].bin",
            $size->[1]);
        my $mtime = (stat $f->{path})[9];
        $f->{url} = "$base/$f->{name}";
        $f->{version} = sprintf 'etag:"%x-%x"', $mtime, $f->{size};
        $f->{id} = resource_id(@$f{qw(url size version)});
        $f->{layer} = tmpdir('layer') . "/$f->{name}.shoal";
        command({ deadline => 60 }, program('shoal'), '--make-layer',
            $f->{path}, '-O', $f->{layer});
        ($f->{root}) = layer_of($f->{layer});
        push @files, $f;
    }
    return \@files;
}

# The worst size counts.
sub measure($bench, $id, $far, $files, $more) {
    my $worst;
    for my $i (0 .. ($far && quick() ? 1 : $#sizes)) {  # a look: two
        my ($name, undef, $near_rounds, $far_rounds, $allowed) =
            @{ $sizes[$i] };
        my $f = $files->[$i];
        my @args = ('--checksum', "sha-256=$f->{sha256}", $more->($f));
        my @pairs = alternate($far ? $far_rounds : $near_rounds,
            sub { fetch([ tool('wget'), $f->{url} ], $f)->{seconds} },
            sub { fetch([ tool('shoal'), @args, $f->{url} ], $f)->{seconds} });
        my @ratios = map { ($_->[1] - $allowed) / $_->[0] } @pairs;
        my $median = median(@ratios);
        $bench->note(sprintf '%-28s %-7s wget %s ms, shoal %s ms: %.3f', $id,
            $name, (map { my $k = $_;
                spread('%.1f', map { 1e3 * $_->[$k] } @pairs) } 0, 1), $median);
        $worst = { value => $median, runs => \@ratios, name => $name }
            if !$worst || $median > $worst->{value};
    }
    $bench->result($id, runs => $worst->{runs},
        against => "wget, $worst->{name}");
    return;
}

sub run($class, $bench) {
    for my $rtt (tiny() ? 0 : (0, 40)) {
        my $place = place($rtt);
        my $cdn = Shoal::Cdn::cdn(port => free_port(), nodes => [
            { addr => $place->{addr}, wrap => $place->{wrap} } ]);
        my $files = files($cdn, "http://$place->{addr}:" . $cdn->port);
        my %more = cases($place, $cdn, $files);
        measure($bench, "wget_$_" . ($rtt ? '_40ms' : ''), $rtt, $files,
            $more{$_}) for @cases;
        Shoal::Process->stop_all;
    }
    return;
}

1;
