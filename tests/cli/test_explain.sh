#!/usr/bin/env bash
# What decides about a request, as a person meets it: template show and check, explain, what the API
# passes, blocklists, keys that come twice, names from the manifest, revocation pointers; and the
# exit code of each. openssl and jq judge.
set -euo pipefail
# shellcheck source=tests/cli/expect.sh
. "$(dirname "$0")/expect.sh"
# shellcheck source=tests/cli/job.sh
. "$tests/job.sh"

says_not() { ! grep -qF -e "$2" "$work/$1" || fail "$1 says: $2"; }
# reads FILE TEXT: openssl's words for a certificate have this. Not all versions of it put spaces
# around "=".
words() { openssl x509 -in "$1" -noout -text | sed 's/ *= */=/g'; }
reads() { words "$1" | grep -qF -e "$2" || fail "$1 does not have: $2"; }
reads_not() { ! words "$1" | grep -qF -e "$2" || fail "$1 has: $2"; }
# refused_as CODE RULE: the last refusal, as text.
refused_as() { says err "refused, $1: "; says err "  rule: $2"; silent out; }

request() {
    local name=$1 key=$2
    shift 2
    openssl req -new -key "$key" -out "$name.csr" "$@" 2>/dev/null
}
for key in a b c; do openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out $key.key; done
request plain a.key -subj /CN=dev-000001 -addext subjectAltName=DNS:x1.dev.example
request usage a.key -subj /CN=dev-000001 -addext subjectAltName=DNS:x1.dev.example \
    -addext extendedKeyUsage=serverAuth
request bad a.key -subj /CN=dev-1 -addext subjectAltName=DNS:x1.dev.example
# The last octet of the signature is another one.
openssl req -in plain.csr -outform DER -out broken.der
printf '\001' | dd of=broken.der bs=1 seek=$(($(stat -c %s broken.der) - 1)) conv=notrunc 2>/dev/null

make_store

# ---- templates: list, show, check ----

expect 0 certmill template list
same "$(grep -c '^[A-Z]' out)" 61
awk 'length > 150 { exit 1 }' out || fail "a line of the list is too long"
expect 0 certmill template list --json
same "$(jq -r '.templates[] | select(.arn == null) | "\(.name).json"' out)" \
    "$(cd "$tests/../../tools/share/templates" && ls)"
for name in $(jq -r '.templates[].name' out); do
    expect 0 certmill template show "$name"
    if grep -qE '^ *[a-z ]+ {2,}$' out; then fail "$name: a member without a value"; fi
    expect 0 certmill template show "$name" --json
    json '.keys.algorithms | length > 0' true
done
expect 1 certmill template show nothing
says err "certmill template list"

cat >factory.json <<'JSON'
{ "name": "factory", "base": "EndEntityClientAuthCertificate/V1",
  "keys": { "algorithms": ["EC_prime256v1"] },
  "subject": { "attributes": { "CN": { "presence": "required", "pattern": "dev-[0-9]{6}" },
                               "O": { "fixed": "Example" } }, "others": "forbid" },
  "san": { "dns": { "max": 1, "suffixes": [".dev.example"] } },
  "validity": { "default": "30d", "max": "60d" }, "key_usage": "by-key-type" }
JSON
expect 0 certmill template check factory.json
says out "factory.json: good, template factory"
expect 0 certmill template check - <factory.json
expect 0 certmill template check factory.json --json
json '"\(.verdict) \(.mistakes)"' "good 0"
expect 0 certmill template show ./factory.json --json
json .source.subject.attributes.CN.pattern 'dev-[0-9]{6}'

# Every mistake, each with its path, and nothing else.
cat >mistakes.json <<'JSON'
{ "name": "two words", "base": "EndEntityCertificate", "subjct": {},
  "keys": { "algorithms": ["EC_p256"], "rsa_bits": { "min": 1024 } },
  "subject": { "attributes": { "CN": { "pattern": "a(" }, "XN": {} } },
  "san": { "ip": { "ranges": ["10.0.0.1/8"] } },
  "validity": { "default": "soon" }, "key_usage": ["keyCertSign"],
  "extensions": [ { "oid": "2.999.1", "value": { "der": "05" } } ],
  "duplicate_keys": { "run": "deny" } }
JSON
expect 1 certmill template check mistakes.json --json
json '[.findings[].path] | sort | join(" ")' "duplicate_keys.run extensions[0].value.der key_usage \
keys.algorithms[0] keys.rsa_bits.min name san.ip.ranges[0] subjct subject.attributes.CN.pattern \
subject.attributes.XN validity.default"
json '.mistakes == (.findings | length)' true
expect 1 certmill template check mistakes.json
same "$(wc -l <out)" 11
says out 'mistakes.json: subjct: is an unknown member; did you mean "subject"?'
# One mistake ends every other command, and its sentence names the file.
expect 1 certmill issue --ca root --csr plain.csr --template mistakes.json
says err "certmill: mistakes.json: "
says err "certmill template check mistakes.json"
expect 1 certmill template show mistakes.json
says err "certmill: mistakes.json: "
expect 1 certmill batch run --ca root --out none --template ./mistakes.json plain.csr --json
json .error.code template
[ ! -e none ] || fail "outputs of a run that did not begin"

# Files that are none.
mkdir directory.json
: >empty.json
head -c 300000 /dev/zero | tr '\0' ' ' >huge.json
mkfifo fifo.json
for name in directory empty huge fifo missing; do
    expect 1 certmill explain plain.csr --ca root --template $name.json
    says err $name.json
    silent out
    expect 1 certmill template check $name.json
done
expect 1 certmill template check device
says err "certmill template show device"
expect 2 certmill template check
expect 2 certmill explain --ca root

# ---- explain ----

certmill cert list --json >before
expect 0 certmill explain usage.csr --ca root --template ./factory.json
silent err
says out "proof of possession"
says out "subject     O=Example,CN=dev-000001"
says out "ignored     csr.extendedKeyUsage"
says out "extendedKeyUsage        clientAuth"
says out "keyUsage, critical      digitalSignature"
says out "subjectAltName          DNS:x1.dev.example"
expect 0 certmill explain usage.csr --ca root --template factory.json --json
json .verdict accepted
json '[.steps[].verdict] | unique | join(" ")' ok
json '.certificate.ignored | join(" ")' csr.extendedKeyUsage
json .certificate.key.kind EC_prime256v1
cp out explained
# What it shows is what is issued: but for serial and times, the very certificate.
expect 0 certmill issue --ca root --csr usage.csr --template factory.json
cp out issued.pem
jq -r .certificate.tbs explained | tr a-f A-F | basenc -d --base16 >explained.tbs
openssl asn1parse -inform DER -in explained.tbs >explained.parsed
openssl x509 -in issued.pem -outform DER | openssl asn1parse -inform DER -strparse 4 >issued.parsed
# Offsets, the serial and the two times aside.
for file in explained issued; do
    grep -vE 'UTCTIME' $file.parsed | sed 's/^[^:]*://' | sed '0,/INTEGER  *:.\{30,\}/s///' >$file.shape
done
cmp -s explained.shape issued.shape || fail "explain shows another certificate than is issued"

expect 3 certmill explain bad.csr --ca root --template factory.json
says out "refused, subject-refused: CN dev-1 does not match dev-[0-9]{6}"
says out "rule: template: subject"
says out "not reached"
says_not out "it would get"
expect 3 certmill explain bad.csr --ca root --template factory.json --json
json .verdict refused
json '.certificate == null' true
json '[.steps[] | select(.verdict == "refused") | .code, .rule] | join("; ")' \
    "subject-refused; template: subject"
json '.steps[-1].verdict' not-reached
expect 3 certmill explain broken.der --ca root --json
json '[.steps[] | select(.verdict == "refused") | .step] | join(" ")' "proof of possession"
expect 3 certmill explain factory.json --ca root
says out "refused, bad-pem"
expect 1 certmill explain missing.csr --ca root
expect 1 certmill explain plain.csr --ca nobody --json
json .error.code no-such-ca
expect 2 certmill explain plain.csr --ca root --validity soon
# Neither a passphrase nor a row: the store has what it had, and one that was issued above.
certmill cert list --json | jq '.certificates | length' >after
same "$(cat after)" $(($(jq '.certificates | length' before) + 1))

# ---- what the API passes ----

cat >api.json <<'JSON'
{ "Subject": { "Organization": "Example", "CommonName": "from the API" },
  "Extensions": { "KeyUsage": { "DigitalSignature": true },
    "ExtendedKeyUsage": [ { "ExtendedKeyUsageType": "CLIENT_AUTH" } ],
    "SubjectAlternativeNames": [ { "DnsName": "api.example" } ],
    "CustomExtensions": [ { "ObjectIdentifier": "2.999.2", "Value": "BQA=" } ] } }
JSON
issue() { certmill issue --ca root --csr usage.csr "$@"; }
expect 0 issue --template BlankEndEntityCertificate_APIPassthrough --api-passthrough api.json -v
cp out api.pem
reads api.pem "CN=from the API"
reads api.pem "DNS:api.example"
reads api.pem "2.999.2"
reads api.pem "TLS Web Client Authentication"
reads_not api.pem "TLS Web Server Authentication"
for name in subject subjectAltName extendedKeyUsage; do says err "ignored: csr.$name"; done
# A template that lets nothing of it pass says so, with -v; a strict one refuses.
expect 0 issue --template EndEntityCertificate --api-passthrough api.json
silent err
expect 0 issue --template EndEntityCertificate --api-passthrough api.json -v
cp out closed.pem
reads closed.pem "CN=dev-000001"
reads_not closed.pem "2.999.2"
for name in subject subjectAlternativeNames keyUsage extendedKeyUsage customExtension; do
    says err "ignored: api.$name"
done
expect 0 issue --template EndEntityCertificate --api-passthrough api.json --json
json '.ignored | length' 6
expect 3 issue --template EndEntityCertificate --api-passthrough api.json --strict-passthrough
refused_as passthrough-ignored --strict-passthrough
expect 3 issue --template EndEntityCertificate --strict-passthrough --json
json .error.code passthrough-ignored
# Mistakes in the file itself are the caller's, not the request's.
echo '{ "Subject": ' >cut.json
echo '{ "Subject": { "CommonNam": "x" } }' >member.json
echo '{ "Extensions": { "SubjectAlternativeNames": [ { "IpAddress": "1.2.3" } ] } }' >address.json
for file in cut:line member:Subject.CommonNam 'address:Extensions.SubjectAlternativeNames[0].IpAddress'; do
    for command in "issue --csr" explain "batch run --out none"; do
        # shellcheck disable=SC2086
        expect 1 certmill $command plain.csr --ca root --api-passthrough "${file%%:*}.json"
        says err "certmill: ${file%%:*}.json: ${file#*:}"
        silent out
    done
done

# For a whole job, and for a line of its own.
line() {
    jq -cn --arg id "$1" --rawfile csr "$2.csr" --argjson more "$3" '{ id: $id, csr: $csr } + $more'
}
{
    line job plain '{}'
    line own plain '{ "api_passthrough": { "Subject": { "CommonName": "per line" } } }'
    line member plain '{ "api_passthrough": { "Subjekt": {} } }'
    line shape plain '{ "api_passthrough": 5 }'
} >lines.ndjson
run 3 lines --template EndEntityCertificate_APIPassthrough --api-passthrough api.json --per-file \
    lines.ndjson
refused lines 2:bad-member 3:bad-member
serial() { jq -r "select(.id == \"$2\") | .serial" "$1/results.ndjson"; }
reads "lines/$(serial lines job).pem" "DNS:api.example"
reads "lines/$(serial lines own).pem" "CN=per line"
reads "lines/$(serial lines own).pem" "DNS:x1.dev.example"
same "$(jq -c 'select(.id == "own") | .ignored' lines/results.ndjson)" '["csr.subject"]'

# ---- names from the manifest ----

echo '{ "name": "listed", "base": "EndEntityCertificate", "names": "manifest" }' >listed.json
echo '{ "name": "agreed", "base": "EndEntityCertificate", "names": "both-must-agree" }' >agreed.json
{
    line none plain '{}'
    line same plain '{ "subject": { "CommonName": "dev-000001" }, "san": ["DNS:x1.dev.example"] }'
    line other plain '{ "subject": { "CommonName": "m" }, "san": ["DNS:m.example", "IP:192.0.2.1"] }'
    line list plain '{ "san": "DNS:m.example" }'
} >names.ndjson
run 3 listed --template listed.json --per-file names.ndjson
refused listed 0:no-manifest-names 3:bad-member
reads "listed/$(serial listed other).pem" "DNS:m.example, IP Address:192.0.2.1"
reads "listed/$(serial listed other).pem" "Subject: CN=m"
run 3 agreed --template agreed.json --per-file names.ndjson
refused agreed 0:no-manifest-names 2:names-disagree 3:bad-member
reads "agreed/$(serial agreed same).pem" "DNS:x1.dev.example"
expect 3 certmill issue --ca root --csr plain.csr --template listed.json
refused_as no-manifest-names "template: names"

# ---- keys that nobody may have ----

# The hash by hand, as certmill(1) describes it: the point's x coordinate.
hash=$(openssl ec -in a.key -pubout -outform DER 2>/dev/null | tail -c 64 | head -c 32 | sha256sum |
    cut -c 1-32)
expect 0 certmill explain plain.csr --ca root --json
json .certificate.key.hash "$hash"
printf '# lost in June\n%s\n' "$hash" >blocked
expect 3 certmill issue --ca root --csr plain.csr --blocklist blocked
says err "refused, key-blocked: "
says err "$hash"
expect 3 certmill explain plain.csr --ca root --blocklist blocked
says out "refused, key-blocked"
printf '%s\n%s\n' "$hash" "$hash" >twice
printf 'ffffffffffffffffffffffffffffffff\n00000000000000000000000000000000\n' >unsorted
echo "${hash}0" >long
echo "not a hash" >words
for name in twice unsorted long words nowhere directory.json; do
    expect 1 certmill issue --ca root --csr plain.csr --blocklist $name
    silent out
    grep -qE "blocklist|$name" err || fail "$name: the message does not say what is wrong"
done
says err directory.json
expect 1 certmill batch run --ca root --out none --blocklist unsorted --json plain.csr
json .error.code blocklist
json '.error.hint | test("sort")' true
# A list of this key alone refuses this one in a batch and no other.
request other b.key -subj /CN=dev-000002
{ cat plain.csr other.csr; } >two.pem
run 3 blocked-run --blocklist blocked two.pem
refused blocked-run 0:key-blocked

# ---- keys that come twice ----

request again a.key -subj /CN=dev-000003
cat plain.csr other.csr again.csr >three.pem
rules() {
    echo "{ \"name\": \"rule\", \"base\": \"EndEntityCertificate\", \"duplicate_keys\": $1 }" >rule.json
}
rules '{ "run": "reject" }'
run 3 run-reject --template rule.json three.pem
refused run-reject 2:duplicate-key
rules '{ "run": "warn" }'
run 0 run-warn --template rule.json three.pem
same "$(jq -c .warnings run-warn/results.ndjson | tr '\n' ' ')" 'null null ["duplicate-key"] '
jq -e '.notices | any(startswith("duplicate-keys"))' run-warn/summary.json >/dev/null ||
    fail "no notice of keys that come twice"
# The store remembers from the first template that asks on.
request third c.key -subj /CN=dev-000004
rules '{ "store": "reject" }'
expect 0 certmill issue --ca root --csr third.csr --template rule.json
expect 3 certmill issue --ca root --csr third.csr --template rule.json
refused_as known-key "template: duplicate_keys.store"
expect 3 certmill explain third.csr --ca root --template rule.json
says out "refused, known-key"
expect 0 certmill issue --ca root --csr third.csr
rules '{ "store": "warn" }'
run 0 store-warn --template rule.json third.csr
same "$(jq -c .warnings store-warn/results.ndjson)" '["known-key"]'

# ---- where a certificate says that its revocation can be looked up ----

cat >revocation.json <<'JSON'
{ "CrlConfiguration": { "Enabled": true, "ExpirationInDays": 7, "CustomCname": "crl.example",
    "S3BucketName": "crl-bucket", "CrlType": "PARTITIONED",
    "DeltaCrlConfiguration": { "Enabled": true, "ExpirationInHours": 12, "CustomPath": "delta" } },
  "OcspConfiguration": { "Enabled": true, "OcspCustomCname": "ocsp.example" } }
JSON
jq '.CrlConfiguration.DeltaCrlConfiguration.ExpirationInHours = 100000' revocation.json >hours.json
jq '.CrlConfiguration.CrlType = "HALF"' revocation.json >type.json
for name in hours type; do
    expect 1 certmill ca update root --revocation $name.json
    says err "$name.json: CrlConfiguration"
done
expect 0 certmill ca update root --revocation revocation.json
expect 0 certmill ca describe root
json .RevocationConfiguration.CrlConfiguration.DeltaCrlConfiguration.CustomPath delta
expect 0 certmill issue --ca root --csr plain.csr
cp out pointers.pem
openssl x509 -in pointers.pem -noout -ext crlDistributionPoints,freshestCRL,authorityInfoAccess >out
grep -qE 'URI:http://crl\.example/crl/.*/000001\.crl$' out || fail "no CRL of the first partition"
grep -qE 'URI:http://crl\.example/delta/.*/000001\.crl$' out || fail "no delta CRL"
says out "OCSP - URI:http://ocsp.example"
expect 0 certmill explain plain.csr --ca root
grep -qE '^  freshestCRL +http://crl\.example/delta/' out || fail "explain has no delta CRL"
expect 0 certmill issue --ca root --csr plain.csr --template short-lived
cp out short.pem
reads_not short.pem "URI:"
openssl x509 -in short.pem -outform DER | openssl asn1parse -inform DER >out
grep -qE '2\.5\.29\.56|noRevAvail|No Revocation' out || fail "no noRevAvail"

# ---- exit codes that are left, and a job's own copy of its template ----

expect 1 certmill issue --ca root --csr plain.csr --template factory.json --passphrase-file nowhere \
    --store elsewhere
expect 3 certmill issue --ca root --csr plain.csr --template factory.json --validity 90d
refused_as validity-refused "template: validity"
expect 1 certmill batch run --ca root --out none --template factory.json --validity 90d plain.csr
says err "at most 60 days"
echo '{ "name": "elsewhere", "base": "EndEntityCertificate", "allowed_cas": ["nobody"] }' >cas.json
expect 3 certmill issue --ca root --csr plain.csr --template cas.json
refused_as ca-not-allowed "template: allowed_cas"
expect 1 certmill batch run --ca root --out none --template RootCACertificate plain.csr
echo '{ "name": "own", "base": "EndEntityCertificate", "validity": { "default": "30d" } }' >own.json
"$GEN_REQUESTS" -n 20000 -o many.pem
"$CERTMILL" batch run -q --ca root --job copy --out copy --template own.json --api-passthrough api.json \
    --blocklist blocked many.pem >/dev/null 2>err &
pid=$!
for _ in $(seq 200); do
    [ "$(stat -c %s copy/.certmill-*.results.ndjson.part 2>/dev/null | head -n 1 || true)" -gt 0 ] \
        2>/dev/null && break
    sleep 0.02
done
kill -TERM $pid
code=0
wait $pid || code=$?
same "$code" 4
rm own.json api.json
mv blocked aside
expect 1 certmill batch resume copy
says err "cannot open the blocklist"
says err "certmill batch resume copy"
echo 00000000000000000000000000000000 >blocked
expect 1 certmill batch resume copy --json
json '.error.hint | test("blocklist")' true
mv aside blocked
expect 0 certmill batch resume copy --json
json '"\(.state) \(.issued) \(.template)"' "completed 20000 own"
whole copy
# The template that is gone had the validity; an hour is the backdating.
begin=$(date -d "$(openssl x509 -in copy/certs.pem -noout -startdate | cut -d= -f2)" +%s)
end=$(date -d "$(openssl x509 -in copy/certs.pem -noout -enddate | cut -d= -f2)" +%s)
same $((end - begin)) $((30 * 86400 + 3600))
expect 0 certmill verify --deep
