# One scenario of `make chaos`: perl -It/lib t/chaos/one.pl SEED [honest]
# prints its result as a line of JSON. `honest`: without those who lie.

use v5.36;
use JSON::PP;

# Namespaces of its own, where there can be any, and before the environment is
# cleared: what is left behind in shared memory is then its own.
BEGIN {
    if (!$^C && !$ENV{IN_NAMESPACE}
        && system('unshare -im true 2>/dev/null') == 0)
    {
        $ENV{IN_NAMESPACE} = 1;
        exec 'unshare', '-im', 'sh', '-c',
            'mount -t tmpfs -o size=64m tmpfs /dev/shm && exec "$@"', 'sh',
            $^X, (map { "-I$_" } @INC), $0, @ARGV or die "unshare: $!\n";
    }
}

use Shoal::Chaos::Plan qw(plan plan_text liars_removed faults);
use Shoal::Chaos::Play qw(play);
use Shoal::Env;

my ($seed, $honest) = @ARGV;
my $plan = plan($seed);
$plan = liars_removed($plan) // exit 0 if $honest;

my $r = play($plan);
Shoal::Env::remove_tmpdir();
say JSON::PP->new->canonical->encode({ seed => $seed,
    plan => plan_text($plan), faults => [ faults($plan) ],
    map { $_ => $r->{$_} }
        qw(status seconds problems wrong failed refused looked_at) });
