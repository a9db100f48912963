#!/bin/bash
# The tracker's parsers under libFuzzer, inside of nginx without a network.
# usage: fuzz.sh run DIR SECONDS | replay DIR [INPUT...] | merge DIR
#
# DIR holds the library that make built, and gets what is found: DIR/corpus,
# DIR/crash-*. replay runs the kept inputs (or those named) once; merge makes
# corpus/ anew, out of it and DIR/corpus: the fewest that reach the same. What
# failed once is in found/, put there by hand.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mode=$1
dir=$(cd "$2" && pwd)
shift 2

# Long inputs are for the limits; most are short.
limits=(-max_len=16384 -timeout=25 -rss_limit_mb=2048)
case $mode in
run)
    mkdir -p "$dir/corpus"
    args=("${limits[@]}" -max_total_time="$1" -dict="$here/dict"
        -print_final_stats=1 -artifact_prefix="$dir/"
        "$dir/corpus" "$here/corpus")
    ;;
replay)
    [ $# -gt 0 ] || set -- "$here/corpus" "$here/found"
    args=("${limits[@]}" -runs=0 -artifact_prefix="$dir/")
    for input; do
        args+=("$(realpath -e "$input")")
    done
    ;;
merge)
    rm -rf "$dir/merged"
    mkdir -p "$dir/merged" "$dir/corpus"
    args=(-max_len=16384 -set_cover_merge=1 -use_counters=0 -use_cmp=0 "$dir/merged" "$here/corpus"
        "$dir/corpus")
    ;;
again)    # libFuzzer, when it merges
    args=("$@")
    ;;
*)
    sed -n '3,8s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac

cat >"$dir/again" <<EOC
#!/bin/bash
exec bash "$here/fuzz.sh" again "$dir" "\$@"
EOC
chmod +x "$dir/again"

quoted=
for arg in "${args[@]}"; do
    quoted+=" \"$arg\""
done

conf=nginx-$$.conf
sock=nginx-$$.sock
cd "$dir"
mkdir -p tmp
printf '%064d\n' 0 >tmp/tickets.key
trap 'rm -f "$conf" "$sock"' EXIT
cat >"$conf" <<EOC
load_module $dir/ngx_http_tracker_module.so;
daemon off;
master_process off;
pid $dir/tmp/$$.pid;
error_log stderr warn;
events {
    worker_connections 64;
}
http {
    client_body_temp_path tmp/body;
    proxy_temp_path tmp/proxy;
    fastcgi_temp_path tmp/fastcgi;
    uwsgi_temp_path tmp/uwsgi;
    scgi_temp_path tmp/scgi;

    tracker_zone swarm:1m;
    tracker_origin swarm cdn.example.com *.dl.example.com [2001:db8::1];
    tracker_origin swarm s.example.com:8443 signed;
    tracker_ticket_key swarm $dir/tmp/tickets.key time=10m;
    tracker_superpeer swarm sp1 locality=cn/telecom/shanghai;
    tracker_superpeer swarm sp2 url=https://sp2.example.com:9090;
    tracker_fuzz "$dir/again" $quoted;

    server {
        listen unix:$sock;
        tracker_delay 0;
        tracker_locality \$arg_loc;
        location = /p { tracker_peers swarm; tracker_fuzz_as p; }
        location = /a { tracker_announce swarm; tracker_fuzz_as a; }
        location = /b { tracker_announce swarm; tracker_passkey \$arg_key;
                        tracker_info_hashes $here/hashes; tracker_fuzz_as b; }
        location = /s { tracker_scrape swarm; tracker_fuzz_as s; }
        location = /m { tracker_metrics swarm; tracker_fuzz_as m; }
        location = /t { tracker_status swarm; tracker_fuzz_as t; }
        location = /z { tracker_scrape swarm; tracker_fuzz_as z;
                        tracker_info_hashes $here/hashes; }
    }
}
EOC

# nginx is not built with clang's ASan: it has to be there before.
asan=$(clang -print-file-name="libclang_rt.asan-$(uname -m).so")
PATH=$PATH:/usr/sbin:/sbin
LD_PRELOAD=$asan ASAN_OPTIONS=detect_leaks=0 \
    UBSAN_OPTIONS=print_stacktrace=1 nginx -p "$dir/" -e stderr -c "$dir/$conf"

if [ "$mode" = merge ] && ls merged/* >/dev/null; then
    rm -f "$here"/corpus/*
    cp merged/* "$here/corpus/"
    ls "$here/corpus" | wc -l
fi
