#!/bin/sh
# Where a passphrase comes from, and what is refused.
set -eu
. "$(dirname "$0")/expect.sh"
need jq openssl setsid script

export CERTMILL_STORE="$work/store"
cat >root.json <<'JSON'
{ "KeyAlgorithm": "EC_prime256v1", "SigningAlgorithm": "SHA256WITHECDSA",
  "Subject": { "CommonName": "Root" } }
JSON
# Needs the passphrase: a key is made and encrypted.
create() { setsid --wait "$CERTMILL" ca create --name "$@" --type ROOT --config root.json; }

printf 'correct horse battery staple\n' >good
printf 'correct horse battery staple' >no-newline
printf 'correct horse battery staple\r\n' >crlf
printf 'incorrect horse\n' >wrong
printf '\n' >empty
head -c 1100 /dev/zero | tr '\0' x >long
{ head -c 1024 /dev/zero | tr '\0' y && echo; } >longest

# Nothing to ask at and nothing given: exit 1, and the three places are named.
expect 1 setsid --wait "$CERTMILL" init
says err "--passphrase-file"
says err "--passphrase-fd"
says err 'CREDENTIALS_DIRECTORY/certmill-passphrase'
[ ! -e store ] || fail "a store was made without a passphrase"
expect 1 setsid --wait "$CERTMILL" --json init
json .error.code no-passphrase
# Neither an argument nor a variable is a place.
expect 2 certmill --passphrase secret init
expect 1 env CERTMILL_PASSPHRASE=secret setsid --wait "$CERTMILL" init

# The file must be private, one's own, a regular file, and hold something.
for mode in 644 640 604 660 606; do
    chmod "$mode" good
    expect 1 certmill --json init --passphrase-file good
    json .error.code file-mode
done
chmod 600 good
ln -s good link
expect 1 certmill init --passphrase-file link
mkfifo fifo
expect 1 certmill init --passphrase-file fifo
expect 1 certmill init --passphrase-file .
expect 1 certmill init --passphrase-file absent
says err absent
for file in empty long; do
    expect 1 certmill init --passphrase-file "$file"
    [ ! -e store ] || fail "a store was made with the file $file"
done
expect 0 certmill init --passphrase-file longest --store other
expect 0 create other --store other --passphrase-file longest

expect 0 certmill init --passphrase-file good
says out "keys encrypted"
chmod 400 good
expect 0 create one --passphrase-file good

# The line end is no part of it, whichever it is.
expect 0 create two --passphrase-file no-newline
expect 0 create three --passphrase-file crlf

# A descriptor.
expect 0 create four --passphrase-fd 3 3<good
expect 0 create five --passphrase-fd 0 <good
expect 1 create six --passphrase-fd 9
expect 2 create six --passphrase-fd nine

# The credential that systemd gives; an option goes before it.
mkdir credentials
cp good credentials/certmill-passphrase
expect 0 env CREDENTIALS_DIRECTORY="$work/credentials" setsid --wait "$CERTMILL" ca create \
    --name six --type ROOT --config root.json
expect 1 env CREDENTIALS_DIRECTORY="$work/credentials" setsid --wait "$CERTMILL" ca create \
    --name seven --type ROOT --config root.json --passphrase-file wrong
chmod 644 credentials/certmill-passphrase
expect 1 env CREDENTIALS_DIRECTORY="$work/credentials" setsid --wait "$CERTMILL" --json ca create \
    --name seven --type ROOT --config root.json
json .error.code file-mode

# A wrong one is refused before a key is encrypted under it.
expect 1 certmill --json ca create --name seven --type ROOT --config root.json \
    --passphrase-file wrong
json .error.code wrong-passphrase
expect 0 certmill ca list --json
json '.certificate_authorities | length' 6
same "$(find store/keys -type f | wc -l)" 6

# Commands that need no key do not ask, and the keys on disk are what they should be: openssl reads
# each under this passphrase and under no other.
expect 0 setsid --wait "$CERTMILL" ca csr one
for key in store/keys/*.pem; do
    grep -q "BEGIN ENCRYPTED PRIVATE KEY" "$key" || fail "$key is not encrypted"
    openssl pkey -in "$key" -passin file:good -noout || fail "openssl cannot read $key"
    if openssl pkey -in "$key" -passin file:wrong -noout 2>/dev/null; then
        fail "$key is readable under another passphrase"
    fi
done

# A person at a terminal: asked twice for a new secret, once for an old one, nothing shown.
# typed FILE COMMAND...: types the lines of FILE at the questions of COMMAND on a new terminal.
typed() {
    lines=$1
    shift
    : >screen
    { while IFS= read -r line; do
        sleep 0.7
        printf '%s\n' "$line"
    done <"$lines"; sleep 0.3; } |
        script --quiet --return --command "$*" screen >/dev/null
}
printf 'typed secret\ntyped secret\n' >twice
expect 0 typed twice "$CERTMILL" init --store typed
grep -q "New passphrase" screen || fail "it did not ask"
grep -q "The same again" screen || fail "it did not ask twice"
if grep -q "typed secret" screen; then fail "the passphrase was shown"; fi
printf 'typed secret\n' >once
expect 0 typed once "$CERTMILL" ca create --store typed --name n --type ROOT --config root.json
if grep -q "typed secret" screen; then fail "the passphrase was shown"; fi
if grep -q "The same again" screen; then fail "it asked twice for an old passphrase"; fi
printf 'typed secret\n' >file
expect 0 create m --store typed --passphrase-file file
printf 'typed secret\ntypo secret\n' >twice
expect 1 typed twice "$CERTMILL" init --store differ
grep -q "differ" screen || fail "it did not say that they differ"
[ ! -e differ ] || fail "a store was made with a mistyped passphrase"
# ^C at the question ends the program by that signal, with nothing done and the echo on again.
printf '\003\n' >interrupt
expect 130 typed interrupt "$CERTMILL" init --store stopped
[ ! -e stopped ] || fail "a store was made without a passphrase"
