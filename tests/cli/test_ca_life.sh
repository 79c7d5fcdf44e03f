#!/bin/sh
# The life of a CA through the command line: states, refusals, tokens, tags, deletion and restore.
set -eu
. "$(dirname "$0")/expect.sh"
need jq openssl

export CERTMILL_STORE="$work/store"
state() {
    expect 0 certmill ca describe "$1"
    json .Status "$2"
}
# refused CODE COMMAND...: exit 1 with this code.
refused() {
    reason=$1
    shift
    expect 1 certmill --json "$@"
    silent err
    json .error.code "$reason"
    json .error.resumable false
}

cat >root.json <<'JSON'
{ "KeyAlgorithm": "EC_prime256v1", "SigningAlgorithm": "SHA256WITHECDSA",
  "Subject": { "CommonName": "Root" } }
JSON
sed s/Root/Other/ root.json >other.json
sed s/Subject/Subjekt/ root.json >misspelt.json
sed s/SHA256WITHECDSA/SHA256WITHRSA/ root.json >family.json
echo '{' >broken.json
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout device.key \
    -out device.csr -subj /CN=device 2>/dev/null

expect 0 certmill init --no-passphrase

# Creation, refused with a place and a reason.
expect 1 certmill ca create --name root --type ROOT --config misspelt.json
says err Subjekt
expect 1 certmill ca create --name root --type ROOT --config family.json
says err SHA256WITHRSA
expect 1 certmill ca create --name root --type ROOT --config broken.json
expect 1 certmill ca create --name root --type ROOT --config absent.json
says err absent.json
expect 1 certmill ca create --name 'a b' --type ROOT --config root.json
expect 0 certmill ca list --json
json '.certificate_authorities | length' 0
same "$(find store/keys -type f | wc -l)" 0

# The same token twice is one CA; with other arguments it is an error.
expect 0 certmill ca create --name root --type ROOT --config root.json --idempotency-token t1 \
    --tag Stage=test --json
json .existed false
json .status PENDING_CERTIFICATE
arn=$(jq -r .arn out)
expect 0 certmill ca create --name root --type ROOT --config root.json --idempotency-token t1 \
    --tag Stage=test --json
json .existed true
json .arn "$arn"
refused idempotency ca create --name root --type ROOT --config other.json \
    --idempotency-token t1 --tag Stage=test
expect 1 certmill ca create --name root --type ROOT --config root.json
says err root
expect 0 certmill ca list --json
json '.certificate_authorities | length' 1
json '.certificate_authorities[0].name' root
same "$(find store/keys -type f -perm 600 | wc -l)" 1
expect 0 certmill ca list
says out PENDING_CERTIFICATE

# PENDING_CERTIFICATE: no certificate, no issuing, no update.
refused invalid-state ca cert root
refused invalid-state issue --ca root --csr device.csr
json '.error.message | test("not in a valid state for issuing certificates")' true
refused invalid-state ca update root --status DISABLED
json '.error.message | test("must be in the ACTIVE or DISABLED state to be updated")' true
refused no-such-ca ca csr nobody
refused invalid-state ca restore root
json '.error.message | test("for restoration")' true

# ACTIVE.
expect 0 certmill ca activate root --validity 10y
says out "root is ACTIVE"
state root ACTIVE
expect 0 certmill issue --ca root --csr device.csr
cp out device.pem
expect 0 certmill ca cert "$arn"
openssl verify -CAfile out device.pem >/dev/null || fail "the certificate does not verify"
refused invalid-state ca delete root
json '.error.message | test("not in a valid state for deletion")' true

# Without the store's reserve nothing is issued; it can be made again.
rm store/reserve
refused no-reserve issue --ca root --csr device.csr
expect 0 certmill init --reserve 16M
same "$(stat -c %s store/reserve)" 16777216
expect 0 certmill issue --ca root --csr device.csr

# DISABLED: it refuses to issue, and can be enabled again.
expect 0 certmill ca update root --status DISABLED --json
json .status DISABLED
refused invalid-state issue --ca root --csr device.csr
expect 0 certmill ca cert root
expect 0 certmill ca update root --status ACTIVE
says out "root is ACTIVE"
expect 0 certmill issue --ca root --csr device.csr

# DELETED: out of use, restorable into what it was.
expect 0 certmill ca update root --status DISABLED
for days in 6 31 x; do
    expect 2 certmill ca delete root --days "$days"
done
expect 0 certmill ca delete root --days 7 --json
json .status DELETED
until=$(date -d "$(jq -r .restorable_until out)" +%s)
[ $((until - $(date +%s))) -le $((7 * 86400)) ] || fail "restorable for more than 7 days"
[ $((until - $(date +%s))) -gt $((7 * 86400 - 120)) ] || fail "restorable for less than 7 days"
state root DELETED
refused invalid-state ca csr root
refused invalid-state ca cert root
refused invalid-state issue --ca root --csr device.csr
refused invalid-state ca delete root
expect 0 certmill ca restore root
says out "root is DISABLED"
refused invalid-state ca restore root
expect 0 certmill ca update root --status ACTIVE
expect 0 certmill issue --ca root --csr device.csr

# A certificate that was issued stays to be seen whatever happens to its CA.
serial=$(openssl x509 -in device.pem -noout -serial | cut -d= -f2)
expect 0 certmill cert show "$serial" --json
json .subject "CN=device"

# After the window the first command that writes erases the key; the CA is gone, its name is free.
expect 0 certmill ca create --name short --type ROOT --config other.json
expect 0 certmill ca delete short --days 7
same "$(find store/keys -type f | wc -l)" 2
later=$(date -u -d '+8 days' +%Y-%m-%dT%H:%M:%SZ)
expect 1 env CERTMILL_TEST_NOW="$later" "$CERTMILL_TESTING" ca restore short
same "$(find store/keys -type f | wc -l)" 1
refused no-such-ca ca describe short
expect 0 certmill ca list --json
json '.certificate_authorities | length' 1

# Tags.
expect 0 certmill ca tag root Stage=production Owner=factory
expect 0 certmill ca describe root
json '.Tags | map("\(.Key)=\(.Value)") | sort | join(" ")' "Owner=factory Stage=production"
expect 0 certmill ca untag root Stage=test Owner
expect 0 certmill ca describe root
json '.Tags | map("\(.Key)=\(.Value)") | join(" ")' "Stage=production"
expect 0 certmill ca untag root Stage=production
expect 0 certmill ca describe root
json '.Tags // [] | length' 0

# A CA for short-lived certificates issues nothing that lives longer than a week.
expect 0 certmill ca create --name weekly --type ROOT --config other.json \
    --usage-mode SHORT_LIVED_CERTIFICATE
expect 0 certmill ca activate weekly
expect 0 certmill ca describe weekly
json .UsageMode SHORT_LIVED_CERTIFICATE
expect 0 certmill issue --ca weekly --csr device.csr --validity 7d
expect 3 certmill issue --ca weekly --csr device.csr --validity 8d
says err "refused, validity-refused"

# EXPIRED is a matter of the clock; the certificate can be renewed by the root itself.
expect 0 certmill ca create --name old --type ROOT --config other.json
expect 0 certmill ca activate old --validity 2d
after=$(date -u -d '+3 days' +%Y-%m-%dT%H:%M:%SZ)
expect 0 env CERTMILL_TEST_NOW="$after" "$CERTMILL_TESTING" ca describe old
json .Status EXPIRED
expect 1 env CERTMILL_TEST_NOW="$after" "$CERTMILL_TESTING" --json issue --ca old --csr device.csr
json .error.code invalid-state
expect 0 env CERTMILL_TEST_NOW="$after" "$CERTMILL_TESTING" ca activate old --validity 10y
says out "old is ACTIVE"

# The store has seen that day: a clock that is days behind it issues nothing any more.
refused clock issue --ca root --csr device.csr

expect 0 certmill verify
