# Who asks for an https URL hears of nothing that came to super peers by http,
# neither of them nor of their roots; who asks by http, of all.

use v5.36;
use Shoal::Agent qw(agent);
use Shoal::Test;

my $t = tracker(delay => '0', peers => 'tracker_superpeers_per_file 4;');
my %file = (size => 1000, version => 'etag:"1"');
my ($good, $bad) = map { $_ x 32 } 'a1', 'b2';

# What is listed, and whose root, for one who wrote this scheme.
sub listed($scheme, $name, %more) {
    my $a = $t->ask(%file, %more, url => "$scheme://cdn.example.com/$name")->json;
    my $root = $a->{digest}{root} // 'none';
    return join ' ', $root eq $good ? 'good' : $root eq $bad ? 'bad' : $root,
        $a->{digest}{votes} // 0, sort map { $_->{url} =~ /\.(\d+):/ } @{ $a->{super} };
}

my %sp = map { $_ => agent($t, name => "sp$_", from => "127.0.0.$_") } 31 .. 34;
$_->say for values %sp;
sub id($name) {
    return $t->ask(%file, url => "http://cdn.example.com/$name", event => 'stopped')->json->{id};
}

my $id = id('a');
is($t->ask(%file, url => 'https://cdn.example.com/a', event => 'stopped')->json->{id}, $id,
    'the scheme is no part of the id');
$sp{31}->say("+$id $bad cdn http");
is(listed(http => 'a'), 'bad 1 31', 'http: who fetched by http');
is(listed(https => 'a'), 'none 0', 'https: nobody');
$sp{32}->say("~$id 3 http");
$sp{33}->say("~$id 3");
is(listed(http => 'a'), 'bad 1 31 32 33', 'http: those that fill, too');
is(listed(https => 'a'), 'none 0 33', 'https: the one by https');
$sp{33}->say("+$id $good cdn");
is(listed(https => 'a'), 'good 1 33', 'its root is told');
is(listed(http => 'a'), 'none 0 32', 'http: two that disagree, and none is listed');
$sp{32}->say("+$id $bad copy http");
$sp{34}->say("+$id $bad cdn http");
is(listed(http => 'a'), 'bad 2 31 32 34', 'http: two against one');
is(listed(https => 'a'), 'good 1 33', 'https: they have no vote');

# Others are told to prepare it, and copy from nobody by http.
$id = id('b');
$sp{31}->say("+$id $bad cdn http");
$sp{32}->told($sp{32}->poll(wait_ms => 1));     # what it was told before
my $poll = $sp{32}->poll;
listed(https => 'b');
my ($p) = $sp{32}->told($poll);
is("$p->{url} @{[ scalar @{ $p->{super} // [] } ]} @{[ $p->{digest}{root} // 'none' ]}",
    'https://cdn.example.com/b 0 none', 'told of the https URL, and of no copy');

for my $bad ("~$id http", "~$id 3 https", "~$id 3  http", "+$id $good http", "+$id $good cdn http ",
    "+$id $good cdn HTTP", "+$id - http", "-$id http", "?$id failed http")
{
    is($sp{34}->call("$bad\n")->{status}, 400, "refused: " . $bad =~ s/\w{40,}/../gr);
}

finish();
