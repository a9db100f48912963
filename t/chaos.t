# Thirty scenarios of `make chaos`: CDN nodes, super peers and peers that lie
# or break, in all combinations; the file is right, or the client says why
# there is none.

use v5.36;
use Shoal::Test;
use Shoal::Chaos::Plan qw(plan plan_text faults kinds);
use Shoal::Chaos::Play qw(play);
use Shoal::Chaos::Run qw(run_seeds seeds);

is(plan_text(plan(11)), plan_text(plan(11)), 'a seed is one scenario');
isnt(plan_text(plan(11)), plan_text(plan(12)), 'another is another');
is_deeply([ seeds('3,5,9..12') ], [ 3, 5, 9 .. 12 ], 'seeds');
ok(!eval { seeds('x'); 1 } && $@ =~ /SEEDS: expected .* got 'x'/,
    'or what is wrong with them');

# The judge sees what he is there for: one node, with bytes that nobody can
# tell from the right ones.
my $result = play({ %{ plan(1) }, size => 100_000, known => 'nothing', must => 1,
    nodes => [ { name => 'wrong bytes', content => 'same', silent => 1 } ], tracker => 'none',
    (map { $_ => 0 } qw(supers peers warm victim)), (map { $_ => 'none' } qw(tickets secret)),
    (map { $_ => [] } qw(false_supers false_peers events)), tls => {}, moment => 0.1 });
is($result->{wrong}, 1, 'a wrong file is seen');
like("@{ $result->{problems} }", qr/^client: a wrong file \(same\)/, 'and named');

# Chosen so that every kind of fault is in one of them, and none waits long.
my @seeds = (2, 6, 11, 14, 16, 25, 32, 41, 52, 53, 67, 78, 86, 109, 123, 126, 134, 140, 142, 153,
    171, 202, 220, 238, 247, 250, 266, 275, 277,
    291);
my %injected = map { $_ => 1 } map { faults(plan($_)) } @seeds;
is_deeply([ grep { !$injected{$_} } kinds() ], [], 'every kind of fault');
is(scalar @seeds, 30, 'thirty scenarios');

for my $r (map { $_->{lied} } @{ run_seeds(\@seeds, jobs => 8) }) {
    is_deeply($r->{problems}, [], "seed $r->{seed}") or diag($r->{plan});
}

finish();
