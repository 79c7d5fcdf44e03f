# Shared by the tests of the whole program: a directory of one's own that goes away at the end, and
# checks that say what failed. $CERTMILL is the program, $CERTMILL_TESTING the one with test hooks.
#
# shellcheck shell=sh

tests=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP
cd "$work"
umask 077
unset CERTMILL_STORE CREDENTIALS_DIRECTORY POSIXLY_CORRECT || true

certmill() { "$CERTMILL" "$@"; }

fail() {
    printf 'FAILED: %s\n' "$*" >&2
    for stream in out err; do
        [ ! -s "$work/$stream" ] || sed "s/^/  $stream: /" "$work/$stream" >&2
    done
    exit 1
}

need() {
    for tool in "$@"; do
        command -v "$tool" >/dev/null || { echo "SKIPPED: no $tool here"; exit 77; }
    done
}

# expect CODE COMMAND...: the exit code; stdout and stderr are kept in out and err.
expect() {
    wanted=$1
    shift
    code=0
    "$@" >"$work/out" 2>"$work/err" || code=$?
    [ "$code" -eq "$wanted" ] || fail "exit $code instead of $wanted: $*"
}

# Text that the last expect must have left.
says() { grep -qF -e "$2" "$work/$1" || fail "$1 does not say: $2"; }
silent() { [ ! -s "$work/$1" ] || fail "$1 is not empty"; }
# json FILTER VALUE: what jq reads on the last stdout, which must be one document.
json() {
    got=$(jq -e -s -r "if length == 1 then .[0] else error(\"not one document\") end | $1" \
        "$work/out") || [ "$2" = null ] || [ "$2" = false ] || fail "jq: $1"
    [ "$got" = "$2" ] || fail "$1 is \"$got\", not \"$2\""
}
same() { [ "$1" = "$2" ] || fail "\"$1\" is not \"$2\""; }
