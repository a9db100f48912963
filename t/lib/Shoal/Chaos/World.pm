package Shoal::Chaos::World;

# What a plan needs, set up: versions of the file, CDN nodes, tracker, super
# peers, and those who lie.
#
#   my $w = world($plan);
#   $w->client($addr, $dir, @args);      # a client that runs
#   $w->umount;                          # at the end
#
# Fields: plan, content (paths by the plan's words), sha (words by SHA-256),
# cdn, tracker, supers, servers (of the harness: to be killed), secrets (texts
# that may stand in no log).

use v5.36;
use Exporter qw(import);
use MIME::Base64 qw(encode_base64);
use Shoal::BadNode;
use Shoal::Cdn;
use Shoal::Client qw(shoal shoal_start);
use Shoal::Data qw(make_file sha256_file);
use Shoal::Env qw(tmpdir slurp spew);
use Shoal::Forking qw(start_forking);
use Shoal::Liar qw(liar);
use Shoal::Net qw(free_port);
use Shoal::Nginx qw(nginx);
use Shoal::Process qw(run_cmd wait_for);
use Shoal::Stage qw(resource_id);
use Shoal::SuperPeer;
use Shoal::Tracker qw(tracker);

our @EXPORT_OK = qw(world);

my $name = 'f.bin';
my $mtime = 1_700_000_000;
my %key = (first => '5c' x 32, second => 'a7' x 32, foreign => '3e' x 32);

sub world($plan) {
    my $self = bless { plan => $plan, servers => [], supers => [],
        secrets => [], mounts => [] }, __PACKAGE__;
    $self->_content;
    $self->_certificate if %{ $plan->{tls} };
    $self->_cdn;
    my $kind = $plan->{tracker};
    if ($kind eq 'good') { $self->_tracker }
    else                 { $self->_no_tracker($kind) }
    return $self;
}

sub name($self) { return $name }

# The versions of the file, by the words of the plan's nodes.
sub _content($self) {
    my ($size, $seed) = @{ $self->{plan} }{qw(size seed)};
    my $dir = tmpdir('content');
    my %c = (right => make_file("$dir/right", $size, "r$seed", $mtime),
        version => make_file("$dir/version", $size, "v$seed", $mtime - 86400),
        size => make_file("$dir/size", $size + 77, "s$seed", $mtime + 3600),
        same => make_file("$dir/same", $size, "w$seed", $mtime),
        next => make_file("$dir/next", $size, "n$seed", $mtime + 86400));
    my $last = slurp($c{right});
    substr($last, -1) ^.= "\1" if $size;
    $c{last} = spew("$dir/last", $last);
    utime $mtime, $mtime, $c{last};
    for my $what ($size ? qw(right version) : ()) {
        my $r = shoal('--make-layer', $c{$what});
        die $r->{stderr} if $r->{status} ne '0';
    }
    $self->{content} = \%c;
    $self->{sha}{ sha256_file($c{$_}) } //= $_
        for qw(right version size next same last);
}

# One for all that speaks TLS, which is its own authority.
sub _certificate($self) {
    my $dir = tmpdir('tls');
    my @ips = map { "IP:127.0.0.$_" } 2, 21 .. 24;
    my ($status, undef, $err) = run_cmd(qw(openssl req -x509 -newkey ec -nodes
        -pkeyopt ec_paramgen_curve:P-256 -days 2 -subj /CN=all -addext),
        'subjectAltName=' . join(',', 'DNS:cdn.example.com', @ips),
        '-keyout', "$dir/key", '-out', "$dir/pem");
    die "openssl: $err\n" if $status ne '0';
    @$self{qw(pem key)} = ("$dir/pem", "$dir/key");
}

sub _ssl($self) {
    return "ssl_certificate $self->{pem}; ssl_certificate_key $self->{key};";
}

sub _digest($path) {
    return 'sha-256=:' . encode_base64(pack('H*', sha256_file($path)), '')
        . ':';
}

# So that a download takes a second or two, whatever its size; nginx lets what
# is for the first second through at once.
sub _rate($self) {
    my $rate = int $self->{plan}{size} / 5;
    return $rate < 20_000 ? 20_000 : $rate;
}

sub _node_options($self, $node) {
    my $what = $node->{content} // 'right';
    my $plan = $self->{plan};
    my %o = (limit_rate => int $self->_rate / ($node->{slow} ? 3 : 1));
    $o{bad} = { rate => $o{limit_rate}, %{ $node->{bad} } } if $node->{bad};
    $o{headers}{'Repr-Digest'} = _digest($self->{content}{$what})
        if $plan->{known} eq 'digest' && $self->{content}{$what};
    $o{headers}{'Cache-Control'} = 'private' if $plan->{secret} eq 'private';
    if ($what eq 'turns') {
        my @root = map { tmpdir("turns/$_") } 0, 1;
        link $self->{content}{$_ ? 'version' : 'right'}, "$root[$_]/$name"
            for 0, 1;
        $o{bad} = { rate => $o{limit_rate},
            each => sub ($q) { (root => $root[$$ % 2]) } };
    }
    return \%o;
}

sub _cdn($self) {
    my $plan = $self->{plan};
    my $cdn = $self->{cdn} = Shoal::Cdn->new(
        nodes => [ map { $self->_node_options($_) } @{ $plan->{nodes} } ]);
    for my $i (0 .. $#{ $plan->{nodes} }) {
        my $what = $plan->{nodes}[$i]{content} // 'right';
        my $path = $self->{content}{$what} // next;
        $cdn->node($i)->link_file($path, $name);
        $cdn->node($i)->link_file("$path.shoal", "$name.shoal")
            if $plan->{known} eq 'published' && -e "$path.shoal";
    }
    $cdn->start;
    push @{ $self->{servers} }, map { $_->process }
        grep { $_->isa('Shoal::BadNode') } $cdn->nodes;
    $self->{port} = $cdn->port;
    $self->_tls_in_front if $plan->{tls}{CDN};
    my $query = '';
    if ($plan->{secret} =~ /token|refused/) {
        push @{ $self->{secrets} }, "GEHEIM$plan->{seed}";
        $query = "?token=GEHEIM$plan->{seed}";
    }
    $self->{url} = ($plan->{tls}{CDN} ? 'https' : 'http') . '://' . $cdn->host
        . ":$self->{port}/$name$query";
    $self->{resolve} = $cdn->host . ":$self->{port}:"
        . join ',', $cdn->addrs;
}

# At each node's address; faults come through, and no answer is kept.
sub _tls_in_front($self) {
    my $cdn = $self->{cdn};
    $self->{port} = free_port($cdn->addrs);
    nginx(name => 'tls', log_level => 'crit', http => join '', map { <<"EOC" }
    server {
        listen $_:$self->{port} ssl;
        @{[ $self->_ssl ]}
        location / {
            proxy_pass http://$_:@{[ $cdn->port ]};
            proxy_http_version 1.1;
            proxy_set_header Host \$http_host;
            proxy_buffering off;
            proxy_read_timeout 600s;
        }
    }
EOC
        $cdn->addrs);
}

sub _no_tracker($self, $kind) {
    return if $kind eq 'none';
    my @at = ('127.0.0.3', free_port('127.0.0.3'));
    $self->{tracker_url} = "http://$at[0]:$at[1]/peers";
    push @{ $self->{servers} }, start_forking('tracker', @at,
        sub ($c) { my $junk; 1 while sysread $c, $junk, 4096 })
        if $kind eq 'hangs';
    push @{ $self->{servers} }, Shoal::BadNode->new(addr => $at[0],
        port => $at[1],
        handler => sub ($q) { (200, {}, '{"id":7,"super":[[' x 50) })
        ->start->process if $kind eq 'rubbish';
}

sub _version($self) {
    return sprintf 'etag:"%x-%x"', $mtime, $self->{plan}{size};
}

# Writes the keys of tracker and super peers anew.
sub set_keys($self, $which) {
    my $dir = tmpdir('keys');
    spew("$dir/tracker", "$key{$which}\n");
    spew("$dir/supers", ($self->{plan}{tickets} eq 'foreign' ? $key{foreign}
        : $key{$which}) . "\n");
    $self->{ticket_key} = slurp("$dir/supers") =~ s/\n//r;
    push @{ $self->{secrets} }, $key{$which};
    return $dir;
}

sub _tracker_options($self) {
    my $plan = $self->{plan};
    my $signed = $plan->{secret} eq 'token' ? ' signed' : '';
    my %o = (origin => $self->{cdn}->host . $signed, delay => '200ms',
        peers => 'tracker_superpeers_per_file 4;');
    if ($plan->{tickets} ne 'none') {
        my $dir = $self->set_keys('first');
        my $short = $plan->{tickets} eq 'short';
        $o{http} = "tracker_ticket_key swarm $dir/tracker"
            . ($short ? ' time=2s;' : ';');
        $o{peers} .= 'tracker_interval 1s;' if $short;
    }
    if ($plan->{tls}{tracker}) {
        $self->{tracker_tls} = free_port('127.0.0.2');
        $o{server} = "listen 127.0.0.2:$self->{tracker_tls} ssl; "
            . $self->_ssl;
    }
    return %o;
}

sub _super($self, $i) {
    my ($plan, $t) = @$self{qw(plan tracker)};
    my $tls = $plan->{tls}{tracker};
    my $name = "sp$i";
    my $cache = tmpdir("cache/$name");
    my %settings;
    $settings{tls} = { certificate => $self->{pem}, key => $self->{key} }
        if $plan->{tls}{'super peers'};
    $settings{origin_ca} = $self->{pem} if %{ $plan->{tls} };
    $settings{tickets} = { key_file => [ tmpdir('keys') . '/supers' ],
        clock_skew => '0s' } if $plan->{tickets} ne 'none';
    my @small = (wrap => [ 'unshare', '-m', 'sh', '-c',
        'mount -t tmpfs -o size=12m tmpfs "$0" && exec "$@"', $cache ])
        if grep { /super peer's disk/ } @{ $plan->{events} };
    my $https = "https://127.0.0.2:" . ($self->{tracker_tls} // 0) . '/control';
    return Shoal::SuperPeer->new(name => $name, addr => "127.0.0.2$i",
        cache => $cache, cache_size => '64MiB', settings => \%settings, @small,
        origins => [ $self->{url} =~ m{^(https?://[^/]+)} ],
        resolve => [ $self->{resolve} ],
        trackers => [ { url => $tls ? $https : $t->control_url,
            token => $t->token, $tls ? (ca => $self->{pem}) : () } ]);
}

sub _tracker($self) {
    my ($plan, $c) = @$self{qw(plan content)};
    my $t = $self->{tracker} = tracker($self->_tracker_options);
    $self->{tracker_url} = $plan->{tls}{tracker}
        ? "https://127.0.0.2:$self->{tracker_tls}/peers" : $t->url;
    $self->{supers} = [ map { $self->_super($_)->start }
        1 .. $plan->{supers} ];
    $_->wait_connected for @{ $self->{supers} };
    my %file = (size => $plan->{size}, version => $self->_version,
        headers => { 'Shoal-URL' => $self->{url} });
    my $r = $t->ask(%file, event => 'stopped');
    $self->{id} = $r->{status} == 200 ? $r->json->{id}
        : resource_id($self->{url}, $plan->{size}, $self->_version);
    my %of = (id => $self->{id}, true => $c->{right}, false => $c->{version},
        layer => "$c->{right}.shoal", false_layer => "$c->{version}.shoal");
    my $n = 60;
    my $false = sub ($how) {
        my $liar = liar(%of, how => $how, addr => '127.0.0.' . ++$n);
        push @{ $self->{servers} }, $liar->process;
        return $liar;
    };
    $self->_warm(%file) if $plan->{warm};
    $false->($_)->register($t) for @{ $plan->{false_supers} };
    $false->($_)->join($t, %file) for @{ $plan->{false_peers} };
}

# Super peers have it when the first client comes, where they can get it.
sub _warm($self, %file) {
    $self->{tracker}->ask(%file);
    eval {
        wait_for {
            grep { grep { $_->{state} eq 'complete' } @{ $_->status->{sets} } }
                @{ $self->{supers} }
        } 4, 'a super peer with the file';
    };
}

sub _args($self, $addr) {
    my $plan = $self->{plan};
    my $right = $self->{content}{right};
    my $user = $plan->{secret} eq 'user';
    push @{ $self->{secrets} }, "Wort$plan->{seed}" if $user;
    return ('--resolve', $self->{resolve}, '--bind-address', $addr,
        '--timeout=10', '--tries=5', '-O', $name, '--explain',
        $self->{tracker_url} ? ('--tracker', $self->{tracker_url}) : (),
        %{ $plan->{tls} } ? ("--ca-certificate=$self->{pem}") : (),
        $user ? ('--user=me', "--password=Wort$plan->{seed}") : (),
        $plan->{known} eq 'checksum'
            ? ('--checksum', 'sha-256=' . sha256_file($right)) : (),
        $plan->{known} eq 'layer' ? ("--layer=$right.shoal") : (),
        $plan->{known} eq 'published' ? ('--layer=auto') : ());
}

my $clients = 0;

# Its Shoal::Process, with dir and report.
sub client($self, $addr, $dir, @more) {
    my $report = tmpdir('report') . '/' . ++$clients;
    my $p = shoal_start({ cwd => $dir }, $self->_args($addr), "--report=$report",
        '--listen-port', free_port($addr), @more, $self->{url});
    $p->{report} = $report;
    return $p;
}

# A file system of so many bytes there.
sub mount_small($self, $dir, $bytes) {
    my $ok = system("mount -t tmpfs -o size=$bytes tmpfs '$dir'") == 0;
    push @{ $self->{mounts} }, $dir if $ok;
    return $ok;
}

sub umount($self) {
    system 'umount', $_ for splice @{ $self->{mounts} };
}

1;
