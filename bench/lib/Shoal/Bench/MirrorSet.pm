package Shoal::Bench::MirrorSet;

# Mirrors of one file, each behind a line of its own, and what they could give
# at best.
#
#   my $m = mirror_set([ 200, 100, 50, 25 ], 'a.bin', 256 << 20, rtt_ms => 0);
#   $m->fetch(shoal => ())               # as fetch() of Shoal::Bench::Client
#   $m->fetch(aria2c => '-k1M')
#   $m->seconds($size, @mbit)            # of the bytes at these rates

use v5.36;
use Exporter qw(import);
use Shoal::Bench::Client qw(source_file tool);
use Shoal::Cdn ();
use Shoal::Star qw(star);

our @EXPORT_OK = qw(mirror_set);

# Of what a line carries, the file's part: packets of 1,514 bytes with headers
# and the time stamps of TCP. tbf counts the rest as well.
my $payload = 1448 / 1514;

my %more = (shoal => [], aria2c => [qw(-s4)]);

sub mirror_set($mbit, $name, $size, %o) {
    my $star = star();
    my @hosts = map { $star->host(up => $_, rtt_ms => $o{rtt_ms} // 0) }
        @$mbit;
    my $cdn = Shoal::Cdn::cdn(port => 8080, nodes => [ map {
        { addr => $_->addr, wrap => [ $_->wrap ] } } @hosts ]);
    my $file = source_file($cdn->node(0)->root, $name, $size);
    ($_->link_file($file->{path}, $name)) for ($cdn->nodes)[1 .. $#hosts];
    return bless { star => $star, hosts => \@hosts, cdn => $cdn,
        file => $file, mbit => $mbit,
        urls => [ map { 'http://' . $_->addr . ":8080/$name" } @hosts ] },
        __PACKAGE__;
}

sub file($self)     { return $self->{file} }
sub host($self, $i) { return $self->{hosts}[$i] }
sub node($self, $i) { return $self->{cdn}->node($i) }

sub seconds($self, $bytes, @mbit) {
    my $sum = 0;
    $sum += $_ for @mbit ? @mbit : @{ $self->{mbit} };
    return $bytes * 8 / ($sum * 1e6 * $payload);
}

# The other way round: bytes in so many seconds.
sub bytes($self, $seconds, @mbit) {
    return $seconds / $self->seconds(1, @mbit);
}

sub start($self, $name, @args) {
    my ($first, @rest) = @{ $self->{urls} };
    my @urls = $name eq 'shoal' ? ((map { ('--mirror', $_) } @rest), $first)
                                : ($first, @rest);
    return Shoal::Bench::Client::fetch_start([ tool($name), @{ $more{$name} },
        @args, @urls ], $self->{file});
}

sub fetch($self, $name, @args) {
    return Shoal::Bench::Client::fetch_end($self->start($name, @args));
}

sub stop($self) {
    $self->{cdn}->stop;
    $self->{star}->stop;
    return;
}

1;
