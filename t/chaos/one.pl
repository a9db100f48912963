# One scenario of `make chaos`: perl -It/lib t/chaos/one.pl SEED [honest]
# prints its result as a line of JSON. `honest`: without those who lie.

use v5.36;
use JSON::PP;
use Shoal::Chaos::Plan qw(plan plan_text liars_removed);
use Shoal::Chaos::Play qw(play);
use Shoal::Env;

my ($seed, $honest) = @ARGV;
my $plan = plan($seed);
$plan = liars_removed($plan) // exit 0 if $honest;
my $r = play($plan);
Shoal::Env::remove_tmpdir();
say JSON::PP->new->canonical->encode({ seed => $seed,
    plan => plan_text($plan), faults => [ Shoal::Chaos::Plan::faults($plan) ],
    map { $_ => $r->{$_} }
        qw(status seconds problems wrong failed refused) });
