# Roots: only super peers that took all bytes from CDN nodes vote, and more
# than half of the voters decide.

use v5.36;
use Shoal::Agent qw(agent);
use Shoal::Test;

my $t = tracker(delay => '0', workers => 2);
my ($x, $y, $z) = map { $_ x 32 } 'ab', 'cd', 'ef';
my $n = 0;

# A file nobody knows and what its tracker says, without telling anybody.
sub file() {
    my %f = (url => 'http://cdn.example.com/' . ++$n, size => 1000);
    return (\%f, $t->ask(%f, event => 'stopped')->json->{id});
}

sub seen($f) {
    my $j = $t->ask(%$f, event => 'stopped')->json;
    my $digest = $j->{digest} ? "$j->{digest}{votes} $j->{digest}{root}" : 'none';
    return join ' ', $digest, sort map { $_->{url} } @{ $j->{super} };
}

sub conflicts($id) {
    return grep { /roots of $id differ/ } split /\n/, $t->error_log;
}

my @sp = map { agent($t) } 1 .. 6;
my @base = map { $_->base } @sp;
$_->say for @sp;

# Who is told to prepare it when somebody asks: with which root and which other
# holders.
sub told($f) {
    $t->ask(%$f);
    my %told;
    for my $sp (@sp) {
        my ($p) = $sp->told($sp->poll(wait_ms => 1));
        next if !$p;
        my $d = $p->{digest};
        $told{ $sp->{name} } = [ $d ? "$d->{votes} $d->{root}" : 'none',
            sort @{ $p->{super} } ];
    }
    return \%told;
}

subtest 'one against one' => sub {
    my ($f, $id) = file();
    $sp[0]->say("+$id $x cdn");
    is(seen($f), "1 $x $base[0]", 'one alone');
    $sp[1]->say("+$id $y cdn");
    is(seen($f), 'none', 'two that differ: no root, none is listed');
    my ($line) = conflicts($id);
    like($line, qr/ \Q$_->{name}\E=\w{8}!/, "$_->{name} is named") for @sp[0, 1];

    my $told = told($f);
    my ($third) = grep { $told->{ $_->{name} } } @sp[2 .. 5];
    is(keys %$told, 1, 'one more super peer is told');
    ok($third, 'one that has not voted');
    is_deeply($told->{ $third->{name} }, ['none'],
        'from the CDN, not from the others, and without a root');
    is_deeply(told($f), {}, 'and as long as it prepares nobody else');
    $third->say("~$id 3");
    is_deeply(told($f), {}, 'nor as long as it fills');
    is(seen($f), 'none ' . $third->base, 'it is listed meanwhile');

    $third->say("+$id $y cdn");
    is(seen($f), join(' ', "2 $y", sort $base[1], $third->base),
        'two against one decides');
    is(scalar(conflicts($id)), 2, 'each word that differs is logged');
    is_deeply(told($f), {}, 'two that agree: nobody else is told');
    is_deeply([ values %{ told({ %$f, size => 1001 }) } ], [ ['none'], ['none'] ],
        'who is to prepare what nobody holds is told no root');
    $third->say("-$id");
    is(seen($f), 'none', 'one against one again');
};

subtest 'two against two' => sub {
    my ($f, $id) = file();
    $sp[$_]->say("+$id $x cdn") for 0, 1;
    is(seen($f), join(' ', "2 $x", sort @base[0, 1]), 'two agree');
    $sp[2]->say("+$id $y cdn");
    is(seen($f), join(' ', "2 $x", sort @base[0, 1]), 'one differs: not listed');
    $sp[3]->say("+$id $y cdn");
    is(seen($f), 'none', 'two against two');
    my ($name) = keys %{ told($f) };
    my ($fifth) = grep { $_->{name} eq $name } @sp[4, 5];
    ok($fifth, 'a fifth is told');
    $fifth->say("+$id $z cdn");
    is(seen($f), 'none', 'which has another one still');
    is_deeply(told($f), {}, 'five that differ: nobody else is told');
    $fifth->say("+$id $x cdn");
    is(seen($f), join(' ', "3 $x", sort @base[0, 1], $fifth->base),
        'three against two');
};

subtest 'copies' => sub {
    my ($f, $id) = file();
    $sp[0]->say("+$id $x copy");
    is(seen($f), "none $base[0]", 'a copy alone: listed, no vote');
    $sp[1]->say("+$id $y copy");
    is(seen($f), join(' ', 'none', sort @base[0, 1]), 'copies do not disagree');
    is(scalar(conflicts($id)), 0, 'which is no conflict');
    $sp[2]->say("+$id $y cdn");
    is(seen($f), join(' ', "1 $y", sort @base[1, 2]), 'one vote decides');
    is(scalar(conflicts($id)), 1, 'against a copy, which is logged');
    like((conflicts($id))[0], qr/ \Q$sp[0]{name}\E=\w{8}\?/, 'as no voter');
    my $told = told($f);
    is_deeply($told, {}, 'two are ready: nobody is told');
    $sp[1]->say("-$id");
    $told = told($f);
    my ($name) = keys %$told;
    is_deeply($told, { $name => [ "1 $y", $base[2] ] },
        'a prepare names the root, and who agrees alone');
    isnt($name, $sp[0]{name}, 'and is not for the one that is outvoted');
};

subtest 'no root where nobody votes' => sub {
    my ($f, $id) = file();
    $sp[0]->say("+$id $x copy");
    is_deeply([ values %{ told($f) } ], [ [ 'none', $base[0] ] ],
        'who is to prepare hears who has it, and no root');
};

is($t->metrics->{shoal_tracker_conflicts_total},
    scalar(() = $t->error_log =~ /roots of \w+ differ/g), 'counted as they are logged');

finish();
