package Shoal::Client;

# The client.
#
#   my $r = shoal(@args);              # in a new folder: $r->{dir}
#   my $r = shoal({ cwd => $dir, deadline => 60, env => {} }, @args);
#   $r->{status}, $r->{stdout}, $r->{stderr}, $r->{seconds}
#   my $p = shoal_start(@args);        # a Shoal::Process; $p->{dir}
#   my $r = shoal_end($p, $deadline);  # its end, as of shoal()

use v5.36;
use Exporter qw(import);
use Shoal::Env qw(tmpdir program san_env slurp);
use Shoal::Process;

our @EXPORT_OK = qw(shoal shoal_start shoal_end part_bytes part_blocks);

my $serial = 0;

sub shoal_start(@args) {
    my %o = ref $args[0] eq 'HASH' ? %{ shift @args } : ();
    my $dir = $o{cwd} // tmpdir('client/' . ++$serial);
    my $p = Shoal::Process->start(name => 'shoal', cwd => $dir,
        env => { san_env(), %{ $o{env} // {} } },
        cmd => [ program('shoal'), @args ]);
    $p->{dir} = $dir;
    return $p;
}

sub shoal_end($p, $deadline = 30) {
    my $st = $p->any_status->wait($deadline);
    if (!defined $st) {
        $p->kill9;
        $st = 'timeout';
    }
    return { status => $st, stdout => $p->stdout, stderr => $p->stderr,
             seconds => $p->seconds, dir => $p->{dir} };
}

sub shoal(@args) {
    my %o = ref $args[0] eq 'HASH' ? %{ shift @args } : ();
    return shoal_end(shoal_start(\%o, @args), $o{deadline} // 30);
}

# The blocks of a file of $size that the control file beside $part knows of,
# by their numbers; and how long a block is (lib/control.c has its format).
sub part_blocks($part, $size) {
    my $text = slurp("$part.ctl");
    my $block = 65536;
    $block *= 2 while $block * 16384 < $size;
    my $count = int(($size + $block - 1) / $block);
    my $bytes = int(($count + 7) / 8);
    my $start = index($text, "\n\n") + 2;
    return (undef, $block) if $start < 2;
    my @bits = split //, unpack 'B*', substr $text, $start, $bytes;
    my %held = map { $_ => 1 } grep { $bits[$_] } 0 .. $count - 1;
    my $at = $start + 2 * $bytes + 32 * (1 + keys %held);
    for (; $at + 48 <= length $text; $at += 48) {
        my ($i, $kind) = unpack 'NC', substr $text, $at, 5;
        $kind == 2 ? delete $held{$i} : ($held{$i} = 1);
    }
    return (\%held, $block);
}

sub part_bytes($part, $size) {
    my ($held, $block) = part_blocks($part, $size);
    return $block * keys %{ $held // {} };
}

1;
