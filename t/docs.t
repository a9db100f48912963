# What the documentation names is there: tests and other files, links between
# pages and to their sections, directives, options, settings, make's targets.

use v5.36;
use Shoal::Test;

my $top = top();
my %text = map { s{^\Q$top\E/}{}r => slurp($_) } glob("$top/*.md"),
    glob("$top/docs/*.md");
delete $text{'CHANGELOG.md'};    # tells of what was there once
cmp_ok(scalar(keys %text), '>=', 10, 'pages');

# Words in `code`, and lines of blocks of it.
sub code($page) {
    my $text = $text{$page};
    my @code = $text =~ /^```[^\n]*\n(.*?)^```/msg;
    $text =~ s/^```.*?^```//msg;
    return (@code, $text =~ /`([^`]+)`/g);
}

sub there($name) {
    return scalar grep { -e "$top/$_" } glob $name;
}

# A heading as an anchor, as GitHub makes it.
sub anchor($heading) {
    return lc($heading) =~ s/[^\w -]//gr =~ tr/ /-/r;
}
my %anchor = map {
    my $page = $_;
    $page => { map { anchor(s/`//gr) => 1 } $text{$page} =~ /^#+ (.*)$/mg };
} keys %text;

my (@links, %files, %make, %directives, %options);
for my $page (sort keys %text) {
    push @links, map { [ $page, $_ ] } $text{$page} =~ /\]\(([^)\s]+)\)/g;
    for my $code (code($page)) {
        $files{$_} = $page for $code =~ m~(?<![\w/.:\~<*-])((?:t|lib|client|superpeer|docs
            |bench|demo|examples|conf-examples|ngx_tracker_module)/[\w./*-]*\w)(?![\w/*<{])~xg;
        $make{$_} = $page for map { grep { !/=/ } split ' ' }
            $code =~ /(?:^|\n|&& )make((?: [\w=-]+)+)/g;
        $directives{$_} = $page for $code =~ m{(?<![\w/\$<])(tracker_[a-z_]+)\b(?!\.t|[("])}g;
        $options{$_} = $page for $code =~ /(?:^|\n)shoal [^\n]*?(?<=\s)--([a-z0-9-]*[a-z0-9])\b/g,
            $code =~ /^--([a-z0-9-]*[a-z0-9])\b/g;
    }
}

for my $link (@links) {
    my ($page, $to) = @$link;
    next if $to =~ /^\w+:/;
    my ($path, $section) = $to =~ /^([^#]*)(?:#(.*))?$/;
    my $dir = $page =~ m{^(.*/)} ? $1 : '';
    my $file = $path eq '' ? $page : "$dir$path";
    1 while $file =~ s{[^/]+/\.\./}{};
    ok(-e "$top/$file", "$page: link to $to") or next;
    ok($anchor{$file}{$section}, "$page: section $to")
        if defined $section && $file =~ /\.md$/;
}
ok(there($_), "$files{$_}: $_") for sort keys %files;
cmp_ok(scalar(grep { m{^t/.*\.t$} } keys %files), '>=', 50, 'tests are named');

my $make = slurp("$top/Makefile");
my %target = map { $_ => 1 } map { split } $make =~ /^([\w -]+):(?!=)/mg;
ok($target{$_}, "$make{$_}: make $_") for sort keys %make;

# Some are metrics.
my $code = join '', map { slurp($_) } glob "$top/{ngx_tracker_module,superpeer}/*.c";
ok($code =~ /"$_\b/, "$directives{$_}: $_") for sort keys %directives;

my (undef, $help) = run_cmd(program('shoal'), '--help');
my %option = map { $_ => 1 } $help =~ /--([a-z0-9-]+)/g;
my $bench = join '', map { slurp($_) } glob "$top/bench/{*,sim/*}.c";
delete @options{qw(add-module add-dynamic-module)}; # nginx's
for my $name (sort keys %options) {
    my $bare = $name =~ s/^no-//r;
    ok($option{$name} || $option{$bare} || $option{"no-$name"}
            || $bench =~ /"(?:--)?$name"/,
        "$options{$name}: --$name");
}
cmp_ok(scalar(keys %options), '>=', 15, 'options are named');

finish();
