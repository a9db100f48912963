package Shoal::Metrics;

# A strict reader of Prometheus' text format 0.0.4, as the tracker writes it:
# HELP and TYPE before the samples of each metric, all of them together, no
# sample twice, histograms whole and cumulative.
#
#   my $m = parse_metrics($text);
#   $m->{value}{'shoal_tracker_parked{kind="peers"}'}   # the zone left out
#   $m->{type}{shoal_tracker_parked}, $m->{help}{..}, $m->{zone}{..}
#
# zone => 0: a page without zones, the super peer's.
#
# Dies, and says with which line.

use v5.36;
use Exporter qw(import);

our @EXPORT_OK = qw(parse_metrics);

my $name_re  = qr/[a-zA-Z_:][a-zA-Z0-9_:]*/;
my $label_re = qr/[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"/;
my $value_re = qr/[0-9]+(?:\.[0-9]+)?/;

sub parse_metrics($text, %o) {
    my $m = { value => {}, type => {}, help => {}, zone => {},
        zoned => $o{zone} // 1 };
    die "not ended by a line feed\n" if $text !~ /\n\z/;
    my $now = '';
    for my $line (split /\n/, $text) {
        if ($line =~ /^# HELP ($name_re) (.+)$/) {
            die "HELP twice: $line\n" if exists $m->{help}{$1};
            $m->{help}{ $now = $1 } = $2;
        } elsif ($line =~ /^# TYPE ($name_re) (counter|gauge|histogram)$/) {
            die "TYPE not behind its HELP: $line\n"
                if $1 ne $now || exists $m->{type}{$1};
            $m->{type}{$1} = $2;
        } else {
            sample($m, $now, $line);
        }
    }
    for my $name (keys %{ $m->{type} }) {
        die "$name: no sample\n" if !grep { /^$name(?:_\w+)?(?:\{|$)/ }
            keys %{ $m->{value} };
        histogram($m, $name) if $m->{type}{$name} eq 'histogram';
    }
    return $m;
}

sub sample($m, $now, $line) {
    my ($name, $labels, $value)
        = $line =~ /^($name_re)(?:\{($label_re(?:,$label_re)*)\})? ($value_re)$/
        or die "not a sample: $line\n";
    my $type = $m->{type}{$now} // die "no TYPE: $line\n";
    my $suffix = $type eq 'histogram' ? qr/_(?:bucket|sum|count)/ : qr//;
    die "of another metric than $now: $line\n" if $name !~ /^$now$suffix$/;
    my ($zone, $rest) = (undef, $labels);
    if ($m->{zoned}) {
        ($zone, $rest) = ($labels // '') =~ /^zone="([^"]*)"(?:,(.*))?$/
            or die "no zone: $line\n";
    }
    my $key = $name . (defined $rest ? "{$rest}" : '');
    die "twice: $line\n" if exists $m->{value}{$key};
    $m->{value}{$key} = $value;
    $m->{zone}{$zone} = 1 if defined $zone;
}

# For each set of labels: bounds that rise, counts that do not fall, the last
# one +Inf and the same as _count; a _sum.
sub histogram($m, $name) {
    my %bounds;
    for my $key (keys %{ $m->{value} }) {
        my ($labels, $le) = $key =~ /^${name}_bucket\{(.*),?le="([^"]+)"\}$/
            or next;
        $labels =~ s/,$//;
        $bounds{$labels}{ $le eq '+Inf' ? 9e99 : $le } = $m->{value}{$key};
    }
    die "$name: no bucket\n" if !%bounds;
    for my $labels (keys %bounds) {
        my $set = $labels eq '' ? '' : "{$labels}";
        my ($last, $bound) = 0;
        for my $le (sort { $a <=> $b } keys %{ $bounds{$labels} }) {
            die "$name: falls at $le\n" if $bounds{$labels}{$le} < $last;
            ($last, $bound) = ($bounds{$labels}{$le}, $le);
        }
        die "$name: no bucket +Inf\n" if $bound < 9e99;
        die "$name: _count is another\n"
            if $m->{value}{"${name}_count$set"} != $last;
        die "$name: no _sum\n" if !defined $m->{value}{"${name}_sum$set"};
    }
}

1;
