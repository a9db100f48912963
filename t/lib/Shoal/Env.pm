package Shoal::Env;

# Where things are, and how long they may take.

use v5.36;
use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);
use File::Temp ();

our @EXPORT_OK = qw(top build_dir program tmpdir deadline sanitized
    long_tests san_env san_preload slurp spew is_main proxies);

my $main_pid = $$;
my $top      = abs_path(dirname(__FILE__) . '/../../..');
my $build    = $ENV{SHOAL_BUILD} || "$top/build";
my $san      = $ENV{SHOAL_SAN} ? 1 : 0;
my $keep     = $ENV{SHOAL_KEEP} ? 1 : 0;
my $slow     = $ENV{SHOAL_SLOW} || 1;
my $long     = $ENV{SHOAL_LONG} ? 1 : 0;
my $tmp;

$build = "$top/$build" if $build !~ m{^/};

my %proxies = map { $_ => $ENV{$_} } grep { /_proxy$/i } keys %ENV;

# What is started sees no proxy, no setting of the user's, no home.
delete @ENV{ grep { /_proxy$/i || /^SHOAL_/ || /^LC_/ } keys %ENV };
delete @ENV{qw(LANG LANGUAGE ASAN_OPTIONS UBSAN_OPTIONS LD_PRELOAD
    XDG_CONFIG_HOME COLUMNS)};
$ENV{LC_ALL} = 'C';
$ENV{SHOAL_SYSTEM_CONFIG} = '/nonexistent/shoal.yaml';
$ENV{PATH}   = "$ENV{PATH}:/usr/sbin:/sbin";

# In a forked child of the test nothing is cleaned up.
sub is_main()   { return $$ == $main_pid }
sub top()       { return $top }
sub build_dir() { return $build }
sub sanitized() { return $san }

# The user's proxy variables, for what has to leave this machine.
sub proxies()   { return %proxies }

# SHOAL_LONG=1: also what takes a minute.
sub long_tests() { return $long }

# Seconds, made longer where the programs are slower.
sub deadline($seconds) { return $seconds * ($san ? 3 : 1) * $slow }

# Path of a built program; its absence fails the test, it never skips it.
sub program($name) {
    my $path = "$build/$name";
    return $path if -f $path;
    die "$path is missing: run make first (or set SHOAL_BUILD)\n";
}

# The test's own folder, removed at its end.
sub tmpdir($sub = undef) {
    if (!$tmp) {
        $tmp = File::Temp::tempdir('shoal-t-XXXXXX', TMPDIR => 1);
        chmod 0755, $tmp;
        $ENV{HOME} = "$tmp/home";
        mkdir $ENV{HOME};
    }
    return $tmp if !defined $sub;
    my $dir = '' . $tmp;
    for my $part (split m{/}, $sub) {
        $dir .= "/$part";
        mkdir $dir or -d $dir or die "mkdir $dir: $!\n";
    }
    return $dir;
}

sub remove_tmpdir() {
    return if !$tmp;
    if ($keep) {
        print STDERR "# kept: $tmp\n";
        return;
    }
    chdir '/';
    system 'rm', '-rf', '--', $tmp;
    $tmp = undef;
}

# Environment of a sanitized program; reports of an nginx with the module
# preloaded go to files, because its stderr is its error log.
sub san_env($log = undef) {
    return () if !$san;
    my $asan = 'exitcode=99:detect_leaks=' . ($log ? 0 : 1);
    my $ubsan = 'exitcode=99:print_stacktrace=1:halt_on_error=1';
    if ($log) {
        $asan  .= ":log_path=$log";
        $ubsan .= ":log_path=$log";
    }
    return (ASAN_OPTIONS => $asan, UBSAN_OPTIONS => $ubsan);
}

sub san_preload() {
    return () if !$san;
    my @libs = map { chomp(my $l = `cc -print-file-name=$_`); abs_path($l) }
        qw(libasan.so libubsan.so);
    for (@libs) {
        die "libasan.so or libubsan.so was not found\n" if !-f $_;
    }
    return (LD_PRELOAD => join ' ', @libs);
}

sub slurp($path) {
    open my $f, '<:raw', $path or return '';
    local $/;
    return readline($f) // '';
}

sub spew($path, $text) {
    open my $f, '>:raw', $path or die "$path: $!\n";
    print {$f} $text;
    close $f or die "$path: $!\n";
    return $path;
}

1;
