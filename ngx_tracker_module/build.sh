#!/bin/bash
# Builds the module out of tree against the distribution's nginx headers
# (package nginx-dev); called by make. BUILDDIR is absolute. NGX_CC: another
# compiler; ADDON: another folder with a "config".
set -eu
# CFLAGS= on our make's command line must not replace nginx's.
unset MAKEFLAGS MFLAGS MAKEOVERRIDES CFLAGS
top=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$BUILDDIR"
log=$BUILDDIR/build.log
[ "${V:-}" = 1 ] && log=/dev/stdout

if [ ! -x "$NGINX_SRC/configure" ]; then
    echo "no nginx headers at $NGINX_SRC: install nginx-dev" >&2
    exit 1
fi

build() {
    cd "$NGINX_SRC" && . ./conf_flags &&
        ./configure "${NGX_CONF_FLAGS[@]}" --with-cc-opt="$CC_OPT" \
            --with-ld-opt="$LD_OPT" --add-dynamic-module="${ADDON:-$top}" \
            --with-cc="${NGX_CC:-cc}" --builddir="$BUILDDIR" &&
        make -j"$(nproc)" -f "$BUILDDIR/Makefile" -C "$NGINX_SRC" modules
}

if ! build >"$log" 2>&1; then
    [ "$log" = /dev/stdout ] || tail -n 40 "$log" >&2
    exit 1
fi
