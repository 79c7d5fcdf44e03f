#!/usr/bin/env bash
# Kills a batch run at random moments and resumes it, again and again. After every kill what had been
# handed out must be in the store; at the end of each job every request has exactly one result and no
# serial stands twice.
#
# usage: kill_resume.sh [KILLS]     environment: CERTMILL, GEN_REQUESTS, DUMP_STORE
#        kill_resume.sh --control   plants faults into finished outputs; the checks must catch each
set -euo pipefail
export LC_ALL=C

certmill=$CERTMILL
work=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill -9 "$pid" 2>/dev/null || true; rm -rf "$work"' EXIT
export CERTMILL_STORE=$work/store
requests=${REQUESTS:-20000}

fail() { echo "FAIL: $*" >&2; exit 1; }

# Serials in the store, by the independent dump, sorted.
stored_serials() {
    "$DUMP_STORE" "$CERTMILL_STORE" cert | grep -o '"serial":"[0-9a-f]*"' | sort
}

# Serials that any output file of the job shows, part files included. The last line of a file that was
# being written may be torn; a torn line was never synced and is cut by resume.
shown_serials() {
    local file
    for file in "$1"/results.ndjson "$1"/.certmill-*.results.ndjson.part; do
        [ -f "$file" ] || continue
        grep '}$' "$file" | grep -o '"serial":"[0-9a-f]\{36\}"' || true
    done | sort
}

# Certificates shown as PEM, by openssl: their serials must be stored too.
shown_certificates() {
    local file
    for file in "$1"/certs.pem "$1"/.certmill-*.certs.pem.part; do
        [ -f "$file" ] || continue
        # Whole blocks only.
        awk '/^-----BEGIN CERTIFICATE-----$/ { block = "" } { block = block $0 "\n" }
             /^-----END CERTIFICATE-----$/ { printf "%s", block }' "$file"
    done | grep -c '^-----END CERTIFICATE-----$' || true
}

check_after_kill() {
    stored_serials >"$work/stored"
    shown_serials "$1" >"$work/shown"
    [ -z "$(uniq -d "$work/stored")" ] || fail "a serial stands twice in the store"
    [ -z "$(uniq -d "$work/shown")" ] || fail "a serial stands twice in an output"
    comm -13 "$work/stored" "$work/shown" >"$work/unknown"
    [ ! -s "$work/unknown" ] || fail "handed out but not stored: $(head -n 1 "$work/unknown")"
}

check_finished() {
    local out=$1 job=$2 issued rejected lines
    check_after_kill "$out"
    issued=$(grep -c '"status":"issued"' "$out/results.ndjson")
    rejected=$(grep -c '"status":"rejected"' "$out/results.ndjson" || true)
    lines=$(wc -l <"$out/results.ndjson")
    [ "$lines" -eq "$requests" ] || fail "$lines results for $requests requests"
    [ $((issued + rejected)) -eq "$requests" ] || fail "a result without a verdict"
    sed 's/^{"ordinal":\([0-9]*\),.*/\1/' "$out/results.ndjson" >"$work/ordinals"
    seq 0 $((requests - 1)) | cmp -s - "$work/ordinals" || fail "ordinals have a gap or a repeat"
    [ "$(shown_certificates "$out")" -eq "$issued" ] || fail "certs.pem does not have $issued"
    [ "$(wc -l <"$out/rejected.ndjson")" -eq "$rejected" ] || fail "rejected.ndjson is off"
    "$DUMP_STORE" "$CERTMILL_STORE" cert | grep -c "\"job\":$job," >"$work/count" || true
    [ "$(cat "$work/count")" -eq "$issued" ] || fail "$(cat "$work/count") stored, $issued issued"
    [ -z "$(find "$out" -name '.certmill-*')" ] || fail "a part file is left"
    "$certmill" verify >/dev/null || fail "certmill verify has findings"
}

setup() {
    "$certmill" init --no-passphrase >/dev/null 2>&1
    cat >"$work/ca.json" <<'JSON'
{ "KeyAlgorithm": "EC_prime256v1", "SigningAlgorithm": "SHA256WITHECDSA",
  "Subject": { "CommonName": "Crash Test CA" } }
JSON
    "$certmill" ca create --name ca --type ROOT --config "$work/ca.json" >/dev/null
    "$certmill" ca activate ca >/dev/null 2>&1
    "$GEN_REQUESTS" -s -n "$requests" -o "$work/good.pem"
    cp -r "$CERTMILL_STORE" "$work/empty"
    # Every thousandth request is broken, so that refusals are killed too.
    awk '/^-----BEGIN/ { n++ } { if (n % 1000 == 7 && $0 !~ /^-----/ && !done[n]++) $0 = "AAAA" $0 }
         { print }' "$work/good.pem" >"$work/requests.pem"
}

control() {
    setup
    "$certmill" batch run --ca ca --template device --job control --out "$work/out" \
        "$work/requests.pem" >/dev/null 2>&1 || [ $? -eq 3 ]
    check_finished "$work/out" 1
    plant() {   # name, file to spoil, sed program
        cp -r "$work/out" "$work/spoilt"
        sed -i "$3" "$work/spoilt/$2"
        if (check_finished "$work/spoilt" 1) >/dev/null 2>&1; then
            fail "the planted fault \"$1\" was not caught"
        fi
        rm -rf "$work/spoilt"
    }
    plant "a result twice" results.ndjson '5p'
    plant "a result missing" results.ndjson '9d'
    plant "a serial the store does not have" results.ndjson '3s/"serial":"../"serial":"7f/'
    plant "a certificate missing" certs.pem '/-----END/{x;s/^/x/;/^x\{4\}$/{x;d};x}'
    plant "a rejection missing" rejected.ndjson '2d'
    echo "every planted fault was caught"
}

if [ "${1:-}" = --control ]; then
    control
    exit 0
fi

kills=${1:-20}
setup
# How long an unbroken run takes decides where kills fall.
begun=$(date +%s%N)
"$certmill" batch run --ca ca --template device --job whole --out "$work/whole" \
    "$work/requests.pem" >/dev/null 2>&1 || [ $? -eq 3 ]
span_us=$((($(date +%s%N) - begun) / 1000))
check_finished "$work/whole" 1

jobs=1
done_kills=0
while [ "$done_kills" -lt "$kills" ]; do
    jobs=$((jobs + 1))
    # A store of its own for each job, as it was before the first: checks then cost the same.
    rm -rf "$CERTMILL_STORE"
    cp -r "$work/empty" "$CERTMILL_STORE"
    name=kill-$jobs
    out=$work/$name
    verb=(batch run --ca ca --template device --job "$name" --out "$out" "$work/requests.pem")
    while :; do
        "$certmill" "${verb[@]}" >/dev/null 2>"$work/stderr" &
        pid=$!
        if [ "$done_kills" -lt "$kills" ]; then
            sleep "$(awk -v r=$RANDOM$RANDOM -v span="$span_us" \
                'BEGIN { printf "%.6f", (r % 1000003) / 1000003 * span * 1.05 / 1000000 }')"
            kill -9 "$pid" 2>/dev/null || true
        fi
        code=0
        wait "$pid" 2>/dev/null || code=$?
        pid=
        if [ "$code" -eq 137 ]; then
            done_kills=$((done_kills + 1))
            if [ -d "$out" ]; then check_after_kill "$out"; fi
            # Killed before the job was in the store: the same command begins it.
            if "$certmill" batch show "$name" >/dev/null 2>&1; then
                verb=(batch resume "$name")
            fi
            continue
        fi
        # A kill between the last commit and the end of the process finds the job completed.
        if grep -q "job-completed\|is completed" "$work/stderr"; then break; fi
        [ "$code" -eq 0 ] || [ "$code" -eq 3 ] || fail "exit $code: $(cat "$work/stderr")"
        break
    done
    number=$("$certmill" batch show "$name" --json | jq .number)
    check_finished "$out" "$number"
    # The same verdicts as the unbroken run, request by request.
    for side in "$work/whole" "$out"; do
        sed 's/"serial":"[0-9a-f]*","not_after":"[^"]*"/S/' "$side/results.ndjson" | sha256sum
    done | uniq | wc -l | grep -qx 1 || fail "job $name has other verdicts than an unbroken run"
    rm -rf "$out"
done
echo "$done_kills kills over $((jobs - 1)) jobs: nothing lost, nothing twice"
