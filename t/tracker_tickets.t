# Tickets: what the tracker puts behind super peers' URLs, for whom and how
# long; keys are read at start and reload, and shown nowhere.

use v5.36;
use Shoal::Agent qw(agent);
use Shoal::Test;
use Shoal::Ticket qw(ticket bare);

my $dir = tmpdir('keys');
my ($old, $new) = map { $_ x 16 } '0a', 'F1';

# The super peers' URLs without tickets, and a fault for each ticket that is
# not of this key and id, or does not last $time to five quarters of it.
sub look($key, $id, $time, @urls) {
    my (@bare, @faults);
    for my $url (@urls) {
        my ($bare, $t) = bare($url);
        push @bare, $bare;
        push(@faults, "$url: none"), next if !defined $t;
        my ($expires) = $t =~ /^(\d+)\./;
        push @faults, "$url: not as it must be" if $t ne ticket($key, $id, $expires);
        my $left = $expires - time;
        push @faults, "$url: $left s left"
            if $left < $time - 5 || $left > 1.25 * $time + 1;
    }
    return { urls => [ sort @bare ], faults => \@faults };
}

sub urls($list) { return map { ref $_ ? $_->{url} : $_ } @{ $list->{super} } }

subtest 'vectors' => sub {
    my @lines = grep { !/^#/ } split /\n/, slurp(top() . '/t/vectors/ticket.txt');
    for (@lines) {
        my ($key, $id, $expires, $ticket) = split /\t/;
        is(ticket($key, $id, $expires), $ticket, "$id $expires");
    }
    cmp_ok(scalar @lines, '>=', 10, 'enough');
};

spew("$dir/keys", "# of May\n\n  $old  # signs\r\n$new\n");
my $key = "tracker_ticket_key swarm $dir/keys";
my $preset = 'tracker_superpeer swarm named url=https://sp.example.com:9090?tenant=7;';
my $t = tracker(delay => '0', http => "$preset $key;");

my %f = (url => 'http://cdn.example.com/a', size => 1000);
my $id = $t->ask(%f, event => 'stopped')->json->{id};
my @sp = (agent($t), agent($t), agent($t, name => 'named'));
my $root = 'ab' x 32;
$_->say for @sp;
$sp[0]->say("+$id $root cdn");
$sp[1]->say("~$id 3");
$sp[2]->say("+$id $root copy");
my @bases = sort $sp[0]->base, $sp[1]->base, 'https://sp.example.com:9090/?tenant=7';
# a base has no path
@bases = map { s{/\?}{?}r } @bases;

my $answer = $t->ask(%f)->json;
is_deeply(look($old, $id, 3600, urls($answer)), { urls => \@bases, faults => [] },
    'ready, filling, and one whose URL has a query: the first key signs');
my ($named) = grep { /tenant/ } urls($answer);
like($named, qr/\?tenant=7&t=/, 'behind an &');

# a quarter of an hour lies between two of its steps
my @first = urls($answer);
my @again = urls($t->ask(%f)->json);
@first = urls($t->ask(%f)->json) if "@again" ne "@first";
is("@again", "@first", 'the same URLs for a while');

my $other = $t->ask(url => 'http://cdn.example.com/b', size => 7,
    event => 'stopped')->json->{id};
$sp[0]->say("+$other $root cdn");
is_deeply(look($old, $other, 3600,
    urls($t->ask(url => 'http://cdn.example.com/b', size => 7)->json)),
    { urls => [ $sp[0]->base ], faults => [] }, 'a ticket of its own for another file');
my ($told) = map { $_->told($_->poll(wait_ms => 1)) } @sp[1, 2];
is_deeply(look($old, $told->{id}, 3600, urls($told)),
    { urls => [ $sp[0]->base ], faults => [] }, 'who prepares it gets tickets to copy with');

my ($addr) = $sp[0]->base =~ m{//(.*)};
$t->ask(%f, bad => "dead,$addr", from => "127.$_.0.1") for 1 .. 3;
unlike(join(' ', urls($t->ask(%f)->json)), qr/\Q$addr\E/,
    'reports find who has a ticket in its URL');

subtest 'another key' => sub {
    spew("$dir/keys", "$new\n$old\n");
    $t->reload;
    $_->say for @sp;
    my $a = $t->ask(%f, from => '127.9.0.1')->json;
    ok(urls($a), 'super peers');
    is_deeply(look($new, $id, 3600, urls($a))->{faults}, [], 'the new key signs');
};

subtest 'another time' => sub {
    $t->reload(more => "$preset $key time=4m;");
    is_deeply(look($new, $id, 240, urls($t->ask(%f)->json))->{faults}, [], 'four minutes');
};

subtest 'a key that is none' => sub {
    spew("$dir/keys", "$new\nsesame\n");
    $t->allow_log(qr/invalid ticket key in/);
    $t->process->signal('HUP');
    wait_for { $t->error_log =~ /invalid ticket key in \Q$dir\E\/keys:2, it must have/ } 10,
        'the refusal';
    unlike($t->error_log, qr/sesame/, 'is not shown');
    is_deeply(look($new, $id, 240, urls($t->ask(%f)->json))->{faults}, [],
        'and what was goes on');
};

subtest 'shown nowhere' => sub {
    my %seen = map { $_ => 1 } map { (bare($_))[1] } @first, urls($t->ask(%f)->json);
    my $all = join '', $t->error_log, slurp("$t->{dir}/access.log"),
        map { http(GET => $t->base . $_)->{body} } '/metrics', '/status', "/status?id=$id";
    is_deeply([ grep { index($all, $_) >= 0 } keys %seen ], [], 'no ticket');
    is_deeply([ grep { $all =~ /$_/i } $old, $new ], [], 'no key');
    like($all, qr/\Q$addr\E/, 'as the addresses are');
};

spew("$dir/keys", "$new\n");
$t->reload(more => $preset);
is_deeply([ grep { defined +(bare($_))[1] } urls($t->ask(%f)->json) ], [], 'without the directive: none');

finish();
