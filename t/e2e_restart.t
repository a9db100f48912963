# A super peer that was restarted, or killed, holds what it held, and says so
# again; so it does to a tracker that has lost its memory.

use v5.36;
use Shoal::Test;

my $size = 5 * 1048576;
my $s = stage(nodes => 2, superpeers => 2);
my @name = map { "f$_.bin" } 1 .. 3;
my %path = map { $_ => $s->cdn->file($_, $size, $_) } @name;
for my $name (@name) {
    download_ok($s->get($name), $path{$name}, "$name, first");
    $s->wait_ready($name);
}
$s->cdn->clear_logs;

my %how = (
    'super peers restarted' => sub { $_->restart for $s->sps },
    'super peers killed'    => sub { $_->kill9, $_->start for $s->sps },
    'tracker restarted'     => sub { $s->tracker->restart },
    'tracker killed'        => sub { $s->tracker->kill9; $s->tracker->start },
    'both'                  => sub {
        $_->kill9 for $s->sps;
        $s->tracker->restart;
        $_->start for $s->sps;
    },
);
for my $what (sort keys %how) {
    my %epoch = map { $_->name => epoch($_) } $s->sps;
    $how{$what}->();
    if ($what =~ /tracker|both/) {
        wait_for { !grep { epoch($_) eq $epoch{ $_->name } } $s->sps } 8,
            'the new epoch';
    }
    $_->wait_connected(8) for $s->sps;
    for my $name (@name) {
        my $answer = wait_for {
            my $a = $s->ask($name);
            (grep { $_->{state} eq 'ready' } @{ $a->{super} }) == 2 ? $a
                : undef;
        } 20, "$name to be listed again";
        is(@{ $answer->{super} }, 2, "$what: $name is listed again");
    }
    my $r = $s->get($name[1]);
    download_ok($r, $path{ $name[1] }, "$what: and served");
}
my $bytes = 0;
$bytes += $s->cdn->bytes(remote => $_->addr) for $s->sps;
is($bytes, 0, 'nothing was fetched again');

sub epoch($sp) {
    return eval { $sp->status->{trackers}[0]{epoch} } // '';
}

finish();
