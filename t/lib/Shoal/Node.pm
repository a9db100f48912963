package Shoal::Node;

# What a good and a bad CDN node have in common: an address, a folder of its
# own, a log of what it was asked.

use v5.36;
use Shoal::Data qw(make_file);
use Shoal::Env qw(slurp tmpdir);
use Shoal::Process qw(wait_for);

sub addr($self)     { return $self->{addr} }
sub port($self)     { return $self->{port} }
sub root($self)     { return $self->{root} }
sub log_file($self) { return $self->{access} }
sub path($self, $name) { return "$self->{root}/$name" }

# A file that only this node has; mtime => SECONDS.
sub file($self, $name, $size, $seed = 1, %o) {
    $self->_folder($name);
    return make_file($self->path($name), $size, $seed,
                     $o{mtime} // 1700000000);
}

# The same file as elsewhere: same inode, same size, mtime and ETag.
sub link_file($self, $from, $name) {
    $self->_folder($name);
    unlink $self->path($name);
    link $from, $self->path($name) or symlink $from, $self->path($name)
        or die "link $name: $!\n";
}

sub _folder($self, $name) {
    my ($dir) = $name =~ m{^(.*)/};
    system 'mkdir', '-p', "$self->{root}/$dir" if defined $dir;
}

sub remove($self, $name) { unlink $self->path($name) }

# What it has answered: { remote, method, uri, status, bytes, range, msec,
# time }. A request is in it when it is over.
sub requests($self, %only) {
    my @r;
    for (split /\n/, slurp($self->{access})) {
        my ($remote, $method, $uri, $status, $bytes, $range, $msec, $time)
            = /^(\S+)\ "(\S+)\ (\S+)[^"]*"\ (\d+)\ (\d+)\ "([^"]*)"
               (?:\ ([\d.]+)\ ([\d.]+))?/x or next;
        push @r, { remote => $remote, method => $method, uri => $uri,
            status => $status, bytes => $bytes, range => $range,
            msec => $msec, time => $time };
    }
    for my $key (keys %only) {
        @r = grep { $_->{$key} eq $only{$key} } @r;
    }
    return @r;
}

# Body bytes it sent to GET requests.
sub bytes($self, %only) {
    my $sum = 0;
    $sum += $_->{bytes} for $self->requests(%only, method => 'GET');
    return $sum;
}

sub wait_requests($self, $n, %only) {
    wait_for { $self->requests(%only) >= $n } 10, "$n requests";
}

sub clear_log($self) { truncate $self->{access}, 0 }

1;
