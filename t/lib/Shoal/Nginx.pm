package Shoal::Nginx;

# One nginx with a configuration of its own.
#
#   my $n = nginx(name => 'edge', http => "server { listen ... }");
#
# name; http (text inside http{}); main (text at the top); workers (1);
# connections (512); module (1: load the tracker module); binary (another
# nginx, with the module in it); temp (whose temporary files need a path);
# clock (1: its monotonic clock can be put ahead, by $n->ahead(SECONDS));
# wrap (words of a command that starts it: taskset, nsenter).

use v5.36;
use Exporter qw(import);
use Shoal::Env qw(top tmpdir program san_env san_preload slurp spew sanitized);
use Shoal::Net qw(wait_port);
use Shoal::Process qw(wait_for run_cmd);

our @EXPORT_OK = qw(nginx nginx_conf_test http2_conf);

my @all;
my $serial = 0;

sub nginx(%o)  { return __PACKAGE__->new(%o)->start }

# Whether this configuration loads: ({ok, out}); nothing is started.
sub nginx_conf_test(%o) {
    return __PACKAGE__->new(name => 'conftest', %o)->conf_test;
}

sub new($class, %o) {
    my $name = ($o{name} // 'nginx') . '-' . ++$serial;
    my $self = bless { workers => 1, connections => 512, http => '',
                       main => '', events => '', allow => [],
                       temp => [qw(proxy fastcgi uwsgi scgi)], %o,
                       id => $name, dir => tmpdir("nginx/$name") }, $class;
    return $self;
}

sub dir($self)       { return $self->{dir} }
sub log_path($self)  { return "$self->{dir}/error.log" }
sub error_log($self) { return slurp($self->log_path) }
sub process($self)   { return $self->{process} }
sub pid($self)       { return $self->{process}->pid }
sub alive($self)     { return $self->{process} && $self->{process}->alive }

# Lines of the error log that are no fault in this test.
sub allow_log($self, @patterns) { push @{ $self->{allow} }, @patterns }

sub write_conf($self) {
    my $d     = $self->{dir};
    my $user  = $> == 0 ? 'user root;' : '';
    my $load  = $self->{module}
        ? 'load_module ' . program('ngx_http_tracker_module.so') . ';' : '';
    my $level = $self->{log_level} // 'notice';
    my $temp  = join "\n    ", map { "${_}_temp_path $d/tmp/$_;" }
        @{ $self->{temp} };
    mkdir "$d/tmp";
    return spew("$d/nginx.conf", <<"EOC");
$user
$load
daemon off;
master_process on;
worker_processes $self->{workers};
pid $d/nginx.pid;
error_log $d/error.log $level;
$self->{main}
events {
    worker_connections $self->{connections};
    $self->{events}
}
http {
    access_log off;
    default_type application/octet-stream;
    client_body_temp_path $d/tmp/body;
    $temp
$self->{http}
}
EOC
}

sub _cmd($self) {
    my $d = $self->{dir};
    return (@{ $self->{wrap} // [] }, $self->{binary} // 'nginx', '-p', "$d/", '-e', "$d/error.log",
            '-c', "$d/nginx.conf");
}

sub _env($self) {
    my %env;
    if (sanitized() && ($self->{module} || $self->{binary})) {
        %env = (san_env("$self->{dir}/san"),
            $self->{binary} ? () : san_preload());
    }
    if ($self->{clock}) {
        $env{SHOAL_CLOCK} = "$self->{dir}/clock";
        $env{LD_PRELOAD} = join ' ', grep { $_ } $env{LD_PRELOAD},
            _clock_library();
        $self->ahead(0) if !-e $env{SHOAL_CLOCK};
    }
    return \%env;
}

sub _clock_library() {
    state $lib = do {
        my $so = tmpdir('clock') . '/clock.so';
        my ($st, $out, $err) = run_cmd('cc', '-shared', '-fPIC', '-O2', '-o',
            $so, top() . '/t/lib/clock.c', '-ldl');
        die "cc: $err\n" if $st ne '0';
        $so;
    };
    return $lib;
}

# Seconds by which its clock is ahead from now on; in place, for it is mapped.
sub ahead($self, $seconds) {
    open my $f, -e "$self->{dir}/clock" ? '+<' : '+>', "$self->{dir}/clock"
        or die "clock: $!\n";
    syswrite $f, pack 'q', $seconds;
    close $f;
    return $self;
}

# nginx -t: { ok => bool, out => what it printed }
sub conf_test($self) {
    $self->write_conf;
    my ($st, $out, $err) = run_cmd({ env => $self->_env,
        name => 'nginx-t' }, $self->_cmd, '-t');
    spew($self->log_path, '');
    return { ok => $st eq '0' ? 1 : 0, out => $out . $err };
}

sub start($self) {
    push @all, $self if !grep { $_ == $self } @all;
    $self->write_conf;
    $self->{process} = Shoal::Process->start(
        name => $self->{id}, env => $self->_env, cmd => [ $self->_cmd ]);
    for my $l ($self->_listens) {
        wait_port(@$l, $self->{process});
    }
    wait_for { $self->worker_pids >= $self->{workers} } 10,
        "the workers of $self->{id}";
    return $self;
}

# Every "listen ADDR:PORT" of the configuration.
sub _listens($self) {
    my @l;
    while ($self->{http} =~ /\blisten\s+(\[[^]]+\]|[\d.]+):(\d+)/g) {
        my ($addr, $port) = ($1, $2);
        push @l, [ $addr =~ s/[][]//gr, $port ];
    }
    return @l;
}

# Children by state: serving, or (leaving => 1) shutting down.
sub worker_pids($self, %o) {
    my $pid = $self->pid;
    my @kids = split ' ', slurp("/proc/$pid/task/$pid/children");
    return grep {
        my $title = slurp("/proc/$_/cmdline") =~ s/\0/ /gr;
        $title =~ /worker process/
            && (($title =~ /shutting down/ ? 1 : 0) == ($o{leaving} // 0));
    } @kids;
}

# New configuration (http => .., main => ..) or the same again; returns when
# new workers serve and the old ones take nothing more.
sub reload($self, %o) {
    $self->{$_} = $o{$_} for keys %o;
    $self->write_conf;
    wait_for { $self->worker_pids == $self->{workers} } 10, 'workers';
    my %old = map { $_ => 1 } $self->worker_pids;
    $self->{process}->signal('HUP');
    wait_for {
        my @now = $self->worker_pids;
        @now >= $self->{workers} && !grep { $old{$_} } @now;
    } 10, "the reload of $self->{id}";
    wait_port(@$_, $self->{process}) for $self->_listens;
    return $self;
}

# Until workers of before the reload are gone.
sub wait_old_workers($self, $seconds = 10) {
    wait_for { !$self->worker_pids(leaving => 1) } $seconds,
        'old workers to leave';
}

sub stop($self, $sig = 'TERM') { return $self->{process}->stop($sig) }
sub kill9($self)               { return $self->{process}->kill9 }
sub restart($self)             { $self->stop; return $self->start }

# Faults that its logs show.
sub faults($self) {
    my @bad;
    for my $line (split /\n/, $self->error_log) {
        next if $line !~ /\[(?:alert|emerg|crit)\]|signal\ 11|core\ dumped
            |exited\ with\ code\ [1-9]|Sanitizer|runtime\ error:/x;
        next if grep { $line =~ $_ } @{ $self->{allow} };
        push @bad, "$self->{id}: $line";
    }
    for my $file (glob "$self->{dir}/san*") {
        push @bad, "$self->{id}: sanitizer: " . slurp($file);
    }
    return @bad;
}

# What makes a server speak HTTP/2 there: a directive since nginx 1.25.1.
sub http2_conf($listen) {
    my (undef, undef, $err) = run_cmd('nginx', '-v');
    my ($major, $minor, $patch) = $err =~ m{nginx/(\d+)\.(\d+)\.(\d+)};
    return "listen $listen http2;"
        if $major == 1 && ($minor < 25 || $minor == 25 && $patch < 1);
    return "listen $listen; http2 on;";
}

sub all_nginx($class) { return @all }

1;
