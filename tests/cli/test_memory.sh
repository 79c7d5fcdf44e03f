#!/usr/bin/env bash
# Memory does not grow with the job: very many requests need no more than a tenth above what few
# need, streamed or from a file; nor when half of them are refused.
#
# environment: LONG=1 a million requests instead of a hundred thousand
set -euo pipefail
# shellcheck source=tests/cli/expect.sh
. "$(dirname "$0")/expect.sh"
# shellcheck source=tests/cli/job.sh
. "$tests/job.sh"

few=10000
many=$([ "${LONG:-}" = 1 ] && echo 1000000 || echo 100000)

# stream COUNT [BAD]: the same request over and over as NDJSON, every BADth line torn.
stream() {
    base64=$base64 awk -v n="$1" -v bad="${2:-0}" 'BEGIN {
        for (i = 0; i < n; i++) {
            torn = bad > 0 && i % bad == 0
            printf "{\"id\":\"n%d\",\"csr\":\"%s%s\n", i, ENVIRON["base64"], torn ? "" : "\"}"
        }
    }'
}

# measure CODE JOB COUNT INPUT: a run; its peak in KiB goes to $peak. The kernel's own word for the
# process, where time(1) is there, must not be far from what the summary says.
measure() {
    local code=$1 job=$2 count=$3 timed=
    local command=("$CERTMILL" batch run --json --ca root --job "$job" --out "$job" "$4")
    if [ -x /usr/bin/time ]; then
        expect "$code" /usr/bin/time -q -f %M -o timed "${command[@]}"
        timed=$(cat timed)
    else
        expect "$code" "${command[@]}"
    fi
    json .state completed
    json .requested "$count"
    peak=$(jq .peak_rss_kib out)
    [ "$peak" -gt 1000 ] || fail "no process is as small as $peak KiB"
    if [ -n "$timed" ]; then
        [ $((timed * 100)) -ge $((peak * 99)) ] || fail "$peak KiB, but time(1) says $timed"
        [ $((timed * 100)) -le $((peak * 110)) ] || fail "$peak KiB, but time(1) says $timed"
    fi
    echo "$job: $count requests, $peak KiB, $(jq .certs_per_second out) certificates/s"
    rm -r "$job"
}

# from_stream CODE JOB COUNT [BAD]
from_stream() {
    stream "$3" "${4:-0}" >pipe &
    measure "$1" "$2" "$3" - <pipe
    wait $! || fail "the stream broke off"
}

# from_file CODE JOB COUNT [BAD]: a file is read ahead, a stream is not.
from_file() {
    stream "$3" "${4:-0}" >many.ndjson
    measure "$1" "$2" "$3" many.ndjson
}

# compare FROM CODE [BAD]: a long run needs at most a tenth more than the highest peak of three
# short ones: how large the groups of a short run become is chance.
compare() {
    local from=$1 code=$2 bad=${3:-0} few_kib=0
    for i in 1 2 3; do
        "$from" "$code" "$from-$few-$bad-$i" "$few" "$bad"
        [ "$peak" -le "$few_kib" ] || few_kib=$peak
    done
    "$from" "$code" "$from-$many-$bad" "$many" "$bad"
    [ $((peak * 10)) -le $((few_kib * 11)) ] || fail "$peak KiB, and $few_kib for a short run"
}

make_store
expect 0 "$GEN_REQUESTS" -n 1 -o request.pem
base64=$(openssl req -in request.pem -outform DER | openssl base64 -A)
mkfifo pipe

compare from_stream 0
compare from_file 0
compare from_stream 3 2     # refusals carry their records and sentences along
