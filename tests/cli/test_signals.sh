#!/usr/bin/env bash
# Runs that are told to stop, and runs whose reader goes away: they leave soon, say how to go on,
# lose nothing, and the job ends as if nothing had happened.
set -euo pipefail
# shellcheck source=tests/cli/expect.sh
. "$(dirname "$0")/expect.sh"
# shellcheck source=tests/cli/job.sh
. "$tests/job.sh"

requests=2000
leave_s=2
# The fourth chunk and every later one take a while: a run of 2000 requests cannot be over too soon.
slow_workers="worker:4+=sleep250"

# A process that hangs must not hang the test: everything started here ends with it.
helpers=()
end_helpers() {
    local pid
    for pid in ${helpers[@]+"${helpers[@]}"}; do
        { kill -KILL "$pid" && wait "$pid"; } 2>/dev/null || true
    done
}
trap 'end_helpers; rm -rf "$work"' EXIT

state_of() {
    certmill batch list --json >listed
    jq -r --arg job "$1" '.jobs[] | select(.name == $job) | .state' listed
}

issued_of() {
    certmill batch list --json >listed
    jq -r --arg job "$1" '[.jobs[] | select(.name == $job) | .issued] | add // 0' listed
}

serials_of() {
    certmill cert list --ca "$1" --job "$2" --json | jq -r '.certificates[].serial' | sort
}

# wait_for COMMAND...: until it is true, ten seconds at most.
wait_for() {
    for _ in $(seq 200); do
        if "$@"; then return 0; fi
        sleep 0.05
    done
    fail "in vain waited for: $*"
}

has_issued() { [ "$(issued_of "$1")" -gt 0 ]; }
is_listed() { [ -n "$(state_of "$1")" ]; }

# start PROGRAM ARGUMENT...: in the background; its pid in $run, its output in out and err.
start() {
    : >out
    : >err
    "$@" <&0 >out 2>err &        # without the <&0 the shell gives it /dev/null
    run=$!
    helpers+=("$run")
}

# tell SIGNAL: to the process that was started, which must be running still.
tell() { kill -s "$1" "$run" 2>/dev/null || fail "it ended before SIG$1"; }

# ends CODE: the process that was started ends so, soon after now.
ends() {
    local begun code=0
    begun=$(date +%s%N)
    while kill -0 "$run" 2>/dev/null; do
        [ $(($(date +%s%N) - begun)) -le $((leave_s * 1000000000)) ] ||
            fail "it did not end within $leave_s s"
        sleep 0.02
    done
    wait "$run" || code=$?
    [ "$code" -eq "$1" ] || fail "exit $code instead of $1"
}

# stopped JOB: what a stopped run must have said, on JSON's stdout and on stderr.
stopped() {
    json .error.code interrupted
    json .error.resumable true
    json ".error.hint | contains(\"certmill batch resume $1\")" true
    json .state interrupted
    says err stopping
    same "$(state_of "$1")" interrupted
    # Nothing has its final name before the job is over.
    same "$(find "$1" -name certs.pem -o -name summary.json)" ""
}

# resumed JOB INPUT: goes on and ends as an unbroken run does; what was issued before is kept.
resumed() {
    serials_of "$ca" "$1" >before
    if [ "$2" = - ]; then
        expect 0 certmill batch resume "$1" --json <bundle.pem
    else
        expect 0 certmill batch resume "$1" --json
    fi
    json .state completed
    json .issued "$requests"
    whole "$1"
    # shellcheck disable=SC2046
    certs "$1" $(seq "$requests")
    serials_of "$ca" "$1" | comm -23 before - | cmp -s - /dev/null ||
        fail "a certificate of the first run is gone"
    expect 1 certmill batch resume "$1" --json
}

in_the_middle() {
    local signal job
    for signal in INT TERM; do
        job=middle-$signal
        CERTMILL_TEST_FAULT=$slow_workers start "$CERTMILL_TESTING" batch run --json --ca root \
            --job "$job" --out "$job" bundle.pem
        wait_for has_issued "$job"
        tell "$signal"
        ends 4
        stopped "$job"
        # In the middle it was: something is durable, and not all.
        json ".issued > 0 and .issued < $requests" true
        same "$(serials_of root "$job" | wc -l)" "$(jq .issued "$work/out")"
        resumed "$job" bundle.pem
    done
    # For people: stderr says what is durable and how to go on.
    CERTMILL_TEST_FAULT=$slow_workers start "$CERTMILL_TESTING" batch run --ca root \
        --job spoken --out spoken bundle.pem
    wait_for has_issued spoken
    tell INT
    ends 4
    says err "are durable in the store"
    says err "certmill batch resume spoken"
    says out "not finished"
    resumed spoken bundle.pem
}

# Impatience changes nothing: more signals, of both kinds.
again_and_again() {
    CERTMILL_TEST_FAULT=$slow_workers start "$CERTMILL_TESTING" batch run --json --ca root \
        --job often --out often bundle.pem
    wait_for has_issued often
    for signal in INT INT TERM INT TERM; do kill -s "$signal" "$run" 2>/dev/null || true; done
    ends 4
    stopped often
    # And a resumed run can be stopped like the first.
    CERTMILL_TEST_FAULT=$slow_workers start "$CERTMILL_TESTING" batch resume --json often
    wait_for is_running often
    sleep 0.3
    tell TERM
    ends 4
    stopped often
    resumed often bundle.pem
}

is_running() { [ "$(state_of "$1")" = running ]; }

# With a key that takes milliseconds for each signature.
dear_signatures() {
    ca=rsa
    make_ca rsa RSA_4096 SHA256WITHRSA
    start "$CERTMILL" batch run --json --ca rsa --job rsa --out rsa bundle.pem
    wait_for has_issued rsa
    tell INT
    ends 4
    stopped rsa
    json ".issued > 0 and .issued < $requests" true
    resumed rsa bundle.pem
    ca=root
}

# open_input [FILE]: standard input for the next start: a pipe that stays open behind FILE.
open_input() {
    rm -f pipe
    mkfifo pipe
    { [ $# -eq 0 ] || cat "$1"; exec sleep 60; } >pipe &
    helpers+=($!)
}

waiting_for_input() {
    # Nothing came yet.
    open_input
    start "$CERTMILL" batch run --json --ca root --job silence --out silence - <pipe
    wait_for is_listed silence
    tell TERM
    ends 4
    stopped silence
    json .issued 0
    resumed silence -
    # Some came; none of it may be lost and none come twice.
    open_input bundle.pem
    start "$CERTMILL" batch run --json --ca root --job stream --out stream - <pipe
    wait_for has_issued stream
    tell INT
    ends 4
    stopped stream
    # While resume waits for what it must read over again.
    open_input
    start "$CERTMILL" batch resume --json stream <pipe
    sleep 0.5
    tell INT
    ends 4
    json .error.code interrupted
    same "$(state_of stream)" interrupted
    # Another input is no continuation; the job stays what it was.
    tac bundle.pem >other.pem
    expect 1 certmill batch resume stream --json <other.pem
    json .error.code input-changed
    expect 1 certmill batch resume stream --json <one.pem
    json .error.code input-changed
    same "$(serials_of root stream | wc -l)" "$(issued_of stream)"
    resumed stream -
}

# Killed outright it is found interrupted, too.
killed() {
    CERTMILL_TEST_FAULT=$slow_workers start "$CERTMILL_TESTING" batch run --json --ca root \
        --job killed --out killed bundle.pem
    wait_for has_issued killed
    tell KILL
    ends 137
    same "$(state_of killed)" interrupted
    resumed killed bundle.pem
}

# Who asked for the result did not get it: not a success, but nothing that was issued is lost.
lost_reader() {
    local code=0
    expect 1 sh -c 'exec "$@" >/dev/full' sh "$CERTMILL" batch run --ca root --job full \
        --out full one.pem
    says err "cannot write to standard output"
    whole full
    expect 1 sh -c 'exec "$@" >/dev/full' sh "$CERTMILL" batch run --json --ca root --job fulljson \
        --out fulljson one.pem
    whole fulljson
    expect 1 sh -c 'exec "$@" >/dev/full' sh "$CERTMILL" batch list
    expect 1 sh -c 'exec "$@" >/dev/full' sh "$CERTMILL" ca cert root
    # Its descriptor is free, and must not become that of an output or of the store.
    expect 1 sh -c 'exec "$@" >&-' sh "$CERTMILL" batch run --ca root --job closed \
        --out closed one.pem
    whole closed
    expect 1 sh -c 'exec "$@" <&- >&- 2>&-' sh "$CERTMILL" batch run --ca root --job allclosed \
        --out allclosed one.pem
    whole allclosed
    expect 1 sh -c 'exec "$@" <&-' sh "$CERTMILL" batch run --json --ca root --job noinput \
        --out noinput -
    # A reader that goes away while the run goes on: the run ends its work all the same.
    mkfifo reader
    CERTMILL_TEST_FAULT=$slow_workers "$CERTMILL_TESTING" batch run --json --ca root --job gone \
        --out gone bundle.pem >reader 2>err &
    run=$!
    helpers+=("$run")
    exec 3<reader
    wait_for has_issued gone
    exec 3<&-
    wait "$run" || code=$?
    same "$code" 1
    says err "cannot write to standard output"
    whole gone
    # shellcheck disable=SC2046
    certs gone $(seq "$requests")
}

ca=root
make_store
expect 0 "$GEN_REQUESTS" -n "$requests" -o bundle.pem
expect 0 "$GEN_REQUESTS" -n 1 -o one.pem
in_the_middle
again_and_again
dear_signatures
waiting_for_input
killed
lost_reader
expect 0 certmill verify --deep
