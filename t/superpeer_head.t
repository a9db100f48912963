# CDN nodes whose HEAD does not help, and nodes that lie in their ranges.

use v5.36;
use Shoal::Test;
use Shoal::FakeTracker qw(fake_tracker);

my $size = 3_000_000;
my $t = fake_tracker();

# A super peer of its own for each case: no other node's answers help.
sub try_nodes($name, $expect, @nodes) {
    my $cdn = cdn(nodes => \@nodes);
    my $path = $cdn->file('a.bin', $size);
    my $sp = superpeer(trackers => [ $t->conf ], cdn => $cdn);
    $t->clear;
    my $id = $t->prepare($cdn->url('a.bin'), $size);
    my $line = $t->wait_line(qr/^[+?]$id /, 40);
    like($line, $expect, $name) or diag($sp->stderr);
    if ($line =~ /^\+/) {
        ok(http(GET => $sp->base . "/blocks/$id")->{body} eq slurp($path),
           "$name: right bytes");
    }
    $sp->stop;
    $cdn->stop;
}

my $ready = qr/^\+/;
try_nodes('HEAD forbidden', $ready, { bad => { head => 'forbid' } });
try_nodes('HEAD hangs', $ready, { bad => { head => 'hang' } });
try_nodes('HEAD hangs at the first', $ready, { bad => { head => 'hang' } },
    {});
try_nodes('HEAD lies at the first', $ready, { bad => { head => 100 } }, {});
try_nodes('HEAD gives a compressed length', $ready,
    { bad => { head => 'gzip' } });
try_nodes('wrong total in Content-Range', $ready, { bad => { total => 5 } },
    {});
try_nodes('shifted ranges', $ready, { bad => { shift => 1 } }, {});
try_nodes('no ranges at the first', $ready, { bad => { ranges => 0 } }, {});
try_nodes('compressed bodies at the first', $ready,
    { bad => { encoding => 'gzip' } }, {});
try_nodes('truncated bodies at the first', $ready,
    { bad => { truncate => 100_000 } }, {});
try_nodes('private', qr/^\?\S+ private$/,
    { headers => { 'Cache-Control' => 'private' } });
# Whatever HEAD says, and whichever node.
sub private_get($how) {
    return { bad => { each => sub ($q) {
        return $q->{method} eq 'GET' ? (headers => { 'Cache-Control' => $how }) : ();
    } } };
}
try_nodes("$_ in answers to GET", qr/^\?\S+ private$/, private_get($_))
    for 'private', 'no-store', 'max-age=60, Private="Set-Cookie"';
try_nodes('private at one of two nodes', qr/^\?\S+ private$/, private_get('private'), {});
try_nodes('another word', $ready, private_get('no-cache, x-private, public'));
try_nodes('no node gives ranges', qr/^\?\S+ (?:failed|noagree)$/,
    { bad => { ranges => 0 } });

finish();
