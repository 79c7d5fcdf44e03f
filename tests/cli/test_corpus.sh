#!/usr/bin/env bash
# Requests from other people's programs (tests/vectors/csr), each folder with its verdicts: what is
# to be accepted is, what is to be refused is, and extensions that were only asked for are not in the
# certificate. Every request in PEM and in DER, alone and in a batch, with io_uring and without.
#
# Two verdicts need a template of their own ("a template that allows the names must issue"):
# cfssl/localhost.csr has a countryName that is not two letters, boulder/ecdsa.der.csr no subject and
# alternative names that are not critical.
set -euo pipefail
# shellcheck source=tests/cli/expect.sh
. "$(dirname "$0")/expect.sh"
# shellcheck source=tests/cli/job.sh
. "$tests/job.sh"

vectors=$tests/../vectors/csr

# to_der FILE: a request as it is, or what stands in its PEM block, whatever that is.
to_der() {
    if grep -qa -e '-----BEGIN' "$1"; then
        sed -n '/-----BEGIN/,/-----END/p' "$1" | tr -d '\r' | grep -v -e '-----' | openssl base64 -d
    else
        cat "$1"
    fi
}

# Both forms of every request with a verdict, under names folder--file.
make_forms() {
    mkdir pem der
    for expect in "$vectors"/*/EXPECT.tsv; do
        folder=$(basename "$(dirname "$expect")")
        tail -n +2 "$expect" | while IFS=$(printf '\t') read -r file verdict reason; do
            name=$folder--$file
            to_der "$vectors/$folder/$file" >"der/$name"
            {
                echo '-----BEGIN CERTIFICATE REQUEST-----'
                openssl base64 -in "der/$name"
                echo '-----END CERTIFICATE REQUEST-----'
            } >"pem/$name"
            printf '%s\t%s\t%s\n' "$name" "$verdict" "$reason" >>verdicts
        done
    done
    [ "$(wc -l <verdicts)" -ge 100 ] || fail "only $(wc -l <verdicts) verdicts"
}

# Which extensions EndEntityCertificate writes, and no others.
allowed='X509v3 Basic Constraints|X509v3 Authority Key Identifier|X509v3 Subject Key Identifier|X509v3 Key Usage|X509v3 Extended Key Usage|X509v3 Subject Alternative Name'

# plain FILE: a certificate with the template's extensions only.
plain() {
    openssl x509 -in "$1" -noout -ext \
        basicConstraints,keyUsage,extendedKeyUsage >"$1.ext" 2>/dev/null || fail "$1: no certificate"
    grep -q 'CA:FALSE' "$1.ext" || fail "$1: not CA:FALSE"
    grep -q 'Digital Signature, Key Encipherment$' "$1.ext" || fail "$1: another key usage"
    openssl x509 -in "$1" -noout -text | sed -n '/X509v3 extensions:/,/Signature Algorithm/p' |
        grep -E '^ {12}[^ ]' | grep -vE "^ {12}($allowed):" && fail "$1: an extension of its own"
    return 0
}

# Names the odd verdict needs another template for.
needs_lenient() { [ "$1" = cfssl--localhost.csr ] || [ "$1" = boulder--ecdsa.der.csr ]; }

cat >lenient.json <<'JSON'
{ "name": "lenient", "base": "EndEntityCertificate/V1", "request": { "country": "any" },
  "san": { "critical": true, "dns": {}, "ip": {}, "email": {} } }
JSON

judge_alone() {
    while IFS=$(printf '\t') read -r name verdict reason; do
        arguments=()
        ! needs_lenient "$name" || arguments=(--template lenient.json)
        code=0
        certmill issue --ca root --csr "$1/$name" "${arguments[@]}" >cert.pem 2>err || code=$?
        case $verdict:$code in
        accept:0 | policy:0) plain cert.pem ;;
        reject:3) grep -q '^  rule: ' err || fail "$name: no rule" ;;
        *) fail "$1/$name: exit $code for $verdict ($reason): $(cat err)" ;;
        esac
    done <verdicts
}

# judge_batch FORM JOB OPTION...: the same verdicts from one run over the directory.
judge_batch() {
    local form=$1 job=$2
    shift 2
    run 3 "$job" "$@" "$form"
    while IFS=$(printf '\t') read -r name verdict reason; do
        line=$(jq -r --arg id "$name" 'select(.id == $id) | "\(.status) \(.code)"' \
            "$job/results.ndjson")
        case $verdict:$line in
        accept:issued* | policy:issued* | reject:rejected*) ;;
        *) needs_lenient "$name" || fail "$job: $name is $line, not $verdict ($reason)" ;;
        esac
    done <verdicts
    same "$(wc -l <"$job/results.ndjson")" "$(wc -l <verdicts)"
}

make_store
make_forms
judge_alone pem
judge_alone der
for form in pem der; do
    judge_batch "$form" "$form-ring"
    judge_batch "$form" "$form-plain" --no-uring
    cmp -s <(jq -c '[.id,.status,.code,.detail]' "$form-ring/results.ndjson") \
        <(jq -c '[.id,.status,.code,.detail]' "$form-plain/results.ndjson") ||
        fail "$form: with and without io_uring differ"
done
cmp -s <(jq -c '[.id,.status,.code]' pem-ring/results.ndjson | sort) \
    <(jq -c '[.id,.status,.code]' der-ring/results.ndjson | sort) || fail "PEM and DER differ"

# What asked for more than it got is named.
asked=$(awk -F '\t' '$2 == "policy"' verdicts | wc -l)
named=$(jq -r 'select(.ignored != null) | .id' der-ring/results.ndjson | sort >named
    awk -F '\t' '$2 == "policy" { print $1 }' verdicts | sort | comm -23 - named)
[ -z "$named" ] || fail "ignored without a word: $named"
echo "$(wc -l <verdicts) verdicts, $asked of them with extensions that were left out"
