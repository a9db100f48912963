package Shoal::Chaos::Judge;

# What may come out of a scenario, and what may not.
#
#   my $judge = Shoal::Chaos::Judge->new($plan);
#   $judge->before($world);                  # all is set up, nobody has come
#   $judge->download($who, $process, $status);
#   $judge->after;                           # all clients have gone
#   $judge->end;                             # all processes have ended
#   $judge->{problems}, {wrong}, {failed}, {refused}{KIND}{bytes, blocks},
#       {looked_at}{WHAT}

use v5.36;
use Digest::SHA qw(sha256_hex);
use JSON::PP;
use Shoal::Data qw(sha256_file);
use Shoal::Env qw(tmpdir slurp);
use Shoal::HTTP qw(http);
use Shoal::Nginx;
use Shoal::Process qw(run_cmd wait_for);
use Shoal::Ticket qw(ticket);

sub new($class, $plan) {
    return bless { plan => $plan, problems => [], wrong => 0, failed => 0,
        refused => {}, looked_at => {} }, $class;
}

sub problem($self, $what) { push @{ $self->{problems} }, $what }

sub before($self, $world) {
    $self->{world} = $world;
    $self->{open} = $self->_open;
    $self->{memory} = _shared_memory();
}

# A killed client may leave what it likes; one that was told to stop, or whose
# disk is full, says so.
sub interrupted($self, $p, $status, $full) {
    return if $p->{killed};
    my $may = $p->{stopped} ? qr/^(?:0|[1-8]|143|271)$/ : qr/^[03]$/;
    $self->problem("interrupted: status $status: " . $p->stderr)
        if $status !~ $may && $self->{plan}{must};
}

sub download($self, $who, $p, $status) {
    my $plan = $self->{plan};
    my $path = "$p->{dir}/" . $self->{world}->name;
    my $err = $p->stderr;
    $self->{looked_at}{downloads}++;
    $self->_refused($p->{report});
    return $self->_failed($who, $path, $status, $err) if $status ne '0';
    my $what = $self->{world}{sha}{ sha256_file($path) } // 'a mixture';
    my %may = (right => 1);
    if (!$plan->{must} && $plan->{known} !~ /^(?:checksum|layer)$/) {
        @may{qw(version size next)} = (1) x 3;
    }
    return if $may{$what};
    $self->{wrong}++;
    $self->problem("$who: a wrong file ($what) under its final name: $err");
}

sub _failed($self, $who, $path, $status, $err) {
    $self->problem("$who: status $status: $err") if $status !~ /^(?:[1-8]|32)$/
        && $status ne 'hangs';
    $self->problem("$who: no reason given") if $err !~ /^shoal: \S/m;
    $self->problem("$who: status $status, and yet there is its file")
        if -e $path;
    return if !$self->{plan}{must};
    $self->{failed}++;
    $self->problem("$who: failed, though a right node can be reached: $err");
}

# By kind of source, as its report has it; what others may not have must not
# have come from others either.
sub _refused($self, $report) {
    my $text = slurp($report);
    return if $text eq '';
    for my $file (@{ decode_json($text)->{files} }) {
        for my $s (@{ $file->{sources} }) {
            my $r = $self->{refused}{ $s->{kind} } //= { bytes => 0,
                blocks => 0, banned => 0 };
            $r->{bytes} += $s->{wasted};
            $r->{blocks} += $s->{wrong_blocks};
            $r->{banned}++ if $s->{banned};
        }
        my $others = $file->{used}{super_peers} + $file->{used}{peers};
        $self->problem("$others bytes from others, of what is not shared")
            if $others && $self->{plan}{secret} =~ /private|user|refused/;
    }
}

sub after($self) {
    $self->_clients_left;
    my @alive = grep { $_->alive } @{ $self->{world}{supers} };
    $self->_holds($_) for @alive;
    $self->_descriptors;
    my ($was, $is) = ($self->{memory}, _shared_memory());
    $self->problem("shared memory left behind: $is") if $is ne $was;
}

# The tracker has no request parked for them, and has not grown.
sub _clients_left($self) {
    my $t = $self->{world}{tracker} // return;
    return if !$t->alive;
    eval {
        wait_for { !$t->metrics->{'shoal_tracker_parked{kind="peers"}'} } 10,
            'requests to be answered';
        1;
    } or $self->problem("tracker: $@");
    my $m = $t->metrics;
    $self->problem("tracker: $m->{shoal_tracker_zone_used_bytes} bytes in use")
        if $m->{shoal_tracker_zone_used_bytes} > 2_000_000;
    my $log = slurp("$t->{dir}/access.log");
    my $private = $self->{plan}{secret} =~ /^(?:private|user)$/;
    $self->problem('the tracker was told of what is not shared')
        if $private && $log =~ m{^127\.0\.1\.\d+ "GET /peers}m;
}

# What it has as complete is one of the versions that CDN nodes held: of nodes
# that tell the truth about it, those whose bytes nobody can tell apart were
# left out.
sub _holds($self, $sp) {
    my ($plan, $w) = @$self{qw(plan world)};
    my $silent = grep { $_->{silent} } @{ $plan->{nodes} };
    for my $set (@{ $sp->status->{sets} }) {
        $self->_tickets($sp, $set->{id}) if $plan->{tickets} ne 'none';
        next if $set->{state} ne 'complete';
        $self->problem($sp->name . ' holds what is not to be shared')
            if $plan->{secret} eq 'private';
        next if $silent;
        my $r = $self->_block($sp, $set->{id}, $plan->{tickets} ne 'none'
            ? ticket($w->{ticket_key}, $set->{id}, time + 60) : undef);
        my $what = $w->{sha}{ sha256_hex($r->{body}) } // 'a mixture';
        $self->{looked_at}{'sets of super peers'}++;
        next if $what =~ /^(?:right|version|size|next)$/;
        $self->{wrong}++;
        $self->problem($sp->name . " holds $what as complete");
    }
}

sub _block($self, $sp, $id, $ticket, $range = undef) {
    my $url = $sp->base . "/blocks/$id" . (defined $ticket ? "?t=$ticket" : '');
    return http(GET => $url,
        headers => { $range ? (Range => $range) : () })
        if !$self->{plan}{tls}{'super peers'};
    my ($st, $out) = run_cmd('curl', '-sS', '--noproxy', '*', '--cacert',
        $self->{world}{pem}, '-w', '%{http_code}', '-o', tmpdir('got') . '/b',
        $range ? ('-r', $range =~ s/bytes=//r) : (),
        $url =~ s/^http:/https:/r);
    return { status => $st eq '0' ? $out : "curl $st",
        body => slurp(tmpdir('got') . '/b') };
}

# Nobody gets a block without one, or with one that is not good.
sub _tickets($self, $sp, $id) {
    my $key = $self->{world}{ticket_key};
    my %shown = (none => undef, expired => ticket($key, $id, time - 5),
        'another id' => ticket($key, 'ab' x 20, time + 60),
        'another key' => ticket('00' x 32, $id, time + 60), rubbish => '1.2');
    for my $how (sort keys %shown) {
        my $status = $self->_block($sp, $id, $shown{$how}, 'bytes=0-9')
            ->{status};
        $self->{looked_at}{'tickets that are not good'}++;
        $self->problem($sp->name . ": a block for a ticket ($how): $status")
            if $status ne '403';
    }
    my $good = ticket($key, $id, time + 60);
    my $status = $self->_block($sp, $id, $good, 'bytes=0-9')->{status};
    $self->problem($sp->name . ": no block with a good ticket: $status")
        if $status !~ /^(?:206|404)$/;
}

# Descriptors of those that stay, by process: sockets and others.
sub _open($self) {
    my $w = $self->{world};
    my $t = $w->{tracker};
    my %pids = map { $_->name => [ $_->pid ] }
        grep { $_->alive } @{ $w->{supers} };
    $pids{tracker} = [ $t->pid, $t->worker_pids ] if $t && $t->alive;
    my %open;
    for my $who (keys %pids) {
        my %n = (sockets => 0, others => 0);
        for my $fd (map { glob "/proc/$_/fd/*" } @{ $pids{$who} }) {
            my $to = readlink $fd // next;
            $n{ $to =~ /^socket/ ? 'sockets' : 'others' }++;
        }
        $open{$who} = \%n;
    }
    return \%open;
}

# Connections to nodes and others are closed when they are idle for a while;
# what else is open was so before.
sub _descriptors($self) {
    my $was = $self->{open};
    my %more = (sockets => 2, others => 0);
    my $grown = sub {
        my $is = $self->_open;
        return join ', ', map { my $who = $_; map {
            my ($n, $m) = ($is->{$who}{$_}, $was->{$who}{$_});
            $n > $m + $more{$_} ? "$who has $n $_, $m at first" : ();
        } qw(sockets others) } grep { $was->{$_} } sort keys %$is;
    };
    $self->{looked_at}{"processes' descriptors"} += keys %$was;
    return if eval { wait_for { $grown->() eq '' } 20, 'them'; 1 };
    my @list = map { my $p = $_; map { readlink $_ // () }
        glob '/proc/' . $p->pid . '/fd/*' } grep { $_->alive }
        @{ $self->{world}{supers} };
    $self->problem($grown->() . " (@list)");
}

# What scenarios in IPC and mount namespaces of their own see; that of others
# where there are none is left out.
sub _shared_memory() {
    return '' if !$ENV{IN_NAMESPACE};
    return join ' ', sort(glob '/dev/shm/*'),
        map { /^\s*\d+\s+(\d+)/ ? "shm $1" : () } split /\n/,
        slurp('/proc/sysvipc/shm');
}

sub end($self) {
    my @logs;
    for my $n (Shoal::Nginx->all_nginx) {
        $self->problem($_) for $n->faults;
        next if $n->{id} =~ /^(?:node|tls)/;    # they are asked with it
        push @logs, $n->error_log, slurp("$n->{dir}/access.log");
    }
    for my $p (Shoal::Process->all_processes) {
        my $fault = $p->fault;
        my $err = $p->stderr;
        $self->problem($p->name . ": $fault: " . substr $err, -1500) if $fault;
        $self->problem($p->name . ': ' . substr $err, 0, 6000)
            if $err =~ /Sanitizer|runtime error:/;
        push @logs, $err, $p->stdout if $p->name !~ /badnode/;
    }
    push @logs, map { slurp($_) } glob(tmpdir('report') . '/*'),
        glob(tmpdir() . '/{main,peer*}/*.ctl');
    my $all = join '', @logs;
    for my $secret (@{ $self->{world}{secrets} // [] }) {
        $self->problem("a log holds $secret: "
            . substr $all, index($all, $secret) - 200, 300)
            if index($all, $secret) >= 0;
    }
    $self->problem("a log holds a ticket: $&")
        if $all =~ /.{0,100}[?&]t=\d{9,}\.[0-9a-f]{32}.{0,50}/;
}

1;
