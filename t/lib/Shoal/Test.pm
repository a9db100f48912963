package Shoal::Test;

# The face of the harness: everything a test needs, and the checks that
# close every test file.
#
#   use v5.36;
#   use Shoal::Test;
#   my $cdn = cdn(nodes => 3);
#   ...
#   finish();
#
# finish() stops all processes and fails the test for an alert in an nginx
# log, a sanitizer's report, a process that ended by itself, ended badly, had
# to be killed, or left others behind. SHOAL_KEEP=1 keeps the folder,
# SHOAL_LONG=1 does also what takes a minute.

use v5.36;
use Test::More;
use Shoal::BadNode;
use Shoal::Cdn qw(cdn);
use Shoal::Client qw(shoal shoal_start shoal_end part_bytes part_blocks);
use Shoal::Data qw(make_file sha256_file file_size human_size);
use Shoal::Env qw(top build_dir program tmpdir deadline sanitized
    long_tests san_env slurp spew is_main);
use Shoal::FakeSuper qw(fake_super layer_of);
use Shoal::HTTP qw(http http_start http_wait_all http_raw url_encode);
use Shoal::Net qw(free_port port_open wait_port);
use Shoal::Nginx qw(nginx nginx_conf_test);
use Shoal::Process qw(wait_for run_cmd start_cmd);
use Shoal::Stage qw(stage download_ok resource_id);
use Shoal::SuperPeer qw(superpeer);
use Shoal::Tracker qw(tracker);
use Time::HiRes ();

my @own = qw(cdn shoal shoal_start shoal_end part_bytes part_blocks
    make_file sha256_file file_size human_size top build_dir program tmpdir deadline
    sanitized long_tests san_env slurp spew http http_start http_wait_all
    http_raw url_encode free_port port_open wait_port nginx nginx_conf_test
    wait_for run_cmd start_cmd superpeer tracker stage download_ok
    resource_id fake_super layer_of finish same_file now skip_test);
my $finished = 0;
my %forgotten;

sub import($class) {
    my $caller = caller;
    no strict 'refs';
    *{"${caller}::$_"} = \&{$_} for @own;
    Test::More->export_to_level(1);
    Test::More::note("build: " . build_dir());
}

sub now :prototype() () { return Time::HiRes::time() }

# Whether both files hold the same bytes.
sub same_file($got, $want, $name) {
    my ($g, $w) = map { sha256_file($_) } $got, $want;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is($g, $w, $name);
}

my $report = qr/AddressSanitizer|LeakSanitizer|UndefinedBehavior|runtime\ error:
    |SUMMARY:\ \w+Sanitizer/x;

# What sanitizers wrote to the stderr of processes.
sub reports() {
    return join '', map { $_->name . ":\n" . $_->stderr }
        grep { !$forgotten{$_} && $_->stderr =~ $report }
        Shoal::Process->all_processes;
}

# For a test that provoked them.
sub forget_reports() {
    $forgotten{$_} = 1 for Shoal::Process->all_processes;
}

sub faults() {
    my @bad = map { $_->faults } Shoal::Nginx->all_nginx;
    for my $p (Shoal::Process->all_processes) {
        my $fault = $p->fault;
        push @bad, $p->name . ": $fault" if $fault;
    }
    my $reports = reports();
    push @bad, $reports if $reports ne '';
    return @bad;
}

# Ends a test that cannot run here, with the reason.
sub skip_test($why) {
    $finished = 1;
    plan(skip_all => $why);
}

sub finish() {
    $finished = 1;
    Shoal::Process->stop_all;
    my @bad = faults();
    ok(!@bad, 'logs are clean and every process ended well');
    diag(substr $_, 0, 6000) for @bad;
    show_stderr() if !Test::More->builder->is_passing;
    done_testing();
}

# The end of what each process wrote: for a test that failed.
sub show_stderr() {
    for my $p (Shoal::Process->all_processes) {
        my @lines = split /\n/, $p->stderr;
        next if !@lines;
        splice @lines, 0, @lines - 15 if @lines > 15;
        diag(join "\n", '-- ' . $p->name . ':', @lines);
    }
}

END {
    if (is_main()) {
        my $status = $?;
        eval { Shoal::Process->stop_all; 1 } or diag($@);
        if (!$finished && $status == 0) {
            diag('finish() was not called');
            $status = 1;
        }
        if ($status && !$finished) {
            diag($_) for faults();
            show_stderr();
        }
        Shoal::Env::remove_tmpdir();
        $? = $status;
    }
}

1;
