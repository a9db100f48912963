package Shoal::Chaos::Play;

# Plays one plan with real processes and judges what came out.
#
#   my $result = play($plan);
#   $result->{problems}      # list of words; empty: all is well
#   $result->{seconds}, {status}, {wrong}, {failed}, {refused}{KIND}

use v5.36;
use Exporter qw(import);
use MIME::Base64 qw(encode_base64);
use Shoal::BadNode;
use Shoal::Cdn qw(cdn);
use Shoal::Client qw(shoal shoal_start);
use Shoal::Data qw(make_file sha256_file);
use Shoal::Env qw(tmpdir slurp spew deadline);
use Shoal::Forking qw(start_forking);
use Shoal::HTTP qw(http);
use Shoal::Liar qw(liar);
use Shoal::Net qw(free_port);
use Shoal::Process qw(wait_for);
use Shoal::Stage qw(resource_id);
use Shoal::SuperPeer qw(superpeer);
use Shoal::Tracker qw(tracker);
use Time::HiRes qw(sleep time);

our @EXPORT_OK = qw(play);

my $name = 'f.bin';
my $mtime = 1_700_000_000;
my $patience = 90;      # seconds a client may take at most

sub play($plan) {
    my $self = bless { plan => $plan, problems => [], refused => {},
        wrong => 0, failed => 0 }, __PACKAGE__;
    my $done = eval {
        $self->_content;
        $self->_set_up;
        $self->_download;
        $self->_judge_peers;
        $self->_judge_supers;
        1;
    };
    $self->_problem("the harness: $@") if !$done;
    umount($self->{small}) if $self->{small};
    $_->kill9 for @{ $self->{servers} // [] };
    Shoal::Process->stop_all;
    $self->_faults;
    return $self;
}

sub _problem($self, $what) { push @{ $self->{problems} }, $what }

# Servers of the harness, whose children may hang on purpose: ended at once.
sub _serves($self, $process) { push @{ $self->{servers} }, $process }

sub umount($dir) { system "umount '$dir' 2>/dev/null" }

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

sub _digest($path) {
    return 'sha-256=:' . encode_base64(pack('H*', sha256_file($path)), '')
        . ':';
}

# So that a download takes a few seconds, whatever its size; nginx lets what
# is for the first second through at once.
sub _rate($self) {
    my $rate = int $self->{plan}{size} / 6;
    return $rate < 20_000 ? 20_000 : $rate;
}

sub _node_options($self, $node) {
    my $what = $node->{content} // 'right';
    my %o = (limit_rate => int $self->_rate / ($node->{slow} ? 3 : 1));
    $o{bad} = { rate => $o{limit_rate}, %{ $node->{bad} } } if $node->{bad};
    $o{headers} = { 'Repr-Digest' => _digest($self->{content}{$what}) }
        if $self->{plan}{known} eq 'digest' && $self->{content}{$what};
    if ($what eq 'turns') {
        my @root = map { tmpdir("turns/$_") } 0, 1;
        link $self->{content}{$_ ? 'version' : 'right'}, "$root[$_]/$name"
            for 0, 1;
        $o{bad} = { rate => $o{limit_rate},
            each => sub ($q) { (root => $root[$$ % 2]) } };
    }
    return \%o;
}

sub _set_up($self) {
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
    $self->_serves($_->process) for grep { $_->isa('Shoal::BadNode') }
        $cdn->nodes;
    my $kind = $plan->{tracker};
    $self->_set_up_tracker if $kind eq 'good';
    my $port = free_port('127.0.0.3');
    $self->{tracker_url} //= $kind eq 'none' ? undef
        : "http://127.0.0.3:$port/peers";
    $self->_serves(start_forking('tracker', '127.0.0.3', $port,
        sub ($c) { sleep 600 })) if $kind eq 'hangs';
    $self->_serves(Shoal::BadNode->new(addr => '127.0.0.3', port => $port,
        handler => sub ($q) { (200, {}, '{"id":7,"super":[[' x 50) })
        ->start->process) if $kind eq 'rubbish';
}

sub _id($self) {
    my $size = $self->{plan}{size};
    return resource_id($self->{cdn}->url($name), $size,
        sprintf 'etag:"%x-%x"', $mtime, $size);
}

sub _set_up_tracker($self) {
    my ($plan, $cdn, $c) = @$self{qw(plan cdn content)};
    my $t = $self->{tracker} = tracker(origin => $cdn->host, delay => '200ms');
    $self->{tracker_url} = $t->url;
    my %of = (id => $self->_id, true => $c->{right}, false => $c->{version},
        layer => "$c->{right}.shoal", false_layer => "$c->{version}.shoal");
    $self->{supers} = [ map {
        superpeer(name => "sp$_", addr => "127.0.0.2$_", cdn => $cdn,
            trackers => [$t], cache_size => '64MiB')
    } 1 .. $plan->{supers} ];
    $_->wait_connected for @{ $self->{supers} };
    $self->{fds} = [ map { _descriptors($_) } @{ $self->{supers} } ];
    my $n = 60;
    my $false = sub ($how) {
        my $liar = liar(%of, how => $how, addr => '127.0.0.' . ++$n);
        $self->_serves($liar->process);
        return $liar;
    };
    $false->($_)->register($t) for @{ $plan->{false_supers} };
    $false->($_)->join($t, url => $cdn->url($name), size => $plan->{size},
        version => sprintf 'etag:"%x-%x"', $mtime, $plan->{size})
        for @{ $plan->{false_peers} };
}

sub _args($self, $addr, @more) {
    my $plan = $self->{plan};
    my $right = $self->{content}{right};
    return ($self->{cdn}->client_args, '--bind-address', $addr,
        '--timeout=10',
        $self->{tracker_url} ? ('--tracker', $self->{tracker_url}) : (),
        $plan->{known} eq 'checksum'
            ? ('--checksum', 'sha-256=' . sha256_file($right)) : (),
        $plan->{known} eq 'layer' ? ("--layer=$right.shoal") : (),
        $plan->{known} eq 'published' ? ('--layer=auto') : (),
        @more, $self->{cdn}->url($name));
}

sub _start_client($self, $addr, $dir, @more) {
    return shoal_start({ cwd => $dir },
        $self->_args($addr, '--listen-port', free_port($addr), @more));
}

sub _download($self) {
    my $plan = $self->{plan};
    my $begin = time;
    my $dir = tmpdir('main');
    if (grep { $_ eq 'disk full' } @{ $plan->{events} }) {
        my $room = int($plan->{size} / 2 / 4096) * 4096 + 40_960;
        $self->{small} = $dir
            if system("mount -t tmpfs -o size=$room tmpfs '$dir'") == 0;
    }
    $self->{peers} = [ map {
        $self->_start_client("127.0.1.$_", tmpdir("peer$_"))
    } 1 .. $plan->{peers} ];
    my $main = $self->_start_client('127.0.1.100', $dir);
    my $end = time + $plan->{moment};
    $main->wait(0.01) while time < $end && $main->alive;
    $self->_event($_, $main) for @{ $plan->{events} };
    my $status = $self->_end($main, 'client');
    if ($self->{small} || $main->{killed}) {
        $self->_problem("a full disk: status $status: " . $main->stderr)
            if $self->{small} && !$main->{killed} && $status !~ /^[03]$/
                && $plan->{must};
        system "mount -o remount,size=64m '$dir'" if $self->{small};
        $main = $self->_start_client('127.0.1.100', $dir, '-c');
        $status = $self->_end($main, 'client, resumed');
    }
    $self->{seconds} = time - $begin;
    $self->{status} = $status;
    $self->_judge('client', $status, $dir, $main->stderr, $plan->{must});
}

# Its status; a client that does not end in time is a problem.
sub _end($self, $p, $who) {
    my $status = $p->any_status->wait($patience);
    return $status if defined $status;
    $self->_problem("$who hangs: " . $p->stderr);
    $p->kill9;
    return 'hangs';
}

my %event = (
    'client killed' => sub ($self, $main) { $main->kill9 if $main->alive },
    'super peer killed' => sub ($self, $) { $self->{supers}[0]->kill9 },
    'super peer restarted' => sub ($self, $) {
        my $sp = $self->{supers}[-1];
        $sp->kill9 if $sp->alive;
        $sp->start;
    },
    'tracker reloaded' => sub ($self, $) {
        $self->{tracker}->reload if $self->{tracker}{process}->alive;
    },
    'tracker killed' => sub ($self, $) { $self->{tracker}->kill9 },
    'node killed' => sub ($self, $) {
        $self->{cdn}->node($self->{plan}{victim})->kill9;
    },
    'file replaced' => sub ($self, $) {
        for my $node ($self->{cdn}->nodes) {
            $node->link_file($self->{content}{next}, $name);
            $node->remove("$name.shoal");
        }
    },
    'disk full' => sub ($self, $) { }, # so from the start
);

sub _event($self, $what, $main) { $event{$what}->($self, $main) }

# Its words' table: bytes that were thrown away.
sub _count_refused($self, $err) {
    while ($err =~ /^  all +(CDN node|super peer|peer) +\d+ +[\d.]+% +(\d+)/mg) {
        $self->{refused}{$1} += $2;
    }
}

sub _judge($self, $who, $status, $dir, $err, $must) {
    my $plan = $self->{plan};
    my $path = "$dir/$name";
    $self->_count_refused($err);
    $self->_problem("$who: status $status") if $status !~ /^(?:[0-8]|32)$/
        && $status ne 'hangs';
    if ($status ne '0') {
        $self->_problem("$who: no reason given") if $err !~ /^shoal: \S/m;
        $self->_problem("$who: status $status, and yet there is a $name")
            if -e $path;
        $self->{failed}++ if $must;
        $self->_problem("$who: failed, though a right node can be reached: "
            . $err) if $must;
        return;
    }
    my $what = $self->{sha}{ sha256_file($path) } // 'a mixture';
    my %may = (right => 1);
    if (!$must && $plan->{known} !~ /^(?:checksum|layer)$/) {
        @may{qw(version size next)} = (1) x 3;
    }
    return if $may{$what};
    $self->{wrong}++;
    $self->_problem("$who: a wrong file ($what) under its final name: $err");
}

sub _judge_peers($self) {
    my $i = 0;
    for my $p (@{ $self->{peers} }) {
        $i++;
        my $status = $self->_end($p, "peer $i");
        $self->_judge("peer $i", $status, $p->{dir}, $p->stderr,
            $self->{plan}{must});
    }
}

sub _descriptors($sp) {
    my @fds = glob '/proc/' . $sp->pid . '/fd/*';
    return scalar @fds;
}

# What they have as complete is one of the versions that CDN nodes held: of
# nodes that tell the truth about it, those whose bytes nobody can tell apart
# were left out.
sub _judge_supers($self) {
    my $silent = grep { $_->{silent} } @{ $self->{plan}{nodes} };
    my $i = 0;
    for my $sp (grep { $_->alive } @{ $self->{supers} // [] }) {
        for my $set (@{ $sp->status->{sets} }) {
            next if $set->{state} ne 'complete' || $silent;
            my $r = http(GET => $sp->base . "/blocks/$set->{id}");
            my $sha = Digest::SHA::sha256_hex($r->{body});
            my $what = $self->{sha}{$sha} // 'a mixture';
            next if $what =~ /^(?:right|version|size|next)$/;
            $self->{wrong}++;
            $self->_problem($sp->name . " holds $what as complete");
        }
        my $before = $self->{fds}[$i++] // next;
        eval { wait_for { _descriptors($sp) <= $before + 24 } 20, 'them' }
            or $self->_problem($sp->name . ': ' . _descriptors($sp)
                . " descriptors, $before at first");
    }
}

sub _faults($self) {
    for my $n (Shoal::Nginx->all_nginx) {
        $self->_problem($_) for $n->faults;
    }
    for my $p (Shoal::Process->all_processes) {
        my $fault = $p->fault;
        $self->_problem($p->name . ": $fault: "
            . substr $p->stderr, -1500) if $fault;
        $self->_problem($p->name . ': ' . $p->stderr)
            if $p->stderr =~ /Sanitizer|runtime error:/;
    }
}

1;
