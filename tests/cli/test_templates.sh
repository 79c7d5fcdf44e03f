#!/usr/bin/env bash
# Every template of the catalogue and every preset with every kind of key: what is issued passes
# openssl verify -x509_strict and certtool --verify, and zlint where it is installed, but for what is
# announced as a notice.
set -euo pipefail
# shellcheck source=tests/cli/expect.sh
. "$(dirname "$0")/expect.sh"
# shellcheck source=tests/cli/job.sh
. "$tests/job.sh"
need certtool

kinds='rsa p256 p384 p521 ed25519 ed448'

make_key() {
    case $1 in
    rsa) openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out "$1.key" 2>/dev/null ;;
    p256 | p384 | p521) openssl genpkey -algorithm EC -pkeyopt "ec_paramgen_curve:P-${1#p}" -out "$1.key" ;;
    *) openssl genpkey -algorithm "${1^^}" -out "$1.key" ;;
    esac
}

# request DIRECTORY KIND EXTENSION...
request() {
    local dir=$1 kind=$2 extensions=()
    shift 2
    for extension in "$@"; do extensions+=(-addext "$extension"); done
    mkdir -p "$dir"
    openssl req -new -key "$kind.key" -subj "/C=NL/O=Example/CN=thing-$kind" "${extensions[@]}" \
        -addext "subjectAltName=DNS:$kind.dev.example" -out "$dir/$kind.csr"
}

for kind in $kinds; do
    make_key "$kind"
    request plain "$kind"
    request open "$kind" keyUsage=critical,digitalSignature extendedKeyUsage=clientAuth
    request ca "$kind" keyUsage=critical,keyCertSign,cRLSign
done

cat >api.json <<'JSON'
{ "Subject": { "Organization": "Example", "CommonName": "from the API" },
  "Extensions": { "KeyUsage": { "DigitalSignature": true },
    "ExtendedKeyUsage": [ { "ExtendedKeyUsageType": "CLIENT_AUTH" } ],
    "CertificatePolicies": [ { "CertPolicyId": "2.999.1" } ],
    "SubjectAlternativeNames": [ { "DnsName": "api.example" } ],
    "CustomExtensions": [ { "ObjectIdentifier": "2.999.2", "Value": "BQA=" } ] } }
JSON
jq '.Extensions.KeyUsage = {"KeyCertSign": true, "CRLSign": true} | del(.Extensions.ExtendedKeyUsage)' \
    api.json >api-ca.json

expect 0 certmill init --no-passphrase
make_ca root EC_prime256v1 SHA256WITHECDSA
certmill ca cert root >root.pem

# judge FILE: one certificate under the root.
judge() {
    openssl verify -x509_strict -CAfile root.pem "$1" >out 2>err || fail "$1: openssl"
    certtool --verify --load-ca-certificate root.pem --infile "$1" >out 2>err || fail "$1: certtool"
    grep -q 'Chain verification output: Verified' out || fail "$1: certtool"
    [ -z "$zlint" ] || zlint_judge "$1"
}

# zlint by the RFCs alone: the rules of public CAs and root programs are not ours. It may find what a
# job announces as a notice, and nothing else.
zlint=$(command -v zlint || true)
zlint_others=Apple,CABF_BR,CABF_EV,CABF_SMIME_BR,Community,ETSI_ESI,Mozilla
zlint_judge() {
    local notices=
    case $1:$(openssl x509 -in "$1" -noout -text) in
    *EndEntityClientAuth*id-ecPublicKey* | *EndEntityServerAuth*id-ecPublicKey* | \
        out-EndEntityCertificate*id-ecPublicKey*) notices='e_ecdsa_allowed_ku ' ;;
    esac
    case $1 in *EndEntityClientAuth*) notices+='e_key_usage_and_extended_key_usage_inconsistent ' ;; esac
    zlint -excludeSources "$zlint_others" "$1" | jq -r 'to_entries[] |
        select(.value.result == "error" or .value.result == "fatal") | .key' | sort >lints
    same "$(tr '\n' ' ' <lints)" "$notices"
}

# text FILE WHAT: openssl's words for the certificate have this.
text() { openssl x509 -in "$1" -noout -text | grep -qE -e "$2" || fail "$1 does not have: $2"; }
text_not() { ! openssl x509 -in "$1" -noout -text | grep -qE -e "$2" || fail "$1 has: $2"; }

count=0

# End entities in a run each, all kinds at once.
end_entity() {
    local name=$1 out=out-$1 input=plain code=0 issued=6 arguments=()
    case $name in
    *_APIPassthrough | *_APICSRPassthrough) arguments=(--api-passthrough api.json) ;;
    *_CSRPassthrough) input=open ;;
    code-signing | iot-thing) code=3 issued=4 ;;        # neither takes EdDSA keys
    esac
    expect "$code" certmill batch run --json --ca root --job "$name" --out "$out" --template "$name" \
        --per-file "${arguments[@]}" --validity 2d "$input"
    same "$(jq .issued "$out/summary.json")" "$issued"
    for file in "$out"/*.pem; do
        [ "$file" != "$out/certs.pem" ] || continue
        judge "$file"
        text_not "$file" 'CA:TRUE'
        case $name in
        Blank*API*) text "$file" 'TLS Web Client Authentication'; text "$file" '2.999.2' ;;
        Blank*) text "$file" 'TLS Web Client Authentication' ;;
        *_API*) text "$file" 'CN *= *from the API'; text "$file" 'DNS:api.example' ;;
        esac
        count=$((count + 1))
    done
    jq -r '.notices[]' "$out/summary.json" | cut -d: -f1 | sort | tr '\n' ' ' >"$name.notices"
}

# A CA's certificate for every kind of key.
subordinate() {
    local name=$1 input=plain arguments=()
    case $name in
    *_APIPassthrough | *_APICSRPassthrough) arguments=(--api-passthrough api-ca.json) ;;
    *_CSRPassthrough) input=ca ;;
    esac
    for kind in $kinds; do
        expect 0 certmill issue --ca root --csr "$input/$kind.csr" --template "$name" \
            "${arguments[@]}" --validity 2d
        mv out "$name-$kind.pem"
        judge "$name-$kind.pem"
        text "$name-$kind.pem" "CA:TRUE, pathlen:$(expr "$name" : '.*PathLen\([0-3]\)')"
        text "$name-$kind.pem" 'Certificate Sign, CRL Sign'
        count=$((count + 1))
    done
}

# A root that signs itself; each has a CA of its own.
root() {
    local name=$1 arguments=() ca
    ca=root-$(echo "$1" | tr -d _ | cut -c 1-40)
    case $name in *_APIPassthrough) arguments=(--api-passthrough api-ca.json) ;; esac
    cat >"$ca.json" <<JSON
{ "KeyAlgorithm": "EC_prime256v1", "SigningAlgorithm": "SHA256WITHECDSA", "Subject": { "Organization": "Example", "CommonName": "from the API" } }
JSON
    expect 0 certmill ca create --name "$ca" --type ROOT --config "$ca.json"
    certmill ca csr "$ca" >"$ca.csr"
    expect 0 certmill issue --ca "$ca" --csr "$ca.csr" --template "$name" "${arguments[@]}" --validity 2d
    mv out "$ca.pem"
    openssl verify -x509_strict -CAfile "$ca.pem" "$ca.pem" >out 2>err || fail "$name: openssl"
    text "$ca.pem" 'CA:TRUE'
    expect 0 certmill ca import-cert "$ca" --cert "$ca.pem"
    count=$((count + 1))
}

certmill template list --json >list.json
same "$(jq '[.templates[] | select(.arn != null)] | length' list.json)" 61
jq -r '.templates[].name' list.json >names
while read -r name; do
    case $name in
    *RootCA*) root "$name" ;;
    *SubordinateCA*) subordinate "$name" ;;
    ocsp-responder | code-signing | short-lived | device | mtls-* | iot-thing | *EndEntity* | *Signing*)
        end_entity "$name" ;;
    *) fail "a template of no kind: $name" ;;
    esac
done <names
[ "$count" -ge 350 ] || fail "only $count certificates"

# The findings of today's rules in AWS's own bits, and nowhere else.
same "$(cat EndEntityCertificate.notices)" 'key-encipherment-ec key-encipherment-eddsa '
same "$(cat EndEntityClientAuthCertificate.notices)" \
    'key-encipherment-ec key-encipherment-eddsa key-encipherment-purpose '
same "$(cat CodeSigningCertificate.notices)" ''
same "$(cat OCSPSigningCertificate.notices)" 'ocsp-no-nocheck '
for preset in device mtls-client mtls-server iot-thing ocsp-responder code-signing short-lived; do
    same "$(cat "$preset.notices")" ''
done
echo "$count certificates of $(wc -l <names) templates"
