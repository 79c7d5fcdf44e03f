#!/usr/bin/env bash
# Greps for includes that point against the arrows: tools -> batch -> engine, and batch -> io.
# engine includes nothing of io or batch; io includes nothing of batch and of engine only the three
# headers of the base library. One folder per foreign library, and no public header shows one.
#
# usage: arrows.sh ROOT            prints every line that is wrong
#        arrows.sh --control ROOT  plants one wrong line of each kind; each must be found
set -euo pipefail
export LC_ALL=C

check() {
    cd "$1"
    local bad=0
    forbid() {  # message, pattern, files...
        local message=$1 pattern=$2
        shift 2
        local lines
        lines=$(grep -nE "$pattern" "$@" /dev/null || true)
        [ -z "$lines" ] && return 0
        echo "$message:"
        echo "$lines"
        bad=1
    }
    forbid "engine includes only engine" '#include "(io|batch|tools|bench|tests)/' engine/*.[ch]
    forbid "io includes only io and the base headers" '#include "(batch|tools|bench|tests)/' io/*.[ch]
    local lines
    lines=$(grep -nE '#include "engine/' io/*.[ch] | grep -vE '"engine/(status|bytes|clock)\.h"' || true)
    if [ -n "$lines" ]; then
        echo "io may include engine/status.h, engine/bytes.h and engine/clock.h alone:"
        echo "$lines"
        bad=1
    fi
    forbid "batch includes nothing of tools" '#include "(tools|bench|tests)/' batch/*.[ch]
    forbid "product code includes no test code" '#include "(bench|tests)/' tools/*.[ch]
    forbid "lmdb.h belongs to io/store" '#include <lmdb\.h>' \
        $(ls engine/*.[ch] batch/*.[ch] tools/*.[ch] io/*.[ch] | grep -vE '^io/store[a-z_]*\.[ch]$')
    forbid "liburing.h belongs to io/ring" '#include <liburing\.h>' \
        $(ls engine/*.[ch] batch/*.[ch] tools/*.[ch] io/*.[ch] | grep -vE '^io/ring[a-z_]*\.[ch]$')
    forbid "xxhash.h belongs to io/digest.c" '#include <xxhash\.h>' \
        $(ls engine/*.[ch] batch/*.[ch] tools/*.[ch] io/*.[ch] | grep -v '^io/digest\.c$')
    forbid "OpenSSL belongs to engine/*.c and the private engine/ossl.h" '#include <openssl/' \
        $(ls engine/*.h | grep -v '^engine/ossl\.h$') io/*.[ch] batch/*.[ch] tools/*.[ch]
    return $bad
}

control() {
    copy=$(mktemp -d)
    trap 'rm -rf "$copy"' EXIT
    plant() {
        rm -rf "$copy/t"
        mkdir "$copy/t"
        cp -r "$1/engine" "$1/io" "$1/batch" "$1/tools" "$copy/t"
        echo "$3" >>"$copy/t/$2"
        if (check "$copy/t") >/dev/null; then
            echo "not found: $3 in $2" >&2
            exit 1
        fi
    }
    plant "$1" engine/der.c '#include "io/store.h"'
    plant "$1" io/store.h '#include "engine/der.h"'
    plant "$1" io/ring.c '#include "batch/run.h"'
    plant "$1" batch/run.c '#include "tools/opts.h"'
    plant "$1" batch/run.c '#include <lmdb.h>'
    plant "$1" io/outbox.c '#include <liburing.h>'
    plant "$1" io/store.c '#include <xxhash.h>'
    plant "$1" engine/key.h '#include <openssl/evp.h>'
    echo "every planted include was found"
}

case ${1:-} in
--control) control "$(cd "$2" && pwd)" ;;
*) check "$1" && echo "all includes follow the arrows" ;;
esac
