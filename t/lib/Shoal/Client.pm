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

our @EXPORT_OK = qw(shoal shoal_start shoal_end part_bytes);

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

# How many bytes of a file of $size the control file beside $part knows of
# (lib/control.c has its format).
sub part_bytes($part, $size) {
    my $text = slurp("$part.ctl");
    my $block = 65536;
    $block *= 2 while $block * 16384 < $size;
    my $blocks = int(($size + $block - 1) / $block);
    my $start = index $text, "\n\n";
    return 0 if $start < 0;
    my $bits = substr $text, $start + 2, int(($blocks + 7) / 8);
    return $block * unpack '%32b*', $bits;
}

1;
