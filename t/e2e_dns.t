# Name servers that do not answer: -T is the limit, and all that has a name to
# be looked up stays within it.

use v5.36;
use Shoal::Test;

skip_test('a name server of its own needs root') if $> != 0;
my ($st) = run_cmd(qw(unshare -mn true));
skip_test('no namespaces here') if $st ne '0';

my $dir = tmpdir('dns');
spew("$dir/resolv.conf", "nameserver 127.0.0.1\noptions timeout:20 attempts:1\n");
spew("$dir/nsswitch.conf", "hosts: files dns\n");

# Takes questions, and says so with a byte; never answers.
spew("$dir/mute.pl", <<'EOP');
use v5.36;
use Socket;
socket(my $s, PF_INET, SOCK_DGRAM, 0) or die;
bind($s, sockaddr_in(53, INADDR_LOOPBACK)) or die "bind: $!";
open my $ready, '>', "$ARGV[0]/ready" or die;
close $ready;
while (defined recv $s, my $question, 512, 0) {
    open my $asked, '>>', "$ARGV[0]/asked" or die;
    print $asked '.';
}
EOP

my $script = <<'EOS';
dir=$1
shift
ip link set lo up || exit 99
mount --bind "$dir/resolv.conf" /etc/resolv.conf || exit 98
mount --bind "$dir/nsswitch.conf" /etc/nsswitch.conf || exit 97
perl "$dir/mute.pl" "$dir" &
until [ -e "$dir/ready" ]; do kill -0 $! || exit 96; done
cd "$dir" && "$@"
status=$?
kill $!
exit $status
EOS

sub lost_in(@args) {
    my $start = now;
    unlink "$dir/ready", "$dir/asked";
    my ($status, undef, $err) = run_cmd({ deadline => 15, env => { san_env() } },
        'unshare', '-mn', 'sh', '-c', $script, 'sh', $dir, program('shoal'),
        @args, 'http://slow.example.com/f.bin');
    return ($status, $err, now() - $start);
}

my ($status, $err, $took) = lost_in('-T1', '-t1');
is($status, 4, '-T1: exit status') or diag($err);
like($err, qr/slow\.example\.com: cannot resolve: no answer in time/, 'why');
cmp_ok(-s "$dir/asked" // 0, '>=', 1, 'the name server was asked');
cmp_ok($took, '>=', 0.9, 'a second was given to it');
cmp_ok($took, '<', 6, 'and not much more');
is(join(' ', glob "$dir/f.bin*"), '', 'no file');

# --connect-timeout is not for names; the shorter -T ends it.
($status, $err, $took) = lost_in('--timeout=2', '--connect-timeout=9', '-t1');
is($status, 4, '--timeout=2: exit status') or diag($err);
cmp_ok($took, '>=', 1.9, 'two seconds');
cmp_ok($took, '<', 7, 'and not nine');

finish();
