#!/bin/sh
# The private CA walk-through of AWS guides, step for step with certmill: a root that signs its own
# request, a subordinate signed by the root, a server's certificate. openssl and certtool judge.
set -eu
. "$(dirname "$0")/expect.sh"
need jq openssl certtool

# config COMMON-NAME: ca-config.json of the guide.
config() {
    cat <<JSON
{ "KeyAlgorithm": "RSA_2048", "SigningAlgorithm": "SHA256WITHRSA",
  "Subject": { "Country": "US", "Organization": "MyCompany",
               "OrganizationalUnit": "IT Department", "CommonName": "$1" } }
JSON
}

x509() { openssl x509 -noout "$@"; }
# extension FILE NAME: one extension's value, "critical " before it where it is.
extension() {
    x509 -in "$1" -ext "$2" | tr -s ' \n' '  ' | sed 's/^[^:]*: //; s/ $//'
}

config "MyCompany Root CA" >ca-config.json
config "MyCompany Subordinate CA" >subordinate-ca-config.json
echo "a passphrase of some length" >passphrase
export CERTMILL_STORE="$work/store"
run() { certmill --passphrase-file "$work/passphrase" "$@"; }

expect 0 run init --region us-east-1 --account 123456789012

# 1. Create the root, with a token and tags; the token makes a repetition harmless.
create_root() {
    run ca create --name root --type ROOT --config ca-config.json \
        --idempotency-token unique-token-123 --tag Name=MyRootCA --tag Environment=Production
}
expect 0 create_root
root_arn=$(cat out)
echo "$root_arn" | grep -qE \
    '^arn:aws:acm-pca:us-east-1:123456789012:certificate-authority/[0-9a-f-]{36}$' || fail "no ARN"
expect 0 create_root
same "$(cat out)" "$root_arn"
expect 0 run ca describe "$root_arn"
json .Status PENDING_CERTIFICATE
json .Type ROOT
json .Arn "$root_arn"
json '.CertificateAuthorityConfiguration.Subject.CommonName' "MyCompany Root CA"

# 2. Its request: the configured subject, CA:TRUE, and a good signature.
expect 0 run ca csr "$root_arn"
cp out ca.csr
openssl req -in ca.csr -verify -noout 2>/dev/null || fail "the root's request does not verify"
same "$(openssl req -in ca.csr -noout -subject -nameopt RFC2253)" \
    "subject=CN=MyCompany Root CA,OU=IT Department,O=MyCompany,C=US"
openssl req -in ca.csr -noout -text | grep -q "CA:TRUE" || fail "no basicConstraints in the request"

# 3. Self-sign it. The root may do this and nothing else before it is active.
expect 1 run issue --ca root --csr ca.csr --template EndEntityCertificate
says err "The certificate authority is not in a valid state for issuing certificates"
expect 0 run issue --ca "$root_arn" --csr ca.csr --signing-algorithm SHA256WITHRSA \
    --template arn:aws:acm-pca:::template/RootCACertificate/V1 --validity Value=3650,Type=DAYS
cp out ca-cert.pem
same "$(grep -c BEGIN ca-cert.pem)" 1

# 4. The certificate: self-signed, ten years and the hour before, extensions of the template.
openssl verify -x509_strict -CAfile ca-cert.pem ca-cert.pem >/dev/null ||
    fail "the root does not verify"
same "$(x509 -in ca-cert.pem -issuer -nameopt RFC2253)" \
    "issuer=CN=MyCompany Root CA,OU=IT Department,O=MyCompany,C=US"
same "$(extension ca-cert.pem basicConstraints)" "critical CA:TRUE"
same "$(extension ca-cert.pem keyUsage)" "critical Digital Signature, Certificate Sign, CRL Sign"
same "$(x509 -in ca-cert.pem -text | grep -c 'X509v3 Authority Key')" 0
begin=$(date -d "$(x509 -in ca-cert.pem -startdate | cut -d= -f2)" +%s)
end=$(date -d "$(x509 -in ca-cert.pem -enddate | cut -d= -f2)" +%s)
same $((end - begin)) $((3650 * 86400 + 3600))
x509 -in ca-cert.pem -text | grep -q sha256WithRSAEncryption || fail "signed with something else"

# 5. Import: ACTIVE.
expect 0 run ca import-cert root --cert ca-cert.pem
says out "root is ACTIVE"
expect 0 run ca describe root
json .Status ACTIVE
json .Serial "$(x509 -in ca-cert.pem -serial | cut -d= -f2 | tr A-F a-f)"
expect 0 run ca cert root --chain
cmp -s out ca-cert.pem || fail "ca cert is not the certificate that was imported"

# 6. The subordinate: create, request, signature by the root, import with chain.
expect 0 run ca create --name subordinate --type SUBORDINATE --config subordinate-ca-config.json \
    --idempotency-token subordinate-token-456 --tag Name=MySubordinateCA \
    --tag Environment=Production
sub_arn=$(cat out)
expect 0 run ca csr subordinate
cp out subordinate.csr
expect 0 run issue --ca root --csr subordinate.csr --signing-algorithm SHA256WITHRSA \
    --template SubordinateCACertificate_PathLen0 --validity Value=1825,Type=DAYS
cp out subordinate.pem
expect 1 run ca import-cert subordinate --cert subordinate.pem
expect 0 run ca describe subordinate
json .Status PENDING_CERTIFICATE
expect 0 run ca import-cert subordinate --cert subordinate.pem --chain ca-cert.pem
expect 0 run ca describe subordinate
json .Status ACTIVE
openssl verify -x509_strict -CAfile ca-cert.pem subordinate.pem >/dev/null ||
    fail "the subordinate does not verify"
same "$(extension subordinate.pem basicConstraints)" "critical CA:TRUE, pathlen:0"
same "$(extension subordinate.pem keyUsage)" \
    "critical Digital Signature, Certificate Sign, CRL Sign"

# 7. A server's certificate under the subordinate.
openssl req -new -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj "/CN=server" \
    -addext "subjectAltName=DNS:www.example.com,DNS:api.example.com" 2>/dev/null
expect 0 run issue --ca "$sub_arn" --csr server.csr --signing-algorithm SHA256WITHRSA \
    --template arn:aws:acm-pca:::template/EndEntityCertificate/V1 --validity Value=365,Type=DAYS \
    --chain
cp out server-chain.pem
same "$(grep -c BEGIN server-chain.pem)" 3
openssl x509 -in server-chain.pem -out server.pem
cat subordinate.pem ca-cert.pem >chain.pem
openssl verify -x509_strict -purpose sslserver -verify_hostname api.example.com \
    -CAfile ca-cert.pem -untrusted subordinate.pem server.pem >/dev/null ||
    fail "the server's certificate does not verify"
same "$(extension server.pem basicConstraints)" "CA:FALSE"
same "$(extension server.pem keyUsage)" "critical Digital Signature, Key Encipherment"
same "$(extension server.pem extendedKeyUsage)" \
    "TLS Web Server Authentication, TLS Web Client Authentication"
same "$(extension server.pem subjectAltName)" "DNS:www.example.com, DNS:api.example.com"
same "$(openssl x509 -in server.pem -noout -pubkey)" "$(openssl pkey -in server.key -pubout)"
begin=$(date -d "$(x509 -in server.pem -startdate | cut -d= -f2)" +%s)
end=$(date -d "$(x509 -in server.pem -enddate | cut -d= -f2)" +%s)
same $((end - begin)) $((365 * 86400 + 3600))

# A second implementation reads and verifies the whole chain.
certtool --verify-chain --infile server-chain.pem >certtool.txt 2>&1 || {
    cat certtool.txt
    fail "certtool does not verify the chain"
}
for file in ca-cert.pem subordinate.pem server.pem; do
    certtool --certificate-info --infile "$file" >certtool.txt 2>&1 || fail "certtool: $file"
    if grep -qiE 'error|warning' certtool.txt; then fail "certtool about $file"; fi
done

# The same chain in one file, certificate TAB chain, as the original's text output writes it.
expect 0 run ca create --name again --type SUBORDINATE --config subordinate-ca-config.json
expect 0 run ca csr again
cp out again.csr
expect 0 run issue --ca root --csr again.csr --template SubordinateCACertificate_PathLen0
{ printf '%s\t' "$(cat out)"; cat ca-cert.pem; } >one-blob.pem
expect 0 run ca import-cert again --cert one-blob.pem
says out "again is ACTIVE"

# What was issued is in the store: the root, the subordinate, the server, and that one.
expect 0 run cert list --json
json '.certificates | length' 4
serial=$(x509 -in server.pem -serial | cut -d= -f2)
expect 0 run cert show "$serial" --format pem
cmp -s out server.pem || fail "cert show is not the certificate that was issued"
expect 0 run cert show "$serial" --format der
openssl x509 -inform DER -in out | cmp -s - server.pem || fail "cert show --format der"
expect 0 run cert show "$serial" --json
json .ca subordinate
json .status VALID
json .arn "$sub_arn/certificate/$(echo "$serial" | tr A-F a-f)"
expect 0 run cert list --subject 'CN=serv*' --json
json '.certificates | length' 1
expect 0 run cert list --expiring 30d --json
json '.certificates | length' 0
expect 0 run cert list --expiring 370d --json
json '.certificates | length' 1
expect 0 run cert list --ca root
says out "CN=MyCompany Subordinate CA"
expect 1 run cert show 0123
says err "0123"
expect 0 run verify --deep
expect 0 run verify --deep --json
json '.findings | length' 0
json .verified 4

# Validity types, and the CA's own end as a bound.
expect 0 run issue --ca subordinate --csr server.csr --validity Value=3,Type=MONTHS
expect 0 run issue --ca subordinate --csr server.csr --validity Value=1,Type=YEARS
expect 0 run issue --ca subordinate --csr server.csr --validity 36h
year=$(($(date -u +%Y) + 1))
expect 0 run issue --ca subordinate --csr server.csr \
    --validity "Value=${year}0704120000,Type=END_DATE"
same "$(x509 -in out -enddate)" "notAfter=Jul  4 12:00:00 $year GMT"
expect 0 run issue --ca subordinate --csr server.csr --validity "$year-07-04T12:00:00Z" \
    --not-before "$year-01-02T03:04:05Z"
same "$(x509 -in out -dates | tr '\n' ' ')" \
    "notBefore=Jan  2 03:04:05 $year GMT notAfter=Jul  4 12:00:00 $year GMT "
expect 3 run issue --ca subordinate --csr server.csr --validity 20y
says err "refused, validity-past-ca"
says err "rule: RFC 5280"
silent out
expect 3 run issue --ca subordinate --csr server.csr --validity 20y --json
silent err
json .error.code validity-past-ca

# A request that was changed on its way, one on standard input, and a token used twice.
openssl req -in server.csr -outform DER -out server.der
size=$(stat -c %s server.der)
head -c $((size - 1)) server.der >bent.der
printf '\000' >>bent.der
expect 3 run issue --ca subordinate --csr bent.der
says err "bad-signature"
expect 0 run issue --ca subordinate --csr - --idempotency-token once <server.der
cp out once.pem
expect 0 run issue --ca subordinate --csr server.der --idempotency-token once
cmp -s out once.pem || fail "the token gave another certificate"
says err "the same certificate again"
expect 1 run issue --ca subordinate --csr server.der --idempotency-token once --validity 30d --json
json .error.code idempotency
