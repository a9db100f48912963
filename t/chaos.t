# Thirty scenarios of `make chaos`: CDN nodes, super peers and peers that lie
# or break, in all combinations; the file is right, or the client says why
# there is none.

use v5.36;
use Shoal::Test;
use Shoal::Chaos::Plan qw(plan plan_text);
use Shoal::Chaos::Run qw(run_seeds seeds);

is(plan_text(plan(11)), plan_text(plan(11)), 'a seed is one scenario');
isnt(plan_text(plan(11)), plan_text(plan(12)), 'another is another');
is_deeply([ seeds('3,5,9..12') ], [ 3, 5, 9 .. 12 ], 'seeds');
ok(!eval { seeds('x'); 1 } && $@ =~ /SEEDS: expected .* got 'x'/,
    'or what is wrong with them');

for my $r (map { $_->{lied} } @{ run_seeds([ 1 .. 30 ]) }) {
    is_deeply($r->{problems}, [], "seed $r->{seed}") or diag($r->{plan});
}

finish();
