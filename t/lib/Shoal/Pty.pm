package Shoal::Pty;

# A program on a terminal of its own, with nothing but Perl's core (Linux).
#
#   my $t = on_terminal({ columns => 80, env => {}, cwd => $dir }, CMD..);
#   $t->text                  # what has come so far
#   $t->wait_text(qr/../, 5)  # until it is there; dies when it does not come
#   $t->resize(40); $t->type("\cC"); $t->signal('TERM');
#   $t->end(20)               # its status: 0-255, 256 + signal, 'timeout'

use v5.36;
use Exporter qw(import);
use Fcntl qw(O_RDWR O_NOCTTY O_NONBLOCK F_GETFL F_SETFL);
use POSIX qw(:sys_wait_h setsid);
use Shoal::Process;

our @EXPORT_OK = qw(on_terminal);

# asm-generic/ioctls.h
use constant { TIOCSPTLCK => 0x40045431, TIOCGPTN => 0x80045430,
    TIOCSWINSZ => 0x5414, TIOCSCTTY => 0x540e };

sub on_terminal(@cmd) {
    my %o = ref $cmd[0] eq 'HASH' ? %{ shift @cmd } : ();
    sysopen my $master, '/dev/ptmx', O_RDWR | O_NOCTTY
        or die "/dev/ptmx: $!\n";
    my ($unlock, $number) = (pack('i', 0), pack('i', 0));
    ioctl $master, TIOCSPTLCK, $unlock or die "TIOCSPTLCK: $!\n";
    ioctl $master, TIOCGPTN, $number or die "TIOCGPTN: $!\n";
    my $self = bless { master => $master, text => '', cmd => \@cmd,
        slave => '/dev/pts/' . unpack 'i', $number }, __PACKAGE__;
    $self->resize($o{columns} // 80);
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        eval { $self->_exec(%o) };
        warn $@;
        POSIX::_exit(127);
    }
    $self->{pid} = $pid;
    fcntl $master, F_SETFL, fcntl($master, F_GETFL, 0) | O_NONBLOCK;
    return $self;
}

sub _exec($self, %o) {
    setsid();
    sysopen my $slave, $self->{slave}, O_RDWR or die "$self->{slave}: $!\n";
    ioctl $slave, TIOCSCTTY, 0 or die "TIOCSCTTY: $!\n";
    open STDIN, '<&', $slave;
    open STDOUT, '>&', $slave;
    open STDERR, '>&', $slave;
    chdir($o{cwd}) || die "$o{cwd}: $!\n" if $o{cwd};
    my %env = %{ $o{env} // {} };
    for my $key (keys %env) {
        if (defined $env{$key}) { $ENV{$key} = $env{$key} }
        else                    { delete $ENV{$key} }
    }
    $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE CHLD);
    exec { $self->{cmd}[0] } @{ $self->{cmd} } or die "$self->{cmd}[0]: $!\n";
}

sub resize($self, $columns) {
    my $size = pack 'S4', 24, $columns, 0, 0;
    ioctl $self->{master}, TIOCSWINSZ, $size or die "TIOCSWINSZ: $!\n";
}

sub type($self, $text) { syswrite $self->{master}, $text }

sub signal($self, $sig) { kill $sig, $self->{pid} }

# Takes what has come; false at the end.
sub _read($self) {
    while (1) {
        my $n = sysread $self->{master}, my $buffer, 65536;
        return $!{EAGAIN} ? 1 : 0 if !defined $n;
        return 0 if !$n;
        $self->{text} .= $buffer;
    }
}

sub text($self) { $self->_read; return $self->{text} }

sub wait_text($self, $pattern, $seconds) {
    Shoal::Process::wait_until(sub { $self->text =~ $pattern }, $seconds)
        or die "waited $seconds s in vain for $pattern in:\n$self->{text}\n";
}

sub end($self, $seconds) {
    my $status;
    my $gone = Shoal::Process::wait_until(sub {
        $self->_read;
        return 0 if waitpid($self->{pid}, WNOHANG) != $self->{pid};
        $status = $?;
        return 1;
    }, $seconds);
    if (!$gone) {
        kill 'KILL', $self->{pid};
        waitpid $self->{pid}, 0;
        return 'timeout';
    }
    $self->_read;
    return WIFSIGNALED($status) ? 256 + WTERMSIG($status) : $status >> 8;
}

1;
