# Subrequests, and control calls whose body is not there to be read, because
# another module or an earlier location took it.

use v5.36;
use Shoal::Agent qw(agent);
use Shoal::Test;

my $t = tracker(delay => '10s', workers => 1,
    http => 'client_body_buffer_size 1k;', server => <<'EOC');
    location = /mirrored {
        mirror /call;
        mirror_request_body off;
        proxy_pass http://$server_addr:$server_port/void;
    }
    location = /call {
        rewrite ^ /sub?name=m&session=0123456789abcdef&port=1&seq=1 last;
    }
    location = /sub {
        tracker_control swarm;
        tracker_register on;
    }
    location = /mirrors {
        mirror /void;
        tracker_control swarm;
        tracker_register on;
    }
    location = /named {
        proxy_pass http://$server_addr:$server_port/nowhere;
        proxy_intercept_errors on;
        error_page 404 = @named;
    }
    location @named {
        tracker_control swarm;
        tracker_register on;
    }
    location = /asks {
        auth_request /ask;
        proxy_pass http://$server_addr:$server_port/void;
    }
    location = /ask {
        rewrite ^ /peers?url=http://cdn.example.com/a&size=1&port=4000 last;
    }
    location = /void {
        return 204;
    }
EOC

my $n = 0;
my $line = '~' . 'ab' x 20 . " 1\n";

sub call($path, $lines) {
    my $args = { name => 'x', session => '0123456789abcdef', port => 1,
        seq => ++$n };
    return http(POST => $t->base . $path, args => $args,
        body => $line x $lines);
}

for my $lines (1, 200) {
    is(call('/mirrored', $lines)->{status}, 204, "mirrored, $lines lines");
    is(call($_, $lines)->{status}, 500, "$_, $lines lines")
        for '/mirrors', '/named';
}

is(call('/sub', 200)->{status}, 200, 'the worker is fine');
is(scalar(() = $t->error_log =~ /body of a control call/g), 6, 'logged');

# A subrequest is not parked: its answer is that of the moment.
my $sp = agent($t);
$sp->say;
my $r = http(GET => $t->base . '/asks', from => '127.0.0.9');
is($r->{status}, 204, 'a peer-list request as a subrequest');
cmp_ok($r->{seconds}, '<', 5, 'is answered at once');
my ($p) = $sp->told($sp->poll);
is($p->{url}, 'http://cdn.example.com/a', 'and told');

finish();
