# kill -9 at random moments, SHOAL_KILLS of them: the next -c ends the
# download, and fetches no block again that had been written.

use v5.36;
use Shoal::Test;

my $kills = $ENV{SHOAL_KILLS} // 200;
my $lanes = 4;
my $size = 2 * 1048576 - 12345;
my $in_flight = 2; # written, and not told yet: one a connection
my $samples = 2 * 2 * $size / 256; # what nodes are compared by, at most
my $cdn = cdn(nodes => 2);
my $path = $cdn->file('f.bin', $size, 1);
my @args = ($cdn->client_args, $cdn->url('f.bin'));
my @block = unpack '(a65536)*', slurp($path);
my $seed = $ENV{SHOAL_SEED} // time;
srand $seed;
note("SHOAL_SEED=$seed");
my (%seen, @bad);

sub names($dir) {
    opendir my $h, $dir or die "$dir: $!";
    return join ' ', sort grep { !/^\.\.?$/ } readdir $h;
}

sub bad($lane, $what) {
    push @bad, sprintf '%s: killed after %.0f ms: %s', $lane->{dir},
        1000 * $lane->{after}, $what;
}

# Which blocks are there, and which of them the control file tells.
sub look($lane) {
    my $part = "$lane->{dir}/f.bin.part";
    $lane->{known} = 0;
    if (!-s $part) {
        $seen{-e "$lane->{dir}/f.bin" ? 'done' : 'nothing'}++;
        return;
    }
    my @got = unpack '(a65536)*', slurp($part);
    my %there = map { $_ => 1 } grep { ($got[$_] // '') eq $block[$_] }
        0 .. $#block;
    my ($held) = part_blocks($part, $size);
    my @false = grep { !$there{$_} } keys %$held;
    my @untold = grep { !$held->{$_} } keys %there;
    bad($lane, "told, and not there: @false") if @false;
    bad($lane, "there, and not told: @untold") if @untold > $in_flight;
    $lane->{known} += length $block[$_] for keys %$held;
    $seen{%$held ? 'some' : 'none'}++;
}

# The second run: all is right, and little was fetched twice.
sub check($lane, $r) {
    bad($lane, "status $r->{status}: $r->{stderr}") if $r->{status} ne '0';
    return if $r->{stderr} =~ /there already/;
    my ($kept) = $r->{stderr} =~ /kept from before +file +(\d+)/;
    my ($given, $wasted) =
        $r->{stderr} =~ /^  all +CDN node +(\d+) +\S+ +(\d+)/m;
    $kept //= 0;
    bad($lane, "$kept kept, $lane->{known} were told")
        if $kept != $lane->{known};
    bad($lane, "$kept kept, $given fetched") if $kept + $given != $size;
    bad($lane, "$wasted wasted")
        if $wasted > $in_flight * 65536 + $samples;
    bad($lane, 'other bytes')
        if sha256_file("$lane->{dir}/f.bin") ne sha256_file($path);
    bad($lane, 'left: ' . names($lane->{dir}))
        if names($lane->{dir}) ne 'f.bin';
}

sub start_lane() {
    my $lane = { after => rand(0.5), start => now };
    $lane->{p} = shoal_start('--limit-rate=4M', @args)->any_status;
    $lane->{dir} = $lane->{p}{dir};
    $lane->{wait} = rand() < 0.8; # for the first byte; others from exec on
    return $lane;
}

sub step($lane) {
    if ($lane->{again}) {
        return 0 if $lane->{again}->alive;
        check($lane, shoal_end($lane->{again}));
        return 1;
    }
    if ($lane->{wait} && -s "$lane->{dir}/f.bin.part") {
        @$lane{qw(wait start)} = (0, now);
    }
    return 0 if ($lane->{wait} && $lane->{p}->alive)
        || now - $lane->{start} < $lane->{after};
    $lane->{p}->kill9;
    look($lane);
    $lane->{again} = shoal_start({ cwd => $lane->{dir} }, '-c', @args);
    return 0;
}

my @running;
for (my $left = $kills; $left > 0 || @running; select undef, undef, undef, 0.002) {
    @running = grep { !step($_) } @running;
    push @running, start_lane() if @running < $lanes && $left-- > 0;
}

is(join("\n", @bad), '', "$kills times: it goes on where it was");
note(join ', ', map { "$_: $seen{$_}" } sort keys %seen);
cmp_ok($seen{some} // 0, '>', $kills / 5, 'many in mid-download');
finish();
