# Shared by the tests of batch runs, after expect.sh: a store with a CA, runs, and a judge of what a
# run left. In bash.
#
# shellcheck shell=bash disable=SC2154

export LC_ALL=C
need jq openssl
export CERTMILL_STORE="$work/store"

# make_ca NAME KEY_ALGORITHM SIGNING_ALGORITHM
make_ca() {
    cat >"$1.json" <<JSON
{ "KeyAlgorithm": "$2", "SigningAlgorithm": "$3", "Subject": { "CommonName": "$1" } }
JSON
    expect 0 certmill ca create --name "$1" --type ROOT --config "$1.json"
    expect 0 certmill ca activate "$1"
}

make_store() {
    expect 0 certmill init --no-passphrase
    make_ca root EC_prime256v1 SHA256WITHECDSA
}

# run CODE JOB INPUT...: a run with its outputs in a directory of the job's name; what it left must
# be whole when it completed.
run() {
    local code=$1 job=$2
    shift 2
    expect "$code" certmill batch run --json --ca root --job "$job" --out "$job" "$@"
    case $code in 0 | 3) whole "$job" ;; esac
}

# stops NAME MESSAGE: the last run failed; its message says why and names the input.
stops() {
    json '.error.message | length > 0' true
    jq -e --arg name "$1" --arg text "$2" \
        '.error.message | contains($name) and contains($text)' "$work/out" >/dev/null ||
        fail "the message does not have \"$1\" and \"$2\""
}

# leaves_nothing JOB: a run that did not begin left neither a job nor outputs.
leaves_nothing() {
    [ ! -e "$1" ] || fail "$1 was made"
    certmill batch list --json >jobs
    same "$(jq --arg job "$1" '[.jobs[] | select(.name == $job)] | length' jobs)" 0
}

summary_of() { jq -r "$2" "$1/summary.json"; }

# whole JOB: the summary, the three files and the store agree; every ordinal has one result.
whole() {
    local job=$1 issued rejected requested
    issued=$(summary_of "$job" .issued)
    rejected=$(summary_of "$job" .rejected)
    requested=$(summary_of "$job" .requested)
    same "$(summary_of "$job" .state)" completed
    same "$requested" $((issued + rejected))
    same "$(summary_of "$job" '[.by_code[]] | add // 0')" "$rejected"
    same "$(wc -l <"$job/results.ndjson")" "$requested"
    same "$(wc -l <"$job/rejected.ndjson")" "$rejected"
    same "$(grep -c '^-----BEGIN CERTIFICATE-----$' "$job/certs.pem" || true)" "$issued"
    same "$(grep -c '^-----END CERTIFICATE-----$' "$job/certs.pem" || true)" "$issued"
    jq -r .ordinal "$job/results.ndjson" | cmp -s - <(seq 0 $((requested - 1))) ||
        fail "$job: the ordinals of results.ndjson are not 0 to $((requested - 1))"
    jq -r 'select(.status == "issued") | .serial' "$job/results.ndjson" >"$job.serials"
    same "$(sort -u "$job.serials" | wc -l)" "$issued"
    # The refused are the same in both files, and only they.
    jq -c 'select(.status != "issued") | [.ordinal, .status, .code, .detail, .rule]' \
        "$job/results.ndjson" >"$job.refused"
    jq -c '[.ordinal, .status, .code, .detail, .rule]' "$job/rejected.ndjson" |
        cmp -s - "$job.refused" || fail "$job: rejected.ndjson differs from results.ndjson"
    jq -s -e 'all(.[]; .[1] == "rejected" and (.[2:] | all(type == "string" and . != "")))' \
        "$job.refused" >/dev/null || fail "$job: a refusal without code, detail and rule"
    certmill cert list --ca "${ca:-root}" --job "$job" --json |
        jq -r '.certificates[].serial' | sort | cmp -s - <(sort "$job.serials") ||
        fail "$job: the store has other certificates than results.ndjson"
    [ -z "$(find "$job" -name '.certmill-*')" ] || fail "$job: a part file is left"
}

# certs JOB DEVICE...: these and no other certificates, in this order, each with its line in
# results.ndjson, as openssl reads them.
certs() {
    local job=$1
    shift
    # storeutl takes an empty file for an error.
    [ ! -s "$job/certs.pem" ] || openssl storeutl -noout -text -certs "$job/certs.pem" >certs.text
    [ -s "$job/certs.pem" ] || : >certs.text
    sed -n 's/^ *Subject: CN *= *//p' certs.text >certs.devices
    { [ $# -eq 0 ] || printf 'device-%06d\n' "$@"; } | cmp -s - certs.devices ||
        fail "$job has certificates for $(head -n 20 certs.devices | tr '\n' ' ')instead of $*"
    sed -n '/^ *Serial Number:$/ { n; s/[ :]//g; p; }' certs.text | cmp -s - "$job.serials" ||
        fail "$job: certs.pem has other serials than results.ndjson"
}

# refused JOB ORDINAL:CODE...: these and no other requests.
refused() {
    local job=$1
    shift
    same "$(jq -r '"\(.ordinal):\(.code)"' "$job/rejected.ndjson" | tr '\n' ' ')" "$*${*:+ }"
}
