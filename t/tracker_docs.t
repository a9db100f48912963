# docs/directives.md and the module have the same directives, with the same
# contexts and defaults.

use v5.36;
use Shoal::Test;

my $code = slurp(top() . '/ngx_tracker_module/ngx_http_tracker_module.c');
my $docs = slurp(top() . '/docs/directives.md');

my @code = sort $code =~ /\{ ngx_string\("(tracker_\w+)"\),/g;
my @docs = sort $docs =~ /^## (\w+)$/mg;
is_deeply(\@docs, \@code, 'each has its section');
is_deeply([ sort $docs =~ /^\| \[(\w+)\]/mg ], \@code, 'and its line in the table');

# In the code's words: where a directive may stand, and what it is without.
my %place = (MAIN => 'http', SRV => 'server', LOC => 'location');
my %flags = $code =~ /ngx_string\("(tracker_\w+)"\),\s+([A-Z0-9_|]+),/g;
my %field = $code =~ /ngx_string\("(tracker_\w+)"\),[^}]*?offsetof\(\w+, (\w+)\)/g;
my %merged = $code =~ /merge_\w+\(conf->(\w+),\s+prev->\w+,\s+(\w+)\)/g;
$field{tracker_info_hashes} = 'hashes';

# A value of the documentation as the code has it.
sub value($name, $text, $merged) {
    return $merged if $merged =~ /^NGX_HTTP_TRACKER_[A-Z]+_\U$text\E$/;
    return { on => 1, off => $name eq 'tracker_info_hashes' ? 'NULL' : 0 }->{$text}
        // ($text =~ /^(\d+)(?:ms|s)?$/ ? $1 : $text);
}

my $list = spew(tmpdir('lists') . '/torrents.list', "# none\n");
my $key = spew(tmpdir('lists') . '/tickets.key', 'a5' x 32);

for my $name (@code) {
    my ($section) = $docs =~ /^## $name\n(.*?)(?=^## |\z)/ms;
    like($section, qr/^\| Syntax \| `$name /m, "$name: syntax");
    like($section, qr/^\| Default \| (?:none|`$name .*;`) \|$/m, 'default');
    like($section, qr/^\| Context \| `/m, 'context');
    my ($contexts) = $section =~ /^\| Context \| (.*) \|$/m;
    is_deeply([ $contexts =~ /`(\w+)`/g ],
        [ map { $place{$_} // () } $flags{$name} =~ /NGX_HTTP_(\w+?)_CONF/g ],
        'the contexts of the code');
    my ($default) = $section =~ /^\| Default \| `$name (.*);` \|$/m;
    my $merged = $merged{ $field{$name} // '' } // 'NGX_CONF_UNSET_UINT';
    is(defined $default ? value($name, $default, $merged) : 'NGX_CONF_UNSET_UINT', $merged,
        'the default of the code');
    my ($example) = $section =~ /^```nginx\n(.*?)^```$/ms;
    like($example, qr/^\s*$name\s.*;$/m, 'example');

    my $conf = $section =~ /Context \| `http`/
        ? ($name =~ /zone|origin|superpeer$|ticket_key/ ? $example
            : "server { listen 127.0.0.1:" . free_port() . "; location / {"
                . " tracker_peers swarm; } $example }")
        : "server { listen 127.0.0.1:" . free_port() . "; $example }";
    $conf = "limit_req_zone \$binary_remote_addr zone=askers:1m rate=10r/s;\n$conf";
    $conf = "map \$remote_addr $_ { default x; }\n$conf"
        for '$isp', '$ssl_client_s_dn_cn';
    $conf = "map \$arg_passkey \$member { default 0; }\n$conf";
    $conf =~ s/torrents\.list/$list/;
    $conf =~ s{\S*tickets\.key}{$key};
    $conf = "tracker_zone swarm:1m;\n$conf" if $name ne 'tracker_zone';
    $conf = "tracker_origin swarm a.example.com;\n$conf";
    my $t = nginx_conf_test(module => 1, http => $conf);
    ok($t->{ok}, 'the example loads') or diag($t->{out}, $conf);

    # without the context that it is for
    my $bad = nginx_conf_test(module => 1, main => $example =~ s/^location.*//sr);
    ok(!$bad->{ok}, 'not outside of http') if $example !~ /^location/;
}

finish();
