package Shoal::Process;

# Child processes: started in a group of their own with stdout and stderr in
# files, ended by id, and never left behind.

use v5.36;
use Exporter qw(import);
use POSIX qw(:sys_wait_h);
use Time::HiRes qw(time sleep);
use Shoal::Env qw(tmpdir deadline slurp is_main);

our @EXPORT_OK = qw(wait_for run_cmd start_cmd);

my @all;
my $serial = 0;

# Calls $cond until it is true; its value, or undef when $seconds are over.
sub wait_until($cond, $seconds) {
    my $end   = time + deadline($seconds);
    my $pause = 0.002;
    while (1) {
        my $value = $cond->();
        return $value if $value;
        return undef if time >= $end;
        sleep $pause;
        $pause *= 1.5 if $pause < 0.03;
    }
}

# wait_for { COND } SECONDS, WHAT: as above, but dies when it does not come.
sub wait_for :prototype(&$;$) {
    my ($cond, $seconds, $what) = @_;
    my $value = wait_until($cond, $seconds);
    return $value if $value;
    die sprintf "waited %g s in vain for %s\n", deadline($seconds),
        $what // 'a condition';
}

# cmd => [..], name, env => {..}, cwd, stdin (path)
sub start($class, %o) {
    my $name = $o{name} // ($o{cmd}[0] =~ s{.*/}{}r);
    my $base = tmpdir('proc') . '/' . ++$serial . "-$name";
    my $self = bless { name => $name, cmd => $o{cmd}, out => "$base.out",
                       err => "$base.err", started => time }, $class;

    pipe my $r, my $w or die "pipe: $!\n";
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        close $r;
        eval { $self->_exec(%o) };
        print {$w} $@ || 'exec failed';
        close $w;
        POSIX::_exit(127);
    }
    close $w;
    # Both sides do it, so that the group is there at once.
    setpgrp $pid, $pid;
    $self->{pid} = $pid;
    push @all, $self;
    my $error = do { local $/; readline $r };
    if (defined $error && length $error) {
        $self->wait(1);
        pop @all;
        die "$name: $error\n";
    }
    return $self;
}

sub _exec($self, %o) {
    setpgrp 0, 0;
    die_with_parent();
    open STDIN, '<', $o{stdin} // '/dev/null' or die "stdin: $!";
    open STDOUT, '>', $self->{out} or die "stdout: $!";
    open STDERR, '>', $self->{err} or die "stderr: $!";
    chdir($o{cwd}) || die "$o{cwd}: $!" if $o{cwd};
    for my $key (keys %{ $o{env} // {} }) {
        if (defined $o{env}{$key}) { $ENV{$key} = $o{env}{$key} }
        else                       { delete $ENV{$key} }
    }
    $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE CHLD);
    no warnings 'exec';
    exec { $o{cmd}[0] } @{ $o{cmd} } or die "$o{cmd}[0]: $!";
}

# prctl(PR_SET_PDEATHSIG, SIGTERM): a test that is killed takes all along.
sub die_with_parent() {
    my %nr = (x86_64 => 157, aarch64 => 167);
    my $nr = $nr{ (POSIX::uname())[4] } // return;
    syscall $nr, 1, 15, 0, 0, 0;
}

# Runs $code in a child process: for servers written in Perl.
sub start_perl($class, $name, $code) {
    my $base = tmpdir('proc') . '/' . ++$serial . "-$name";
    my $self = bless { name => $name, cmd => [$name], out => "$base.out",
                       err => "$base.err", started => time,
                       status_any => 1 }, $class;
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        setpgrp 0, 0;
        die_with_parent();
        open STDOUT, '>', $self->{out};
        open STDERR, '>', $self->{err};
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
        eval { $code->(); 1 } or print STDERR $@;
        POSIX::_exit(0);
    }
    setpgrp $pid, $pid;
    $self->{pid} = $pid;
    push @all, $self;
    return $self;
}

sub pid($self)    { return $self->{pid} }
sub name($self)   { return $self->{name} }
sub stdout($self) { return slurp($self->{out}) }
sub stderr($self) { return slurp($self->{err}) }

# Seconds from its start to its end (or to now).
sub seconds($self) { return ($self->{ended} // time) - $self->{started} }

# Exit status: 0-255, 256 + signal; undef while it runs.
sub status($self) {
    if (!defined $self->{status}
        && waitpid($self->{pid}, WNOHANG) == $self->{pid})
    {
        $self->{ended} = time;
        $self->{status} = WIFSIGNALED($?) ? 256 + WTERMSIG($?) : $? >> 8;
    }
    return $self->{status};
}

sub alive($self) { return !defined $self->status }

sub signal($self, $sig) {
    return $self->alive ? kill($sig, $self->{pid}) : 0;
}

# Waits for its end; undef when $seconds are over.
sub wait($self, $seconds) {
    wait_until(sub { !$self->alive }, $seconds);
    $self->{asked} = 1 if defined $self->{status};
    return $self->{status};
}

# TERM, a deadline, KILL. The status; a KILL that was needed is a fault.
sub stop($self, $sig = 'TERM', $seconds = 10) {
    if ($self->alive) {
        $self->{asked} = 1;
        $self->signal($sig);
        if (!defined $self->wait($seconds)) {
            $self->{fault} = "did not end within $seconds s of SIG$sig";
            $self->signal('KILL');
            $self->wait(5);
        }
    }
    $self->_sweep_group;
    return $self->{status};
}

# SIGKILL to it and whatever it has started.
sub kill9($self) {
    $self->{asked} = $self->{status_any} = $self->{killed} = 1;
    kill 'KILL', -$self->{pid} if $self->alive;
    $self->wait(5);
    $self->_sweep_group;
    return $self->{status};
}

# Orphans that init has not yet reaped do not count.
sub group_alive($self) {
    return 0 if !kill 0, -$self->{pid};
    for my $file (glob '/proc/[0-9]*/stat') {
        my ($state, $group) = slurp($file) =~ /\) (\S) \d+ (\d+)/ or next;
        return 1 if $group == $self->{pid} && $state !~ /[ZX]/;
    }
    return 0;
}

sub _sweep_group($self) {
    return if $self->{swept}++;
    return if !$self->group_alive;
    return if wait_until(sub { !$self->group_alive }, 3);
    $self->{fault} //= 'left processes behind' if !$self->{killed};
    kill 'KILL', -$self->{pid};
}

# What went wrong with it, or undef. For the end of a test.
sub fault($self) {
    return $self->{fault} if $self->{fault};
    my $st = $self->status;
    return 'still runs' if !defined $st;
    return "ended by itself with status $st" if !$self->{asked};
    return "status $st" if $st && !$self->{status_any};
    return undef;
}

# Any exit status will do.
sub any_status($self) { $self->{status_any} = 1; return $self }

sub all_processes($class) { return @all }

sub stop_all($class) {
    $_->stop for reverse @all;
}

sub start_cmd(@cmd) {
    my %o = ref $cmd[0] eq 'HASH' ? %{ shift @cmd } : ();
    return __PACKAGE__->start(%o, cmd => \@cmd);
}

# run_cmd({deadline, env, cwd, stdin, name}, CMD..): (status, stdout, stderr,
# seconds); status is 'timeout' when it had to be killed.
sub run_cmd(@cmd) {
    my %o = ref $cmd[0] eq 'HASH' ? %{ shift @cmd } : ();
    my $p = __PACKAGE__->start(%o, cmd => \@cmd)->any_status;
    my $st = $p->wait($o{deadline} // 30);
    if (!defined $st) {
        $p->kill9;
        $st = 'timeout';
    }
    $p->_sweep_group;
    return ($st, $p->stdout, $p->stderr, $p->seconds);
}

# A test that was interrupted still ends what it has started.
$SIG{$_} = sub { exit 130 } for qw(INT TERM HUP);
$SIG{PIPE} = 'IGNORE';

1;
