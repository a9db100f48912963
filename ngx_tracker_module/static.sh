#!/bin/bash
# Builds a small nginx with the module compiled in (--add-module), from the
# source package of the distribution's nginx; called by make static. BUILDDIR
# is absolute. Ends with 77 and a line in $BUILDDIR/skipped where that package
# cannot be had. The system's package lists are not touched.
set -eu
unset MAKEFLAGS MFLAGS MAKEOVERRIDES CFLAGS
top=$(cd "$(dirname "$0")/.." && pwd)
apt=$BUILDDIR/apt
log=$BUILDDIR/build.log
mkdir -p "$BUILDDIR"
rm -f "$BUILDDIR/skipped"

skip() {
    echo "$1" >"$BUILDDIR/skipped"
    exit 77
}

# deb-src entries made of the system's deb entries
sources() {
    local f
    for f in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [ -f "$f" ] && sed -n 's/^deb /deb-src /p' "$f"
    done >"$apt/parts/deb.list"
    for f in /etc/apt/sources.list.d/*.sources; do
        [ -f "$f" ] && sed 's/^Types:.*/Types: deb-src/' "$f" \
            >"$apt/parts/${f##*/}"
    done
    return 0
}

apt_get() {
    timeout 120 apt-get -q -o Dir::Etc::sourcelist=/dev/null \
        -o Dir::Etc::sourceparts="$apt/parts" \
        -o Dir::State::lists="$apt/lists" -o Dir::Cache="$apt/cache" \
        -o Debug::NoLocking=1 -o APT::Sandbox::User= \
        -o Acquire::Retries=1 -o Acquire::http::Timeout=20 "$@"
}

# The one that is installed; the newest where that is not to be had any more.
get_source() {
    local version
    command -v apt-get >/dev/null || skip "no apt-get on this system"
    command -v dpkg-source >/dev/null || skip "no dpkg-source (dpkg-dev)"
    rm -rf "$apt" "$BUILDDIR/src"
    mkdir -p "$apt/parts" "$apt/lists/partial" "$apt/cache/archives/partial" \
        "$apt/get"
    sources
    version=$(dpkg-query -W -f '=${source:Version}' nginx-dev 2>/dev/null) ||
        version=
    apt_get update || true
    (cd "$apt/get" &&
        { apt_get source "nginx$version" || apt_get source nginx; }) ||
        skip "the source package of nginx cannot be had here"
    mv "$apt"/get/nginx-*/ "$BUILDDIR/src"
    rm -rf "$apt"
}

# What the tests need, and little else: it is to be quick.
configure() {
    local without module
    without=(--without-pcre)
    for module in charset gzip ssi userid access auth_basic mirror autoindex \
        geo map split_clients referer rewrite proxy fastcgi uwsgi scgi grpc \
        memcached limit_conn limit_req empty_gif browser upstream_hash \
        upstream_ip_hash upstream_least_conn upstream_random \
        upstream_keepalive upstream_zone
    do
        without+=("--without-http_${module}_module")
    done
    cd "$BUILDDIR/src"
    ./configure "${without[@]}" --with-http_v2_module \
        --builddir="$BUILDDIR/objs" --with-cc-opt="$CC_OPT -Werror" \
        --with-ld-opt="$LD_OPT" --add-module="$top"
}

# Configured again only when there is reason to: it has all compiled anew.
made_of() {
    echo "$CC_OPT" "$LD_OPT" "$top"
    ls "$top"/ngx_tracker_module/
    cat "$top/config" "$0"
}

finish() {
    case $? in
    0) ;;
    77) cat "$BUILDDIR/skipped" >&3 ;;
    *) tail -n 40 "$log" >&3 ;;
    esac
}

exec 3>&2 >"$log" 2>&1
trap finish EXIT

[ -x "$BUILDDIR/src/configure" ] || get_source

if [ "$(made_of | cksum)" != "$(cat "$BUILDDIR/made_of" || true)" ]; then
    rm -rf "$BUILDDIR/objs" "$BUILDDIR/made_of"
    (configure)
    made_of | cksum >"$BUILDDIR/made_of"
fi

make -j"$(nproc)" -f "$BUILDDIR/objs/Makefile" -C "$BUILDDIR/src"
cp "$BUILDDIR/objs/nginx" "$BUILDDIR/nginx.tmp"
mv "$BUILDDIR/nginx.tmp" "$BUILDDIR/nginx"
