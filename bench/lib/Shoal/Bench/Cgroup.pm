package Shoal::Bench::Cgroup;

# A cgroup of this process's own with a limit of memory, version 1 or 2.
#
#   my $g = cgroup('name', 256 << 20);    # dies, and says why there is none
#   nginx(wrap => [ $g->wrap ], ...);
#   drop_cache($path);                    # of this file, from memory
#   $g->remove;                           # when nobody is in it any more

use v5.36;
use Exporter qw(import);
use Shoal::Env qw(slurp spew);
use Shoal::Process qw(run_cmd);

our @EXPORT_OK = qw(cgroup drop_cache);

# Where this process is: (folder, file of the limit).
sub _place() {
    my ($path) = slurp('/proc/self/cgroup') =~ /^\d+:[^:]*\bmemory\b[^:]*:(.*)$/m;
    my ($mount) = slurp('/proc/mounts') =~ /^\S+ (\S+) cgroup \S*\bmemory\b/m;
    return ("$mount$path", 'memory.limit_in_bytes')
        if defined $path && defined $mount;
    ($path) = slurp('/proc/self/cgroup') =~ /^0::(.*)$/m;
    ($mount) = slurp('/proc/mounts') =~ /^\S+ (\S+) cgroup2 /m;
    die "no cgroup with a memory controller\n"
        if !defined $path || !defined $mount;
    return ("$mount$path", 'memory.max');
}

sub cgroup($name, $bytes) {
    my ($place, $limit) = _place();
    my $dir = "$place/shoal-bench-$$-$name";
    mkdir $dir or die "$dir: $!\n";
    my $self = bless { dir => $dir }, __PACKAGE__;
    if (!-e "$dir/$limit" || !eval { spew("$dir/$limit", $bytes); 1 }) {
        my $why = $@ || "$limit is not there\n";
        $self->remove;
        die "cgroup $dir: $why";
    }
    return $self;
}

sub wrap($self) {
    return ('sh', '-c', 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"',
        'sh', $self->{dir});
}

sub remove($self) { return rmdir $self->{dir} }

sub drop_cache($path) {
    my ($st, undef, $err) = run_cmd('dd', "if=$path", 'iflag=nocache',
        'count=0', 'status=none');
    die "dd: $err\n" if $st ne '0';
    return;
}

1;
