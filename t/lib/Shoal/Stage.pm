package Shoal::Stage;

# The whole play: CDN nodes, tracker, super peers; and the client in it.
#
#   my $s = stage(nodes => 3, superpeers => 2);
#   my $path = $s->cdn->file('a.bin', 5_000_000);
#   my $r = $s->get('a.bin');                 # shoal's result, {file} too
#   download_ok($r, $path, 'cold');
#
# nodes, limit_rate, headers, host: as for cdn(); superpeers (2); delay;
# tracker => {..}, superpeer => {..}: more for these; no_tracker => 1.

use v5.36;
use Exporter qw(import);
use Digest::SHA qw(sha256_hex);
use Test::More;
use Shoal::Cdn;
use Shoal::Client qw(shoal shoal_start);
use Shoal::Data qw(sha256_file);
use Shoal::Env qw(tmpdir);
use Shoal::Process qw(wait_for);
use Shoal::SuperPeer;
use Shoal::Tracker;

our @EXPORT_OK = qw(stage download_ok resource_id);

my $clients = 0;

sub stage(%o) {
    my $self = bless { sp => [] }, __PACKAGE__;
    my %cdn = map { $_ => $o{$_} } grep { exists $o{$_} }
        qw(nodes limit_rate headers host server location);
    $self->{cdn} = $o{cdn} // Shoal::Cdn::cdn(%cdn);
    return $self if $o{no_tracker};
    $self->{tracker} = Shoal::Tracker::tracker(origin => $self->{cdn}->host,
        delay => $o{delay} // '200ms', %{ $o{tracker} // {} });
    for my $i (1 .. $o{superpeers} // 2) {
        push @{ $self->{sp} }, Shoal::SuperPeer::superpeer(name => "sp$i",
            addr => "127.0.0.2$i", cdn => $self->{cdn},
            trackers => [ $self->{tracker} ], %{ $o{superpeer} // {} });
    }
    $_->wait_connected for $self->sps;
    return $self;
}

sub cdn($self)     { return $self->{cdn} }
sub tracker($self) { return $self->{tracker} }
sub sp($self, $i)  { return $self->{sp}[$i] }
sub sps($self)     { return @{ $self->{sp} } }

# Every call is a client of another address.
sub _args($self, $name, @args) {
    my @t = $self->{tracker} ? ('--tracker', $self->{tracker}->url) : ();
    my $addr = '127.0.1.' . (1 + $clients++ % 250);
    @args = ('--bind-address', $addr, @args)
        if !grep { /^--bind-address/ } @args;
    return ($self->{cdn}->client_args, @t, @args, $self->{cdn}->url($name));
}

# get([{options}], NAME, ARGS..): shoal's result
sub get($self, @args) {
    my $o = ref $args[0] eq 'HASH' ? shift @args : {};
    my $r = shoal($o, $self->_args(@args));
    $r->{file} = "$r->{dir}/" . $args[0] =~ s{.*/}{}r;
    return $r;
}

sub get_start($self, @args) {
    my $o = ref $args[0] eq 'HASH' ? shift @args : {};
    return shoal_start($o, $self->_args(@args));
}

# What the tracker says of a file that all good nodes hold alike.
sub ask($self, $name, %o) {
    my $node = delete $o{node} // $self->{cdn}->node(-1);
    my ($size, $mtime) = (stat $node->path($name))[7, 9];
    return $self->{tracker}->ask(url => $self->{cdn}->url($name),
        size => $size, version => sprintf('etag:"%x-%x"', $mtime, $size),
        %o)->json;
}

# Until so many super peers are ready with it; the answer.
sub wait_ready($self, $name, $n = scalar $self->sps, %o) {
    return wait_for {
        my $answer = $self->ask($name, %o);
        (grep { $_->{state} eq 'ready' } @{ $answer->{super} }) >= $n
            ? $answer : undef;
    } 20, "$n super peers with $name";
}

# Status 0, the right bytes, and nothing else left in the folder.
sub download_ok($r, $want, $name) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @problem;
    push @problem, "status $r->{status}" if $r->{status} ne '0';
    my ($got) = grep { defined } $r->{file}, $want =~ m{([^/]+)$};
    $got = "$r->{dir}/$got" if $got !~ m{^/};
    my ($g, $w) = map { sha256_file($_) } $got, $want;
    push @problem, "SHA-256 is $g instead of $w" if $g ne $w;
    opendir my $d, $r->{dir};
    my ($base) = $got =~ m{([^/]+)$};
    my @more = grep { !/^\.\.?$/ && $_ ne $base } readdir $d;
    push @problem, "left behind: @more" if @more;
    return ok(1, $name) if !@problem;
    ok(0, $name);
    diag($_) for @problem, $r->{stderr};
    return 0;
}

sub resource_id($url, $size, $version, $provider = '') {
    my $u = $url =~ s{^https?://}{}r;
    return substr sha256_hex("shoal1\n$provider\n$u\n$size\n$version\n"),
        0, 40;
}

1;
