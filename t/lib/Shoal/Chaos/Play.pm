package Shoal::Chaos::Play;

# Plays one plan with real processes and judges what came out.
#
#   my $result = play($plan);
#   $result->{problems}      # list of words; empty: all is well
#   $result->{seconds}, {status}, {wrong}, {failed}, {refused}{KIND}{..}

use v5.36;
use Exporter qw(import);
use Shoal::Chaos::Events qw(event);
use Shoal::Chaos::Judge;
use Shoal::Chaos::World qw(world);
use Shoal::Env qw(tmpdir);
use Shoal::Process;
use Time::HiRes qw(time);

our @EXPORT_OK = qw(play);

my $patience = 90;      # seconds a client may take: five tries of ten seconds

sub play($plan) {
    my $self = bless { plan => $plan }, __PACKAGE__;
    my $judge = $self->{judge} = Shoal::Chaos::Judge->new($plan);
    my $done = eval {
        $self->{world} = world($plan);
        $judge->before($self->{world});
        $self->_download;
        $self->_end_peers;
        $judge->after;
        1;
    };
    $judge->problem("the harness: $@") if !$done;
    $_->kill9 for @{ $self->{world}{servers} // [] };
    Shoal::Process->stop_all;
    $self->{world}->umount if $self->{world};
    $judge->end;
    return { %$self{qw(seconds status)}, %$judge{qw(problems wrong failed
        refused looked_at)} };
}

sub _happens($self, $what) {
    return grep { $_ eq $what } @{ $self->{plan}{events} };
}

sub _download($self) {
    my ($plan, $w) = @$self{qw(plan world)};
    my $begin = time;
    my $dir = tmpdir('main');
    my $room = int($plan->{size} / 2 / 4096) * 4096 + 40_960;
    my $small = $self->_happens('disk full') && $w->mount_small($dir, $room);
    $self->{peers} = [ map {
        $w->client("127.0.1.$_", tmpdir("peer$_"))
    } 1 .. $plan->{peers} ];
    my $main = $w->client('127.0.1.100', $dir);
    my $end = time + $plan->{moment};
    $main->wait(0.01) while time < $end && $main->alive;
    event($w, $_, $main, @{ $self->{peers} }) for @{ $plan->{events} };
    my $status = $self->_end($main, 'client');
    if ($small || $main->{killed} || $main->{stopped}) {
        $self->{judge}->interrupted($main, $status, $small);
        system "mount -o remount,size=64m '$dir'" if $small;
        $main = $w->client('127.0.1.100', $dir, '-c');
        $status = $self->_end($main, 'client, resumed');
    }
    $self->{seconds} = time - $begin;
    $self->{status} = $status;
    $self->{judge}->download('client', $main, $status);
}

# Its status; a client that does not end in time is a problem.
sub _end($self, $p, $who) {
    my $status = $p->any_status->wait($patience);
    return $status if defined $status;
    $self->{judge}->problem("$who hangs: " . $p->stderr);
    $p->kill9;
    return 'hangs';
}

sub _end_peers($self) {
    my $i = 0;
    for my $p (@{ $self->{peers} }) {
        my $who = 'peer ' . ++$i;
        my $status = $self->_end($p, $who);
        $self->{judge}->download($who, $p, $status) if !$p->{killed};
    }
}

1;
