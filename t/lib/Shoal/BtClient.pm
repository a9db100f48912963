package Shoal::BtClient;

# BitTorrent clients as Debian has them, with the tracker as their only way to
# find each other.
#
#   my $missing = bt_missing('aria2');       # why not, or undef
#   my $c = bt_client('transmission', addr => '198.18.0.2', dir => $dir,
#       torrent => $file);
#   wait_for { $c->done } 30, 'the download';
#   $c->stop;
#
# What is in dir already is checked, and seeded.

use v5.36;
use Exporter qw(import);
use JSON::PP;
use Shoal::Env qw(top tmpdir slurp spew);
use Shoal::HTTP qw(http);
use Shoal::Net qw(free_port wait_port);
use Shoal::Process qw(run_cmd start_cmd);

our @EXPORT_OK = qw(bt_client bt_missing);

my $serial = 0;
my $script = top() . '/t/lib/bt_libtorrent.py';

my %clients = (
    transmission => { test => [qw(transmission-daemon --version)],
        package => 'transmission-daemon', start => \&transmission },
    aria2 => { test => [qw(aria2c --version)], package => 'aria2',
        start => \&aria2 },
    libtorrent => { test => [ '/usr/bin/python3', '-c', 'import libtorrent' ],
        package => 'python3-libtorrent', start => \&libtorrent },
);

sub bt_missing($name) {
    my $c = $clients{$name};
    my ($status) = eval { run_cmd(@{ $c->{test} }) };
    return ($status // '') eq '0' ? undef : "package $c->{package} is missing";
}

sub bt_client($name, %o) {
    my $self = bless { name => $name, %o,
        state => tmpdir('bt/' . ++$serial . "-$name"),
        port => free_port($o{addr}) }, __PACKAGE__;
    $clients{$name}{start}->($self);
    return $self;
}

sub addr($self) {
    return ($self->{addr} =~ /:/ ? "[$self->{addr}]" : $self->{addr})
        . ":$self->{port}";
}

# Whether it has all, and seeds.
sub done($self) { return $self->{done}->() }

# Makes it tell the tracker that it stops, which Debian's transmission does
# not do at its end.
sub leave($self) { return $self->{leave}->() }

sub stop($self) { return $self->{process}->stop('TERM', 20) }

sub transmission($self) {
    my $rpc = free_port('127.0.0.1');
    my $off = JSON::PP::false;
    spew("$self->{state}/settings.json", JSON::PP->new->encode({
        'bind-address-ipv4' => $self->{addr}, 'peer-port' => $self->{port},
        'download-dir' => $self->{dir}, 'incomplete-dir-enabled' => $off,
        'dht-enabled' => $off, 'lpd-enabled' => $off, 'pex-enabled' => $off,
        'utp-enabled' => $off, 'port-forwarding-enabled' => $off,
        'rpc-bind-address' => '127.0.0.1', 'rpc-port' => $rpc,
        'rpc-whitelist-enabled' => $off, 'watch-dir-enabled' => $off }));
    $self->{process} = start_cmd({ env => { TR_CURL_VERBOSE => undef } },
        'transmission-daemon', '-f', '-g', $self->{state});
    wait_port('127.0.0.1', $rpc, $self->{process});
    my $call = sub ($method, %args) {
        my $url = "http://127.0.0.1:$rpc/transmission/rpc";
        my $body = JSON::PP->new->encode({ method => $method,
            arguments => \%args });
        my @session = ('X-Transmission-Session-Id' => $self->{session} // '');
        my $r = http(POST => $url, body => $body, headers => [@session]);
        if ($r->{status} == 409) {
            $self->{session} = $r->{headers}{'x-transmission-session-id'};
            $session[1] = $self->{session};
            $r = http(POST => $url, body => $body, headers => [@session]);
        }
        my $answer = $r->json;
        die "$method: $answer->{result}\n" if $answer->{result} ne 'success';
        return $answer->{arguments};
    };
    $call->('torrent-add', filename => $self->{torrent});
    $self->{done} = sub {
        my ($t) = @{ $call->('torrent-get',
            fields => [qw(percentDone status)])->{torrents} };
        return $t && $t->{percentDone} == 1 && $t->{status} == 6;
    };
    $self->{leave} = sub { $call->('torrent-stop') };
}

sub aria2($self) {
    my $done = "$self->{state}/done";
    my $hook = spew("$self->{state}/hook", "#!/bin/sh\n: >'$done'\n");
    chmod 0755, $hook;
    my $six = $self->{addr} =~ /:/ ? 'false' : 'true';
    $self->{process} = start_cmd('aria2c', '--no-conf', "--dir=$self->{dir}",
        "--interface=$self->{addr}", "--listen-port=$self->{port}",
        "--disable-ipv6=$six", qw(--enable-dht=false --enable-dht6=false
        --bt-enable-lpd=false --enable-peer-exchange=false --seed-ratio=0
        --check-integrity=true --allow-overwrite=true --summary-interval=0
        --file-allocation=none --bt-hash-check-seed=true
        --enable-color=false --console-log-level=notice),
        "--on-bt-download-complete=$hook", $self->{torrent});
    $self->{done} = sub { -e $done };
    $self->{leave} = sub { $self->{process}->stop('INT', 20) };
}

sub libtorrent($self) {
    $self->{process} = start_cmd('/usr/bin/python3', $script, $self->addr,
        $self->{torrent}, $self->{dir});
    $self->{done} = sub { $self->{process}->stdout =~ /^seeding$/m };
    $self->{leave} = sub { $self->stop };
}

1;
