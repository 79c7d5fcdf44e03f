#!/bin/sh
# Makes the vectors of this folder anew with openssl(1) alone; see README.md. Keys that exist are
# kept, so that a second run gives the same certificates.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat > "$work/ca.cnf" <<CNF
[ca]
default_ca = vectors
[vectors]
database = $work/index.txt
serial = $work/serial
new_certs_dir = $work
unique_subject = no
copy_extensions = copy
preserve = yes
policy = anything
default_md = sha256
[anything]
countryName = optional
organizationName = optional
organizationalUnitName = optional
commonName = optional
CNF

# key NAME ALGORITHM-OPTIONS...: a private key, unless it is there.
key() {
    name=$1; shift
    [ -f "$name.key.pem" ] || openssl genpkey "$@" -out "$name.key.pem" 2>/dev/null
}

# request NAME KEY SUBJECT [SAN]: a CSR in DER, unless it is there.
request() {
    [ -f "$1.csr.der" ] && return 0
    if [ $# -gt 3 ]; then set -- "$1" "$2" "$3" -addext "subjectAltName=$4"; fi
    name=$1 keyfile=$2 subject=$3; shift 3
    openssl req -new -utf8 -key "$keyfile" -subj "$subject" "$@" -outform DER -out "$name.csr.der"
}

# certify NAME ISSUER SERIAL NOT-BEFORE NOT-AFTER: the extensions come from standard input, in
# order. ISSUER "self" signs with the key of NAME.
certify() {
    name=$1 issuer=$2 start=$4 end=$5
    cat > "$work/extensions"
    : > "$work/index.txt"
    echo "$3" > "$work/serial"
    openssl req -inform DER -in "$name.csr.der" -out "$work/csr.pem"
    if [ "$issuer" = self ]; then
        set -- -selfsign -keyfile "$name.key.pem"
    else
        openssl x509 -inform DER -in "$issuer.der" -out "$work/issuer.pem"
        set -- -cert "$work/issuer.pem" -keyfile "$issuer.key.pem"
    fi
    openssl ca -config "$work/ca.cnf" -batch -notext "$@" -in "$work/csr.pem" \
        -startdate "$start" -enddate "$end" -extfile "$work/extensions" \
        -out "$work/cert.pem" 2> "$work/log" || { cat "$work/log" >&2; exit 1; }
    openssl x509 -in "$work/cert.pem" -outform DER -out "$name.der"
}

scratch() {     # a subject's key, needed once
    openssl genpkey "$@" -out "$work/subject.pem" 2>/dev/null
}

key root-rsa -algorithm RSA -pkeyopt rsa_keygen_bits:2048
request root-rsa root-rsa.key.pem "/C=NL/O=Widgets/OU=Vectors/CN=Widgets Root R1"
certify root-rsa self 018f4a6b2c0001020304050607080910111213 20260101000000Z 20401231235959Z <<EXT
basicConstraints = critical,CA:TRUE
subjectKeyIdentifier = hash
keyUsage = critical,digitalSignature,keyCertSign,cRLSign
EXT

key root-ed25519 -algorithm ED25519
request root-ed25519 root-ed25519.key.pem "/O=Widgets/CN=Widgets Root E1"
certify root-ed25519 self 01 20260101000000Z 99991231235959Z <<EXT
basicConstraints = critical,CA:TRUE
subjectKeyIdentifier = hash
keyUsage = critical,digitalSignature,keyCertSign,cRLSign
EXT

key sub-pathlen0 -algorithm RSA -pkeyopt rsa_keygen_bits:2048
request sub-pathlen0 sub-pathlen0.key.pem "/C=NL/O=Widgets/CN=Widgets Issuing R1"
certify sub-pathlen0 root-rsa 019a00000001a0b1c2d3e4f5061728394a5b 20260201000000Z 20360201000000Z <<EXT
basicConstraints = critical,CA:TRUE,pathlen:0
authorityKeyIdentifier = keyid:always
subjectKeyIdentifier = hash
keyUsage = critical,digitalSignature,keyCertSign,cRLSign
EXT

scratch -algorithm EC -pkeyopt ec_paramgen_curve:P-384
request sub-pathlen3 "$work/subject.pem" "/O=Widgets/CN=Widgets Policy E1"
certify sub-pathlen3 root-ed25519 7fffffffffffffffffffffffffffffffffffffff 20260301120000Z 20500101000000Z <<EXT
basicConstraints = critical,CA:TRUE,pathlen:3
authorityKeyIdentifier = keyid:always
subjectKeyIdentifier = hash
keyUsage = critical,digitalSignature,keyCertSign,cRLSign
crlDistributionPoints = URI:http://crl.widgets.example/crl/7b0c1c5e-1d2f-4a3b-8c4d-5e6f708192a3.crl
authorityInfoAccess = OCSP;URI:http://ocsp.widgets.example
EXT

scratch -algorithm EC -pkeyopt ec_paramgen_curve:P-256
request end-entity "$work/subject.pem" "/C=NL/O=Widgets/CN=node7.test" \
    "DNS:node7.test,DNS:*.node7.test,IP:192.0.2.7,IP:2001:db8::7"
certify end-entity sub-pathlen0 019a0000000200112233445566778899aabb 20260401090000Z 20270401100000Z <<EXT
basicConstraints = CA:FALSE
authorityKeyIdentifier = keyid:always
subjectKeyIdentifier = hash
keyUsage = critical,digitalSignature,keyEncipherment
extendedKeyUsage = serverAuth,clientAuth
EXT

scratch -algorithm EC -pkeyopt ec_paramgen_curve:P-256
request end-entity-urls "$work/subject.pem" "/CN=node8.test" "DNS:node8.test"
certify end-entity-urls sub-pathlen0 019a0000000300112233445566778899aabb 20260401090000Z 20270401100000Z <<EXT
basicConstraints = CA:FALSE
authorityKeyIdentifier = keyid:always
subjectKeyIdentifier = hash
keyUsage = critical,digitalSignature,keyEncipherment
extendedKeyUsage = serverAuth,clientAuth
crlDistributionPoints = URI:http://bucket.s3.eu-west-1.amazonaws.com/crl/0f0e0d0c-0b0a-4908-8706-050403020100.crl
authorityInfoAccess = OCSP;URI:http://ocsp.widgets.example
EXT

scratch -algorithm RSA -pkeyopt rsa_keygen_bits:3072
request client-auth "$work/subject.pem" "/O=Widgets/CN=Zoë Ångström" "email:zoe@widgets.example"
certify client-auth root-ed25519 2a 20260501000000Z 20260508010000Z <<EXT
basicConstraints = CA:FALSE
authorityKeyIdentifier = keyid:always
subjectKeyIdentifier = hash
keyUsage = critical,digitalSignature,keyEncipherment
extendedKeyUsage = clientAuth
EXT

scratch -algorithm EC -pkeyopt ec_paramgen_curve:P-521
request server-auth "$work/subject.pem" "/CN=www.widgets.example" \
    "DNS:www.widgets.example,URI:https://www.widgets.example/"
certify server-auth root-rsa 80ffeeddccbbaa99887766554433221100 20260601000000Z 20270601000000Z <<EXT
basicConstraints = CA:FALSE
authorityKeyIdentifier = keyid:always
subjectKeyIdentifier = hash
keyUsage = critical,digitalSignature,keyEncipherment
extendedKeyUsage = serverAuth
EXT

scratch -algorithm ED25519
request code-signing "$work/subject.pem" "/C=NL/O=Widgets/CN=Widgets Firmware"
certify code-signing root-ed25519 019a0000000400112233445566778899aabb 20260601000000Z 20290601000000Z <<EXT
basicConstraints = CA:FALSE
authorityKeyIdentifier = keyid:always
subjectKeyIdentifier = hash
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,codeSigning
EXT

scratch -algorithm RSA -pkeyopt rsa_keygen_bits:2048
request ocsp-signing "$work/subject.pem" "/O=Widgets/CN=Widgets OCSP 1"
certify ocsp-signing sub-pathlen0 019a0000000500112233445566778899aabb 20260601000000Z 20260701010000Z <<EXT
basicConstraints = CA:FALSE
authorityKeyIdentifier = keyid:always
subjectKeyIdentifier = hash
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,OCSPSigning
EXT

scratch -algorithm EC -pkeyopt ec_paramgen_curve:P-256
request device-ec "$work/subject.pem" "/CN=device-000001" "DNS:device-000001.fleet.example"
certify device-ec sub-pathlen0 019a0000000600112233445566778899aabb 20260601000000Z 20360201000000Z <<EXT
basicConstraints = CA:FALSE
authorityKeyIdentifier = keyid:always
subjectKeyIdentifier = hash
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth,clientAuth
EXT

scratch -algorithm RSA -pkeyopt rsa_keygen_bits:2048
request device-rsa "$work/subject.pem" "/CN=device-000002" "DNS:device-000002.fleet.example"
certify device-rsa root-ed25519 019a0000000700112233445566778899aabb 20500101000000Z 20600101000000Z <<EXT
basicConstraints = CA:FALSE
authorityKeyIdentifier = keyid:always
subjectKeyIdentifier = hash
keyUsage = critical,digitalSignature,keyEncipherment
extendedKeyUsage = serverAuth,clientAuth
EXT

scratch -algorithm EC -pkeyopt ec_paramgen_curve:P-256
request no-subject "$work/subject.pem" "/" "critical,DNS:device-000003.fleet.example"
certify no-subject root-rsa 019a0000000800112233445566778899aabb 20260601000000Z 20270601000000Z <<EXT
basicConstraints = CA:FALSE
authorityKeyIdentifier = keyid:always
subjectKeyIdentifier = hash
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth,clientAuth
EXT
