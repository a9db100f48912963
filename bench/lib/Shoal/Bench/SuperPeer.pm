package Shoal::Bench::SuperPeer;

# A super peer to be measured, and who fills it: a tracker that says what to
# prepare and one CDN node.
#
#   my $b = bench_super(cache_size => '2GiB');
#   my $file = $b->fill('a.bin', 512 << 20);      # { id, size, path, url }
#   my $n = $b->plain;                            # nginx, the same files
#
# Options are those of Shoal::SuperPeer; pin (1: on the server's CPU).

use v5.36;
use Exporter qw(import);
use Shoal::Bench qw(sized);
use Shoal::Cdn ();
use Shoal::FakeTracker qw(fake_tracker);
use Shoal::Load qw(load server_cpu);
use Shoal::Net qw(free_port);
use Shoal::Nginx qw(nginx);
use Shoal::SuperPeer qw(superpeer);

our @EXPORT_OK = qw(bench_super pinned throughput);

# What starts a server on its CPU.
sub pinned() {
    my $cpu = server_cpu();
    return defined $cpu ? ('taskset', '-c', $cpu) : ();
}

sub bench_super(%o) {
    my $self = bless {}, __PACKAGE__;
    my $pin = delete $o{pin} // 1;
    $self->{cdn} = delete $o{cdn} // Shoal::Cdn::cdn(nodes => 1);
    $self->{tracker} = fake_tracker();
    my %limits = (connections => 6000, connections_per_address => 0, idle_timeout => '600s',
        %{ delete $o{limits} // {} });
    $self->{sp} = superpeer(trackers => [ $self->{tracker}->conf ],
        cdn => $self->{cdn}, wrap => [ $pin ? pinned() : () ],
        settings => { limits => \%limits }, cache_size => '2GiB', %o);
    $self->{sp}->wait_connected;
    return $self;
}

sub sp($self)      { return $self->{sp} }
sub cdn($self)     { return $self->{cdn} }
sub tracker($self) { return $self->{tracker} }
sub pid($self)     { return $self->{sp}->pid }
sub server($self)  { return $self->{sp}->authority }

sub stop($self) {
    $self->{sp}->stop;
    $self->{tracker}->stop;
    $self->{cdn}->stop;
    return;
}

# A file on the CDN node.
sub file($self, $name, $size, $seed = 1) {
    my $path = $self->{cdn}->file($name, $size, $seed);
    my $mtime = (stat $path)[9];
    return { name => $name, size => $size, path => $path,
             url => $self->{cdn}->url($name), plain => "/$name",
             version => sprintf('etag:"%x-%x"', $mtime, $size) };
}

# Tells the super peer to fetch it.
sub prepare($self, $file) {
    $file->{id} = $self->{tracker}->prepare(@$file{qw(url size version)});
    $file->{blocks} = "/blocks/$file->{id}";
    return $file;
}

# The time at which the tracker heard of it.
sub wait_held($self, $file, $seconds = 300) {
    $self->{tracker}->wait_line(qr/^(?:\+|\?)$file->{id} /, $seconds)
        =~ /^\+/ or die "$file->{name} was refused\n";
    return;
}

sub fill($self, @file) {
    my $file = $self->prepare($self->file(@file));
    $self->wait_held($file);
    return $file;
}

# nginx, one worker on the server's CPU, with the CDN node's files.
sub plain($self, %o) {
    my $port = free_port();
    my $root = $self->{cdn}->node(0)->root;
    my $n = nginx(name => 'plain', connections => 6000, wrap => [pinned()],
        main => 'worker_rlimit_nofile 12000;', http => <<"EOC", %o);
    sendfile on;
    keepalive_requests 1000000000;
    server {
        listen 127.0.0.1:$port backlog=1024;
        root $root;
    }
EOC
    return { nginx => $n, pid => ($n->worker_pids)[0],
             server => "127.0.0.1:$port" };
}

# Bytes a second of ranges of a file, and the server's CPU seconds a GiB.
# $who: { server, pid }.
sub throughput($who, $url, %o) {
    my $r = load(run => $who->{server}, url => $url, random => 1,
        discard => 1, spin => 1, cut => 1, meter => $who->{pid},
        warm => sized(0.5, 0.2, 0.05), %o);
    die "no byte in $r->{seconds} s\n" if !$r->{body_bytes};
    my $gib = $r->{body_bytes} / (1 << 30);
    return ($r->{body_bytes} / $r->{seconds}, $r->{cpu_ns} / 1e9 / $gib, $r);
}

1;
