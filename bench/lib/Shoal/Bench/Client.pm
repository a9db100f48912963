package Shoal::Bench::Client;

# A download by the client or by one of those it is compared with: what it
# took from exec to exit, and whether the bytes are right.
#
#   my $file = source_file($root, 'a.bin', 10_000_000);  # { path, size, sha256, name }
#   my $r = fetch([ tool('wget'), $url ], $file);        # { seconds, cpu_s, rss_kib }
#   my $r = fetch([ tool('shoal'), @more, $url ], $file, wrap => [..]);
#   my $r = fetch([ tool('shoal'), $url ], $file, warm => 1);   # see bench/once.c
#
# tool(NAME) is the command up to its URLs; OUT in it is the output file.

use v5.36;
use Exporter qw(import);
use JSON::PP ();
use Shoal::Bench qw(median);
use Shoal::Data qw(make_file);
use Shoal::Env qw(program slurp tmpdir);
use Shoal::Process qw(run_cmd start_cmd);

our @EXPORT_OK = qw(source_file sha256 tool fetch fetch_start fetch_end
    alternate spread);

my $serial = 0;

my %tool = (
    shoal  => sub { (program('shoal'), qw(-q -O OUT)) },
    curl   => sub { qw(curl -sf -o OUT) },
    wget   => sub { qw(wget -q -O OUT) },
    wget2  => sub { qw(wget2 -q -O OUT) },
    aria2c => sub { qw(aria2c -q --allow-overwrite=true -d DIR -o NAME) },
);

sub tool($name) { return $tool{$name}->() }

# Of large files too, in little time.
sub sha256($path) {
    my ($st, $out, $err) = run_cmd({ deadline => 120 },
        qw(openssl dgst -sha256 -r), $path);
    return $st eq '0' ? $out =~ s/ .*//sr : "none: $err";
}

sub source_file($root, $name, $size, $seed = 1) {
    my $path = make_file("$root/$name", $size, $seed);
    return { path => $path, name => $name, size => $size,
             sha256 => sha256($path) };
}

# In a folder of its own.
sub fetch_start($cmd, $file, %o) {
    my $dir = $o{dir} // tmpdir('get/' . ++$serial);
    my %place = (OUT => "$dir/$file->{name}", DIR => $dir,
                 NAME => $file->{name});
    my @cmd = map { $place{$_} // $_ } @$cmd;
    my @how = defined $o{cpu} ? ('--cpu', $o{cpu}) : ();
    push @how, '--warm', $file->{size} >> 19 if $o{warm};
    my $p = start_cmd({ name => $cmd[0] =~ s{.*/}{}r, cwd => $dir,
        env => $o{env} // {} }, @{ $o{wrap} // [] },
        program('bench/once'), @how, @cmd)->any_status;
    return { process => $p, dir => $dir, out => $place{OUT}, file => $file };
}

# The folder is emptied, unless keep => 1.
sub fetch_end($get, %o) {
    my $p = $get->{process};
    my $st = $p->wait($o{deadline} // 300);
    $p->kill9 if !defined $st;
    my $text = $p->stdout;
    my $what = $p->name;
    die "$what: " . (defined $st ? $p->stderr : "took too long\n")
        if $text !~ /^\{/;
    my $r = JSON::PP->new->decode($text);
    die "$what: status $r->{status}: " . $p->stderr . "\n"
        if $r->{status} != 0;
    my $got = sha256($get->{out});
    die "$what: wrong bytes: $got\n" if $got ne $get->{file}{sha256};
    $r->{stderr} = $p->stderr;
    clear($get->{dir}) if !$o{keep};
    return $r;
}

sub fetch($cmd, $file, %o) {
    return fetch_end(fetch_start($cmd, $file, %o), %o);
}

sub clear($dir) {
    system('rm', '-rf', '--', $dir) == 0 or die "rm $dir: status $?\n";
    return;
}

# Each of both in turn, the one that goes first too: list of [ A's, B's ].
sub alternate($rounds, $first, $second) {
    my @pairs;
    for my $round (1 .. $rounds) {
        my @r = $round % 2 ? ($first->(), $second->())
                           : reverse($second->(), $first->());
        push @pairs, \@r;
    }
    return @pairs;
}

# For a note: median (least to most).
sub spread($format, @values) {
    my @sorted = sort { $a <=> $b } @values;
    return sprintf "$format ($format to $format)", median(@values),
        @sorted[0, -1];
}

1;
