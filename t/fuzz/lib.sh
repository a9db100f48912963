#!/bin/bash
# Library, client and super peer under libFuzzer, a target a name (lib/fuzz.c).
# usage: lib.sh run PROGRAM SECONDS [TARGET...] | replay PROGRAM [TARGET...]
#        | merge PROGRAM
#
# run: SECONDS for each target, two at once; what is found is kept beside the
# program, as TARGET-crash-*. replay: the kept inputs once. merge: makes
# lib/corpus/TARGET/ anew, out of it and what run found: the fewest that reach
# the same.
set -eu
here=$(cd "$(dirname "$0")" && pwd)/lib
mode=$1
program=$(realpath -e "$2")
shift 2
dir=$(dirname "$program")/found
seconds=
if [ "$mode" = run ]; then
    seconds=$1
    shift
fi
targets=("$@")
[ $# -gt 0 ] || targets=($(ls "$here/corpus"))

# Names longer than NAME_MAX and the like: most inputs are short.
limits=(-max_len=8192 -timeout=20 -rss_limit_mb=1024)

one() {
    local name=$1 dict=()
    mkdir -p "$dir/$name" "$here/corpus/$name"
    ln -sf "$program" "$dir/../$name"
    [ ! -f "$here/dict/$name" ] || dict=(-dict="$here/dict/$name")
    case $mode in
    run)
        "$dir/../$name" "${limits[@]}" "${dict[@]}" -max_total_time="$seconds" \
            -print_final_stats=1 -artifact_prefix="$dir/../$name-" \
            "$dir/$name" "$here/corpus/$name" >"$dir/$name.log" 2>&1 \
            || { tail -n 60 "$dir/$name.log"; return 1; }
        echo "$name: $(grep -a stat::number_of_executed "$dir/$name.log" \
            | tr -dc 0-9) runs, clean"
        ;;
    replay)
        "$dir/../$name" "${limits[@]}" -runs=0 -artifact_prefix="$dir/../$name-" \
            "$here/corpus/$name" 2>&1
        ;;
    merge)
        rm -rf "$dir/merged"
        mkdir "$dir/merged"
        "$dir/../$name" -max_len=8192 -set_cover_merge=1 \
            -use_counters=0 -use_cmp=0 "$dir/merged" \
            "$here/corpus/$name" "$dir/$name" 2>/dev/null
        find "$here/corpus/$name" -type f -delete
        find "$dir/merged" -type f -exec mv {} "$here/corpus/$name/" \;
        echo "$name: $(ls "$here/corpus/$name" | wc -l) inputs"
        ;;
    *)
        sed -n '3,9s/^# \{0,1\}//p' "$0" >&2
        exit 2
        ;;
    esac
}

export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1
failed=0
for name in "${targets[@]}"; do
    if [ "$mode" = run ]; then
        while [ "$(jobs -rp | wc -l)" -ge 2 ]; do
            wait -n || failed=1
        done
        one "$name" &
    else
        one "$name" || failed=1
    fi
done
while [ -n "$(jobs -p)" ]; do
    wait -n || failed=1
    jobs >/dev/null
done
exit $failed
