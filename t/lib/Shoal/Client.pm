package Shoal::Client;

# The client.
#
#   my $r = shoal(@args);              # in a new folder: $r->{dir}
#   my $r = shoal({ cwd => $dir, deadline => 60, env => {} }, @args);
#   $r->{status}, $r->{stdout}, $r->{stderr}, $r->{seconds}
#   my $p = shoal_start(@args);        # a Shoal::Process; $p->{dir}

use v5.36;
use Exporter qw(import);
use Shoal::Env qw(tmpdir program san_env);
use Shoal::Process;

our @EXPORT_OK = qw(shoal shoal_start);

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

sub shoal(@args) {
    my %o = ref $args[0] eq 'HASH' ? %{ shift @args } : ();
    my $p = shoal_start(\%o, @args)->any_status;
    my $st = $p->wait($o{deadline} // 30);
    if (!defined $st) {
        $p->kill9;
        $st = 'timeout';
    }
    return { status => $st, stdout => $p->stdout, stderr => $p->stderr,
             seconds => $p->seconds, dir => $p->{dir} };
}

1;
