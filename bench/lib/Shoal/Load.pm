package Shoal::Load;

# The load generator, and what a process costs.
#
#   my $r = load(run => $addr_port, url => '/p?n={k}', seconds => 2);
#   my $ns = cpu_per_request($pid, $addr_port, url => .., seconds => 2);
#
# Options are those of build/bench/load; 1 for one without a value, a list for
# one that is repeated. The generator runs on the last CPU, away from servers,
# which belong on CPU 0.

use v5.36;
use Exporter qw(import);
use JSON::PP ();
use Shoal::Bench qw(cpus);
use Shoal::Env qw(program slurp);
use Shoal::Process qw(run_cmd start_cmd wait_for);

our @EXPORT_OK = qw(load load_start load_line load_end load_text cpu_ns
    cpu_per_request rss_kib server_cpu);

my %flag = map { $_ => 1 } qw(close random spin values cut discard sum unread);

# The server's CPU, or undef where there is only one.
sub server_cpu() { return cpus() > 1 ? 0 : undef }

sub _cmd($mode, $server, %o) {
    my @cmd = (program('bench/load'), $mode);
    push @cmd, '--connect', $server if $server;
    push @cmd, '--cpu', cpus() - 1 if cpus() > 1;
    for my $key (sort keys %o) {
        my $name = '--' . $key =~ tr/_/-/r;
        my @values = ref $o{$key} ? @{ $o{$key} } : $o{$key};
        push @cmd, $flag{$key} ? $name : map { ($name, $_) } @values;
    }
    return @cmd;
}

sub _checked($r) {
    my @bad = map { "$_: $r->{$_}" } grep { $r->{$_} }
        qw(errors wrong_status wrong_range);
    die "load: @bad of $r->{requests} requests\n" if @bad;
    return $r;
}

sub load($mode, $server, %o) {
    my ($st, $out, $err) = run_cmd({ deadline => 600, name => 'load' },
        _cmd($mode, $server, %o));
    die "load: status $st: $err\n" if $st ne '0';
    my ($last) = $out =~ /(\{[^\n]*\})\n\z/;
    return _checked(JSON::PP->new->decode($last));
}

# What "load print" writes: the pattern's text for each k.
sub load_text($pattern, $n, %o) {
    my ($st, $out, $err) = run_cmd({ name => 'load' },
        _cmd(print => undef, url => $pattern, requests => $n, %o));
    die "load: status $st: $err\n" if $st ne '0';
    return split /\n/, $out;
}

# In the background: load_line() waits for its first line (all are sent).
sub load_start($mode, $server, %o) {
    return start_cmd({ name => 'load' }, _cmd($mode, $server, %o));
}

sub load_line($p, $seconds = 60) {
    wait_for { $p->stdout =~ /\n/ || !$p->alive } $seconds, 'the load';
    my ($line) = $p->stdout =~ /\A(.*)\n/
        or die 'load: ' . $p->stderr . "\n";
    return JSON::PP->new->decode($line);
}

sub load_end($p, $seconds = 60) {
    my $st = $p->wait($seconds) // 'still running';
    die "load: status $st: " . $p->stderr . "\n" if $st ne '0';
    my ($last) = $p->stdout =~ /(\{[^\n]*\})\n\z/;
    return _checked(JSON::PP->new->decode($last));
}

# CPU time of all threads of a process, user and system.
sub cpu_ns($pid) {
    my $sum = 0;
    for my $file (glob "/proc/$pid/task/*/schedstat") {
        $sum += (split ' ', slurp($file))[0] // 0;
    }
    die "no schedstat for $pid\n" if !$sum;
    return $sum;
}

# CPU time a request, in ns, and the generator's figures. The generator spins:
# to wake one that sleeps would cost the server, the more the slower it is.
sub cpu_per_request($pid, $server, %o) {
    $o{spin} = 1 if cpus() > 1;
    my $before = cpu_ns($pid);
    my $r = load(run => $server, %o);
    return ((cpu_ns($pid) - $before) / $r->{requests}, $r);
}

sub rss_kib($pid) {
    my ($kib) = slurp("/proc/$pid/status") =~ /^VmRSS:\s*(\d+)/m;
    return $kib // die "no VmRSS for $pid\n";
}

1;
