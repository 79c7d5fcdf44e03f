#!/bin/sh
# Help, version, wrong command lines, and where messages go.
set -eu
. "$(dirname "$0")/expect.sh"
need jq

# Nothing asked: the commands, on stderr, as a wrong command line.
expect 2 certmill
silent out
says err "commands: init, ca, template, issue, explain, batch, cert, store, verify"

# Help is a result, at every level, and it needs no store and no operands.
expect 0 certmill --help
silent err
says out "usage: certmill [options] COMMAND"
says out "--passphrase-fd N"
expect 0 certmill -h
expect 0 certmill ca --help
says out "import-cert"
expect 0 certmill ca create --help
says out "--idempotency-token T"
expect 0 certmill --help batch run
says out "certmill batch run --ca N"

expect 0 certmill --version
grep -qx 'certmill [0-9][0-9.]*' out || fail "no version"
expect 0 certmill --version -v
says out OpenSSL
says out LMDB
expect 0 certmill --json --version
json '.certmill | test("^[0-9]")' true
json '.openssl | test("OpenSSL 3")' true

# What there is not.
expect 2 certmill frobnicate
silent out
says err 'no command "certmill frobnicate"'
says err "commands: init,"
expect 2 certmill ca frobnicate
says err "certmill ca COMMAND"
# What was typed is not sent to a terminal as it is.
expect 2 certmill "$(printf 'ca\033[31m')"
if grep -q "$(printf '\033')" err; then fail "an escape sequence came back"; fi
says err "ca?[31m"
expect 2 certmill ca list --frob=1
says err "no option --frob here"
says err "usage: certmill ca list"
expect 2 certmill ca list -x
says err "no option -x here"
expect 2 certmill ca create --nam n --type ROOT --config f
says err "did you mean --name?"
expect 2 certmill issue --ca
says err "--ca needs a value"
expect 2 certmill ca list --json=1
says err "--json takes no value"
expect 2 certmill issue --ca a --csr f --ca b
says err "--ca was given twice"
expect 2 certmill issue --ca a
says err "--csr F is missing"
expect 2 certmill ca csr
says err 'missing after "certmill ca csr"'
expect 2 certmill ca csr a b
says err '"b" is one word too many'
expect 2 certmill ca tag n novalue
says err '"novalue" has no value'
expect 2 certmill ca update n
says err "--status or --revocation is needed"
expect 2 certmill ca create --name n --type LEAF --config f
says err "SUBORDINATE or ROOT is needed"
expect 2 certmill cert show 01 --format xml
says err "text, pem, der or json"
expect 2 certmill cert show 01 --format pem --json
json .error.code usage
expect 2 certmill init --no-passphrase --reserve 16X
says err "a size is needed"
expect 2 certmill init --no-passphrase --passphrase-file f
expect 2 certmill ca list --passphrase-file f --passphrase-fd 3
for number in 0 -1 abc 1.5 ' 1' 99999999999999999999999; do
    expect 2 certmill batch run --ca n --out o "--workers=$number" in
    says err "a whole number from 1 to 1024"
done
expect 2 certmill issue --ca n --csr f --validity tomorrow
says err "--validity"
says err "365d, 12mo, 10y, 36h"
expect 2 certmill issue --ca n --csr f --not-before yesterday
says err "--not-before"
expect 2 certmill batch run --ca n --out o --passphrase-fd 0 -
says err "standard input"

# With --json errors are one document on stdout, wherever the option stands.
for line in '--json ca frobnicate' 'ca --json frobnicate' 'ca frobnicate --json'; do
    # shellcheck disable=SC2086
    expect 2 certmill $line
    silent err
    json .error.code usage
    json '.error | keys | join(",")' code,hint,message,resumable
    json .error.resumable false
done

# A missing store says what to do, and the exit code is not that of a wrong command line.
expect 1 certmill ca list
silent out
says err "certmill init"
expect 1 certmill ca list --store elsewhere --json
silent err
json .error.code no-store
json '.error.message | test("elsewhere")' true

# The store: --store, else the environment, else a fixed name; options before, between and after.
expect 0 certmill --store one init --no-passphrase
says out "new store in one"
says err "whoever can read one/keys"
expect 1 certmill init --no-passphrase --store one
expect 0 certmill -q init --no-passphrase --store two
silent err
expect 0 env CERTMILL_STORE=two "$CERTMILL" store info --json
json .store two
expect 0 env CERTMILL_STORE=two "$CERTMILL" --store one store info --json
json .store one
expect 0 certmill store --store one --json info
json .store one
expect 1 certmill store info
says err certmill-store
same "$(stat -c %a one)" 700

# An empty list says that it is one, on stderr and not to --quiet; a configuration is told by its file.
for list in ca batch cert; do
    expect 0 certmill "$list" list --store one
    silent out
    says err "there is no"
    expect 0 certmill "$list" list --store one -q
    silent err
done
echo '{' >broken.json
expect 1 certmill ca create --store one --name n --type ROOT --config broken.json
says err "broken.json: line 2"
echo '{ "KeyAlgorithm": "EC_prime256v1" }' >half.json
expect 1 certmill ca create --store one --name n --type ROOT --config half.json
says err "half.json: SigningAlgorithm"

# POSIXLY_CORRECT does not change where options may stand; "--" ends them.
expect 0 env POSIXLY_CORRECT=1 "$CERTMILL" template show device --json
json .kind end-entity
expect 1 certmill template show -- --json
says err "certmill template list"

# The catalogue.
expect 0 certmill template list
says out SubordinateCACertificate_PathLen0
expect 0 certmill template list --json
json '[.templates[].name] | index("EndEntityCertificate") != null' true
expect 0 certmill template show arn:aws:acm-pca:::template/RootCACertificate/V1 --json
json .basic_constraints.ca true
expect 1 certmill template show NoSuchTemplate --json
json .error.code template

# A result that cannot be written is no success. With stdout closed the store's own file must not
# become descriptor 1.
code=0
certmill template list >/dev/full 2>err || code=$?
same "$code" 1
grep -q "cannot write to standard output" err || fail "no message"
code=0
certmill store info --store one >&- 2>err || code=$?
same "$code" 1
code=0
certmill init --no-passphrase --store three >&- 2>err || code=$?
same "$code" 1
expect 0 certmill store info --store three --json
json .store three

# A region and an account that cannot stand in an ARN.
expect 1 certmill init --no-passphrase --store four --account 12
[ ! -e four ] || fail "a refused store is there"
expect 0 certmill init --no-passphrase --store four --account 123456789012 --region us-east-1
expect 0 certmill store info --store four --json
json .account 123456789012

# The manual page knows every option and command of the help.
page=$tests/../../tools/share/man/certmill.1.in
for command in init "ca create" "ca activate" "ca csr" "ca cert" "ca import-cert" "ca list" \
    "ca describe" "ca update" "ca delete" "ca restore" "ca tag" "ca untag" "template list" \
    "template show" "template check" issue explain "batch run" "batch resume" "batch list" \
    "batch show" "cert list" \
    "cert show" "store info" verify; do
    # shellcheck disable=SC2086
    expect 0 certmill $command --help
    grep -qE "Cm $command( |\$)" "$page" || fail "certmill.1 does not have: $command"
    sed -n '/^options:/,/^$/s/^ *\(-[a-z], \)\{0,1\}--\([a-z-]*\).*/\2/p' out >names
    while read -r name; do
        grep -q -e "Fl -$name" "$page" || fail "certmill.1 does not have: $command --$name"
    done <names
done
