#!/bin/sh
# What a batch shows and how it ends: progress on a terminal only, signals, a lost standard output,
# the modes of what it leaves.
set -eu
. "$(dirname "$0")/expect.sh"
need jq openssl script

export CERTMILL_STORE="$work/store"
cat >root.json <<'JSON'
{ "KeyAlgorithm": "EC_prime256v1", "SigningAlgorithm": "SHA256WITHECDSA",
  "Subject": { "CommonName": "Root" } }
JSON
expect 0 certmill init --no-passphrase
expect 0 certmill ca create --name root --type ROOT --config root.json
expect 0 certmill ca activate root
mkdir requests
for i in 1 2 3; do
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key \
        -out "requests/$i.csr" -subj "/CN=device-$i" 2>/dev/null
done
cat requests/*.csr >bundle.pem
{ cat bundle.pem; printf -- '-----BEGIN POTATO-----\nMAA=\n-----END POTATO-----\n'; } >mixed.pem

# A summary for people on stdout, nothing on stderr where that is no terminal.
expect 0 certmill batch run --ca root --out one --job first requests
silent err
says out "job first: completed"
says out "3 requests, 3 issued, 0 rejected"
says out "$work/one/"
# Something refused: exit 3, and where to look.
expect 3 certmill batch run --ca root --out two mixed.pem
silent err
says out "4 requests, 3 issued, 1 rejected"
says out "refused: 1 wrong-label"
says out "rejected.ndjson"
expect 3 certmill --json batch run --ca root --out three mixed.pem
silent err
json .issued 3
json '.by_code["wrong-label"]' 1
json .state completed
json .error null

# The user's umask decides about the outputs, not the store's.
(umask 022 && certmill batch run --ca root --out open bundle.pem >/dev/null)
for file in certs.pem results.ndjson rejected.ndjson summary.json; do
    same "$(stat -c %a "open/$file")" 644
    same "$(stat -c %a "one/$file")" 600
done

# slow: three requests, then a wait in which progress can be seen.
slow() { cat bundle.pem; sleep 1.5; }
# script(1) takes standard input for the terminal: the requests come through a pipe of their own.
mkfifo pipe
slow >pipe &
expect 0 script --quiet --return --command \
    "sh -c '\"$CERTMILL\" batch run --ca root --out five - <pipe'" screen
grep -q 'done .* issued .* rejected' screen || fail "no progress on a terminal"
wait
slow >pipe &
expect 0 script --quiet --return --command \
    "sh -c '\"$CERTMILL\" -q batch run --ca root --out six - <pipe'" screen
if grep -q 'done .* issued' screen; then fail "progress in spite of --quiet"; fi
wait

# stopped SIGNAL JOB: a run that waits for more requests gets a signal, ends with 4 within seconds,
# says how to go on, and does when it is told to.
stopped() {
    { cat bundle.pem; sleep 30; } >pipe &
    feeder=$!
    "$CERTMILL" batch run --ca root --out "$2" --job "$2" --json - <pipe >out 2>err &
    run=$!
    sleep 1
    kill -s "$1" "$run"
    begin=$(date +%s)
    code=0
    wait "$run" || code=$?
    [ $(($(date +%s) - begin)) -le 2 ] || fail "it took too long to stop"
    kill "$feeder" 2>/dev/null || true
    same "$code" 4
    json .error.code interrupted
    json .error.resumable true
    json '.error.hint | test("certmill batch resume")' true
    grep -q stopping err || fail "it did not say that it stops"
    expect 0 certmill batch list --json
    json ".jobs[] | select(.name == \"$2\") | .state" interrupted
    cat bundle.pem >pipe &
    expect 0 certmill batch resume "$2" --json <pipe
    json .state completed
    json .issued 3
    same "$(grep -c BEGIN "$2/certs.pem")" 3
    same "$(jq -s 'map(.serial) | unique | length' "$2/results.ndjson")" 3
    wait
}
stopped INT seven
stopped TERM eight

# What the summary cannot be written to does not count as told; the outputs are there all the same.
code=0
certmill batch run --ca root --out nine bundle.pem >/dev/full 2>err || code=$?
same "$code" 1
grep -q "cannot write to standard output" err || fail "no message"
[ -s nine/summary.json ] || fail "no outputs"

expect 0 certmill batch show first
says out "completed"
says out "$work/one"
expect 0 certmill batch show first --json
json .name first
json .summary.issued 3
expect 1 certmill batch show nosuchjob --json
json .error.code no-such-job
expect 0 certmill batch list
says out "first"
