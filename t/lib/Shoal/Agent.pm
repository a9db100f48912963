package Shoal::Agent;

# A super peer's side of /control, spoken by the test step by step.
#
#   my $sp = agent($tracker, name => 'sp1', from => '127.0.0.31');
#   my $q = $sp->poll;                   # long poll, parked
#   my @prepare = $sp->told($q);         # waits for its answer
#   $sp->say("+$id $root cdn");          # news
#   $sp->announce(@lines);               # full=first .. last
#
# Every call is checked to be answered with 200; $sp->call() takes any.

use v5.36;
use Exporter qw(import);
use Shoal::Net qw(free_port);

our @EXPORT_OK = qw(agent);

my $serial = 0;

sub agent($tracker, %o) {
    ++$serial;
    my $self = bless { tracker => $tracker, name => "sp$serial",
        from => '127.0.0.' . (100 + $serial), port => 9000 + $serial,
        epoch => '', cursor => 0, seq => 0, args => {}, %o }, __PACKAGE__;
    return $self->new_session;
}

sub new_session($self) {
    $self->{session} = sprintf '%08x%08x', rand 2**32, rand 2**32;
    $self->{seq} = 0;
    return $self;
}

sub base($self) { return "http://$self->{from}:$self->{port}" }

# The arguments of the next call; those of %more replace or (undef) drop.
sub args($self, %more) {
    my %a = (name => $self->{name}, session => $self->{session},
        seq => ++$self->{seq}, port => $self->{port}, %{ $self->{args} });
    @a{qw(epoch cursor)} = @$self{qw(epoch cursor)} if $self->{epoch};
    %a = (%a, %more);
    delete @a{ grep { !defined $a{$_} } keys %a };
    return \%a;
}

sub call_start($self, $body = '', %more) {
    return $self->{tracker}->control_start($self->args(%more),
        from => $self->{from}, body => $body);
}

sub call($self, $body = '', %more) {
    return $self->call_start($body, %more)->wait(15)
        // die "$self->{name}: no answer\n";
}

sub _ok($self, $r) {
    die "$self->{name}: no answer\n" if !$r;
    die "$self->{name}: $r->{status} $r->{body}\n" if $r->{status} != 200;
    my $j = $r->json;
    $self->{epoch} = $j->{epoch};
    return $j;
}

# News, one line each; returns the answer.
sub say($self, @lines) {
    return $self->_ok($self->call(join('', map { "$_\n" } @lines)));
}

sub announce($self, @lines) {
    $self->_ok($self->call('', full => 'first'));
    $self->_ok($self->call(join('', map { "$_\n" } @lines), full => 'more'));
    return $self->_ok($self->call('', full => 'last'));
}

sub poll($self, %more) {
    return $self->call_start('', wait_ms => 25000, %more);
}

# The poll's answer; its commands are acknowledged by the next poll.
sub told($self, $q, $seconds = 10) {
    my $j = $self->_ok($q->wait($seconds));
    $self->{cursor} = $j->{cursor};
    $self->{last} = $j;
    return @{ $j->{prepare} };
}

1;
