package Shoal::Chaos::Events;

# What happens in mid-download, by the words of a plan.
#
#   event($world, $what, $main, @peers);     # clients' processes

use v5.36;
use Exporter qw(import);
use Shoal::Process qw(run_cmd wait_for);

our @EXPORT_OK = qw(event);

sub _victim($w) { return $w->{cdn}->node($w->{plan}{victim}) }

# A server in Perl that was ended is none of the world's any more.
sub _keep($w, $node) {
    push @{ $w->{servers} }, $node->process
        if $node->isa('Shoal::BadNode');
}

sub _restart($w, $sp, $how) {
    $sp->$how if $sp->alive;
    $sp->start;
}

my %event = (
    'client killed'  => sub ($w, $main, @) { $main->kill9 if $main->alive },
    'client stopped' => sub ($w, $main, @) {
        $main->{stopped} = $main->alive;
        $main->any_status->signal('TERM');
        $main->wait(20);
    },
    'peer killed' => sub ($w, $main, @peers) {
        $peers[0]->kill9 if $peers[0]->alive;
    },
    'super peer killed'    => sub ($w, @) { $w->{supers}[0]->kill9 },
    'super peer crashed'   => sub ($w, @) {
        _restart($w, $w->{supers}[-1], 'kill9');
    },
    'super peer restarted' => sub ($w, @) {
        _restart($w, $w->{supers}[-1], 'stop');
    },
    'super peer reloaded'  => sub ($w, @) { _reload($_) for @{ $w->{supers} } },
    "super peer's disk full" => sub ($w, @) {
        for my $sp (grep { $_->alive } @{ $w->{supers} }) {
            run_cmd('nsenter', '-t', $sp->pid, '-m', 'sh', '-c',
                'dd if=/dev/zero of="$1/junk" bs=64k count=1000', 'sh',
                $sp->cache);
        }
    },
    'tracker reloaded'  => sub ($w, @) {
        $w->{tracker}->reload if $w->{tracker}->alive;
    },
    'tracker restarted' => sub ($w, @) {
        $w->{tracker}->stop if $w->{tracker}->alive;
        $w->{tracker}->start;
    },
    'tracker killed' => sub ($w, @) { $w->{tracker}->kill9 },
    'node killed'    => sub ($w, @) { _victim($w)->kill9 },
    'node restarted' => sub ($w, @) {
        my $node = _victim($w);
        $node->kill9;
        $node->start;
        _keep($w, $node);
    },
    'node reloaded'  => sub ($w, @) {
        my $node = _victim($w);
        return if !$node->process->alive;
        $node->set;
        _keep($w, $node);
    },
    'file replaced'  => sub ($w, @) {
        for my $node ($w->{cdn}->nodes) {
            $node->link_file($w->{content}{next}, $w->name);
            $node->remove($w->name . '.shoal');
        }
    },
    'ticket keys changed' => sub ($w, @) {
        $w->set_keys('second');
        _reload($_) for @{ $w->{supers} };
        $w->{tracker}->reload if $w->{tracker}->alive;
    },
    'disk full' => sub ($w, @) { },     # so from the start
);

sub _reload($sp) {
    return if !$sp->alive;
    my $done = () = $sp->stderr =~ /reload: (?:done|nothing)/g;
    $sp->process->signal('HUP');
    wait_for { (() = $sp->stderr =~ /reload: (?:done|nothing)/g) > $done } 10,
        $sp->name . "'s reload";
}

sub event($world, $what, @clients) { $event{$what}->($world, @clients) }

1;
