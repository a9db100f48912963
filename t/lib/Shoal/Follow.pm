package Shoal::Follow;

# Follows the log of a set of blocks at a block server: GET /blocks/ID/have.
#
#   my $f = follow($base, $id);        # $base: http://ADDR:PORT
#   my $r = $f->next(5);               # seconds to wait; the answer, or undef
#   $r->{how}                          # bitmap or events
#   $r->{events}                       # [ [ have, 3 ], [ fetching, 4, 16 ] ]
#   $f->start(30); $f->{request}       # sent, not yet answered
#   $f->has(3), $f->held               # blocks
#   my $g = $f->copy;                  # from the same cursor

use v5.36;
use Exporter qw(import);
use Shoal::HTTP qw(http_start);

our @EXPORT_OK = qw(follow);

my @KINDS = qw(have fetching unfetch);

sub follow($base, $id) {
    return bless { url => "$base/blocks/$id/have", epoch => '0' x 16,
        cursor => 0, bits => '' }, __PACKAGE__;
}

sub copy($self) { return bless { %$self, request => undef }, __PACKAGE__ }

sub start($self, $wait) {
    $self->{request} = http_start(GET => $self->{url}, args => {
        epoch => $self->{epoch}, since => $self->{cursor},
        wait_ms => int $wait * 1000, port => 40123, client => 'ab' x 8 });
    return $self;
}

# The answer to what was started.
sub take($self, $seconds) {
    my $r = $self->{request}->wait($seconds) or return;
    return { status => $r->{status} } if $r->{status} != 200;
    my %h = %{ $r->{headers} };
    my ($how, $body) = ($h{'shoal-have'}, $r->{body});
    @$self{qw(epoch cursor size)} = @h{qw(shoal-epoch shoal-cursor shoal-size)};
    if ($how eq 'bitmap') {
        my $block = 65536;
        $block *= 2 while $block * 16384 < $self->{size};
        my $blocks = int(($self->{size} + $block - 1) / $block);
        my $len = int(($blocks + 7) / 8);
        $self->{bits} = unpack "B$blocks", $body;
        $body = substr $body, $len;
    }
    my @events = map {
        [ $KINDS[ $_ >> 30 ], $_ & 0xffff, ($_ >> 16 & 0x3fff) + 1 ]
    } unpack 'N*', $body;
    for my $e (grep { $_->[0] eq 'have' } @events) {
        substr($self->{bits}, $_, 1) = '1' for $e->[1] .. $e->[1] + $e->[2] - 1;
    }
    return { status => 200, how => $how, events => \@events };
}

sub next($self, $wait) {
    return $self->start($wait)->take($wait + 10);
}

sub has($self, $block) { return substr($self->{bits}, $block, 1) eq '1' }
sub held($self)        { return $self->{bits} =~ tr/1// }

1;
