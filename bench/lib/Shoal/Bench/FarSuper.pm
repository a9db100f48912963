package Shoal::Bench::FarSuper;

# A super peer behind a line of its own, with a rate and a delay, that holds
# files before it is asked for them: a CDN node of its own, at the address of
# the real one, fills it without that line.
#
#   my $s = far_super(rtt_ms => 0, rate_mbit => 1, cdn => $cdn,
#       files => [ { id, url, size, version }, .. ]);
#   $s->url

use v5.36;
use Exporter qw(import);
use Shoal::Delay qw(delay_line);
use Shoal::FakeTracker qw(fake_tracker);
use Shoal::Net qw(free_port wait_port);
use Shoal::Nginx qw(nginx);
use Shoal::Process qw(run_cmd);
use Shoal::SuperPeer;

our @EXPORT_OK = qw(far_super);

sub far_super(%o) {
    my $line = delay_line(map { $_ => $o{$_} } qw(rtt_ms rate_mbit));
    my ($addr, $port) = (($o{cdn}->addrs)[0], $o{cdn}->port);
    if ($addr !~ /^127\./) {
        my ($st, undef, $err) = run_cmd($line->wrap, qw(ip addr add),
            "$addr/32", qw(dev lo));
        die "ip addr: $err\n" if $st ne '0';
    }
    my $root = $o{cdn}->node(0)->root;
    # Not waited for from here, where its address is another one's.
    my $node = nginx(name => 'filler', wrap => [ $line->wrap ],
        http => "server { listen $addr:$port; root $root; }");
    my $tracker = fake_tracker(addr => $line->near);
    my $sp = Shoal::SuperPeer->new(addr => $line->far,
        port => free_port(), cache_size => '1GiB',
        trackers => [ $tracker->conf ], wrap => [ $line->wrap ],
        origins => ["http://$addr:$port"], settings =>
        { allow_addresses => [ '127.0.0.0/8', '198.18.0.0/15' ],
          bind_address => undef });
    $sp->write_conf;
    $sp->_start;
    wait_port($line->far, $sp->port, $sp->process);
    for my $file (@{ $o{files} }) {
        my $id = $tracker->prepare(@$file{qw(url size version)},
            id => $file->{id});
        $tracker->wait_line(qr/^(?:\+|\?)$id /, 120) =~ /^\+/
            or die "$file->{name} was refused\n";
    }
    return bless { line => $line, sp => $sp, tracker => $tracker,
        node => $node }, __PACKAGE__;
}

sub url($self) { return $self->{sp}->base }

1;
