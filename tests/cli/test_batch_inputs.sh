#!/usr/bin/env bash
# Inputs of every shape, the bad ones above all: each bad request is one clear refusal, each bad
# input one clear error, and nothing else is lost.
#
# environment: LINES_MAX lines of the long NDJSON (200000; two million with LONG=1)
set -euo pipefail
# shellcheck source=tests/cli/expect.sh
. "$(dirname "$0")/expect.sh"
# shellcheck source=tests/cli/job.sh
. "$tests/job.sh"

lines_max=${LINES_MAX:-$([ "${LONG:-}" = 1 ] && echo 2000000 || echo 200000)}

# ---- what the cases are made of ----

make_requests() {
    expect 0 "$GEN_REQUESTS" -n 8 --directory -o requests
    for i in 1 2 3 4 5 6 7 8; do
        mv "requests/device-00000$i.csr" "$i.pem"
        openssl req -in "$i.pem" -outform DER -out "$i.der"
        openssl base64 -A -in "$i.der" >"$i.base64"
    done
    rmdir requests
}

# pem_of LABEL DER
pem_of() {
    printf -- '-----BEGIN %s-----\n' "$1"
    openssl base64 -in "$2"
    printf -- '-----END %s-----\n' "$1"
}

# line DEVICE [ID]: an NDJSON line.
line() { printf '{"id":"%s","csr":"%s"}\n' "${2:-id-$1}" "$(cat "$1.base64")"; }

# Noise that is the same every time, begins like nothing we know and has no "-----BEGIN" in it.
make_noise() {
    head -c 65536 /dev/zero | openssl enc -aes-128-ctr -K 000102030405060708090a0b0c0d0e0f \
        -iv 0a0000000000000000000000000000ff >noise
    case $(head -c 1 noise | od -An -tx1) in *30* | *7b*) fail "noise begins like a request" ;; esac
    ! grep -qa -e '-----BEGIN' noise || fail "noise has a PEM block"
}

# The last octet of a request belongs to its signature: another value is still good DER.
make_forged() {
    local last
    last=$(tail -c 1 4.der | od -An -tu1)
    { head -c -1 4.der; printf '%b' "\\0$(printf %o $(((last + 1) % 256)))"; } >forged.der
    same "$(stat -c %s forged.der)" "$(stat -c %s 4.der)"
    # Of openssl 3.0 and 3.5 only the later one says it by its exit code.
    openssl req -in forged.der -inform DER -verify -noout >verified 2>&1 || true
    grep -qi failure verified || fail "not forged"
    openssl req -in forged.der -inform DER -out forged.pem
}

# ---- single inputs that are no good at all ----

nothing_in_it() {
    : >empty.pem
    run 1 empty empty.pem
    stops "$work/empty.pem" empty
    leaves_nothing empty
    run 1 empty 1.pem empty.pem 2.pem
    stops "$work/empty.pem" empty
    leaves_nothing empty
    mkdir nobody-in
    run 1 empty nobody-in
    stops "$work/nobody-in" empty
    leaves_nothing empty
    run 1 empty nosuch.pem
    stops nosuch.pem "No such file"
    leaves_nothing empty
    ln -s nosuch.pem dangling.pem
    run 1 empty dangling.pem
    stops dangling.pem "No such file"
    leaves_nothing empty
    # For people: one line on stderr, nothing on stdout.
    expect 1 certmill batch run --ca root --out empty empty.pem
    silent out
    says err "$work/empty.pem: the file is empty"
}

no_regular_file() {
    mkfifo pipe.pem
    expect 1 timeout 10 "$CERTMILL" batch run --json --ca root --out pipe --job pipe pipe.pem
    stops "$work/pipe.pem" "regular file"
    leaves_nothing pipe
    run 1 pipe /dev/null
    stops /dev/null "regular file"
    leaves_nothing pipe
}

# no_record FILE MESSAGE: it holds nothing to issue, and the same command works once it is mended.
no_record() {
    local job=$1-job
    run 1 "$job" "$1"
    stops "$work/$1" "$2"
    json .error.resumable false
    json '.error.hint | contains("repeat the command")' true
    [ ! -e "$job" ] || same "$(ls -A "$job")" ""
    certmill batch list --json | jq -e --arg job "$job" 'all(.jobs[]; .name != $job)' >/dev/null ||
        fail "a job is left of $1"
    cat 1.pem >"$1"
    run 0 "$job" "$1"
    certs "$job" 1
}

garbage() {
    cp noise noise.pem
    no_record noise.pem "no PEM block"
    printf 'Dear CA,\nplease find my request attached.\n' >letter.pem
    no_record letter.pem "no PEM block"
    printf ' \n\t\r\n\n' >blank.pem
    no_record blank.pem "no PEM block"
    # Around good requests it is text between blocks, and text is ignored.
    { cat noise; echo; cat 1.pem noise; echo; cat 2.pem noise; } >mud.pem
    run 0 mud mud.pem
    certs mud 1 2
    # As a manifest every line of it is one refusal.
    { line 1; head -c 1000 noise | tr -d '\n'; echo; line 2; } >mud.ndjson
    run 3 mudlines mud.ndjson
    certs mudlines 1 2
    refused mudlines 1:bad-json
    # Nothing before it is lost: what one worker cannot have had all at once is durable by then in
    # part, and resume goes on behind it.
    expect 0 "$GEN_REQUESTS" -n 2000 -o front.pem
    cp noise back.pem
    run 1 second --workers 1 front.pem back.pem
    stops "$work/back.pem" "no PEM block"
    json '.error.hint | contains("go on with: certmill batch resume second")' true
    json .error.resumable true
    json '.issued > 0 and .issued < 2000' true
    cat 1.pem >back.pem
    expect 0 certmill batch resume second --json
    whole second
    # shellcheck disable=SC2046
    certs second $(seq 2000) 1
}

# ---- bad requests among good ones ----

truncated() {
    local half
    half=$(($(wc -l <2.pem) / 2))
    { cat 1.pem; head -n "$half" 2.pem; cat 3.pem; } >cut.pem
    run 3 cut cut.pem
    certs cut 1 3
    refused cut 1:bad-pem
    { cat 1.pem; head -n "$half" 2.pem; } >cut-end.pem
    run 3 cutend cut-end.pem
    certs cutend 1
    refused cutend 1:bad-pem
    { cat 1.pem; head -n 1 2.pem | tr -d '\n'; } >cut-begin.pem
    run 3 cutbegin cut-begin.pem
    certs cutbegin 1
    refused cutbegin 1:bad-pem
    # Half the text with both lines around it: good PEM, bad DER.
    { cat 1.pem; head -n "$half" 2.pem; tail -n 1 2.pem; cat 3.pem; } >cut-base64.pem
    run 3 cutbase64 cut-base64.pem
    certs cutbase64 1 3
    refused cutbase64 1:bad-der
    sed 's/^MII/M*I/' 2.pem | cat 1.pem - 3.pem >star.pem
    run 3 star star.pem
    certs star 1 3
    refused star 1:bad-pem
    head -c 100 2.der >cut.der
    run 3 cutder 1.pem cut.der 3.der
    certs cutder 1 3
    refused cutder 1:bad-der
    { cat 2.der; echo more; } >long.der
    run 3 longder long.der 3.der
    certs longder 3
    refused longder 0:trailing-data
}

wrong_label() {
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem 2>/dev/null
    expect 0 certmill ca cert root
    cp out root.pem
    {
        cat 1.pem root.pem 2.pem key.pem
        pem_of "NEW CERTIFICATE REQUEST" 3.der
        pem_of POTATO 4.der
    } >labels.pem
    run 3 labels labels.pem
    certs labels 1 2 3
    refused labels 1:wrong-label 3:wrong-label 5:wrong-label
    same "$(jq 'select(.ordinal == 5) | .detail | contains("POTATO")' labels/rejected.ndjson)" true
}

broken_signature() {
    cat 1.pem forged.pem 2.pem >forged-bundle.pem
    run 3 forged forged-bundle.pem
    certs forged 1 2
    refused forged 1:bad-signature
    # The same request as a line and as a file in a directory.
    openssl base64 -A -in forged.der >forged.base64
    { line 1; line forged liar; line 2; } >forged.ndjson
    run 3 forgedlines forged.ndjson
    certs forgedlines 1 2
    refused forgedlines 1:bad-signature
    same "$(jq -r .id forgedlines/rejected.ndjson)" liar
    # Alone it must not become a certificate of its neighbour's.
    run 3 forgedalone forged.der
    certs forgedalone
    refused forgedalone 0:bad-signature
}

# ---- sizes ----

# quick SECONDS COMMAND...: within this time.
quick() {
    local limit=$1 begun
    shift
    begun=$(date +%s%N)
    "$@"
    [ $(($(date +%s%N) - begun)) -le $((limit * 1000000000)) ] || fail "more than $limit s: $*"
}

# A GiB cannot have been in memory when the peak is this little above a small run's.
little_memory() {
    local peak
    peak=$(jq .peak_rss_kib "$work/out")
    [ "$peak" -le $((small_run_kib + 32768)) ] ||
        fail "$peak KiB at the peak, $small_run_kib for a small run"
}

gibibyte() {
    cat 1.pem 2.pem 3.pem >small.pem
    run 0 small small.pem
    small_run_kib=$(jq .peak_rss_kib "$work/out")
    [ "$small_run_kib" -gt 0 ] || fail "no peak"
    truncate -s 1G huge.pem
    quick 10 run 1 huge huge.pem
    stops "$work/huge.pem" "no PEM block"
    little_memory
    { echo; cat 1.pem; } >>huge.pem
    quick 10 run 0 huge2 huge.pem
    certs huge2 1
    little_memory
    rm huge.pem
    # One line of a GiB, then a good one.
    truncate -s 1G huge.ndjson
    { echo; line 2; } >>huge.ndjson
    quick 10 run 3 huge3 huge.ndjson
    certs huge3 2
    refused huge3 0:record-too-long
    little_memory
    rm huge.ndjson
    # In a directory the size tells.
    mkdir sizes
    cp 1.pem sizes/a
    truncate -s 1G sizes/b
    cp 2.pem sizes/c
    : >sizes/d
    quick 5 run 3 sizes1 sizes
    certs sizes1 1 2
    refused sizes1 1:record-too-long 3:empty
    little_memory
    rm -r sizes
}

# Just under and just over the limit of a record, in each form.
record_limit() {
    local limit=65536 len
    len=$(line 1 | wc -c)
    # The line end is no part of the record: blanks inside the object fill it up.
    for more in 0 1; do
        {
            printf '{%*s' $((limit - len + 1 + more)) ''
            line 1 | sed 's/^{//'
            line 2
        } >"line$more.ndjson"
    done
    same "$(head -n 1 line0.ndjson | wc -c)" $((limit + 1))
    run 0 limit0 line0.ndjson
    certs limit0 1 2
    run 3 limit1 line1.ndjson
    certs limit1 2
    refused limit1 0:record-too-long
}

# ---- what lies in a directory ----

not_files() {
    mkdir mixed mixed/subdirectory
    cp 1.pem mixed/a.pem
    cp 1.pem mixed/subdirectory/below.pem
    mkfifo mixed/fifo
    ln -s a.pem mixed/link
    ln -s nowhere mixed/link-to-nothing
    ln -s "$work/2.pem" mixed/link-out
    cp 3.pem mixed/z.pem
    quick 10 run 3 mixed1 mixed
    certs mixed1 1 3
    refused mixed1 1:not-a-file 2:not-a-file 3:not-a-file 4:not-a-file 5:not-a-file
    same "$(jq -r .id mixed1/results.ndjson | tr '\n' ' ')" \
        "a.pem fifo link link-out link-to-nothing subdirectory z.pem "
    # A link that the user names is followed; what lies behind it is what is read.
    ln -s 1.pem named-link.pem
    run 0 namedlink named-link.pem
    certs namedlink 1
}

several_in_a_file() {
    mkdir forms
    cp 1.pem forms/1-pem
    cp 2.der forms/2-der
    cat 3.pem 4.pem >forms/3-two
    cp noise forms/4-noise
    { printf '\060'; head -c 500 noise; } >forms/5-noise
    : >forms/6-empty
    { echo "Subject: mine"; cat 5.pem; echo "kind regards"; } >forms/7-letter
    sed 's/$/\r/' 6.pem >forms/8-crlf
    printf '\357\273\277' | cat - 7.pem >forms/9-bom
    run 3 forms1 forms
    certs forms1 1 2 5 6 7
    refused forms1 2:several-requests 3:bad-pem 4:bad-der 5:empty
    same "$(jq -r 'select(.ordinal == 2) | .id' forms1/rejected.ndjson)" 3-two
}

# as_nobody COMMAND...: without root's right to read everything.
as_nobody() {
    if [ "$(id -u)" -eq 0 ]; then
        setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
    else
        "$@"
    fi
}

# Someone else's work: a directory, a store and requests of a user to whom modes mean something.
unreadable() {
    local theirs=$work/theirs
    [ "$(id -u)" -ne 0 ] || need setpriv
    mkdir theirs theirs/in theirs/closed
    cp "$CERTMILL" theirs/certmill
    cp 1.pem theirs/in/1.pem
    cp 2.pem theirs/in/2.pem
    cp 3.pem theirs/in/3.pem
    cp 4.pem theirs/closed/4.pem
    cp root.json theirs/
    chmod 711 "$work"
    [ "$(id -u)" -ne 0 ] || chown -R 65534:65534 theirs
    chmod 000 theirs/in/2.pem theirs/closed
    (
        cd theirs
        certmill() { as_nobody "$theirs/certmill" "$@"; }
        CERTMILL_STORE=$theirs/store
        ! as_nobody cat in/2.pem >/dev/null 2>&1 || fail "modes mean nothing here"
        expect 0 certmill init --no-passphrase
        expect 0 certmill ca create --name root --type ROOT --config root.json
        expect 0 certmill ca activate root
        run 1 named in/2.pem
        stops "$theirs/in/2.pem" "Permission denied"
        leaves_nothing named
        run 1 named in/1.pem in/2.pem in/3.pem
        stops "$theirs/in/2.pem" "Permission denied"
        leaves_nothing named
        run 1 shut closed
        stops "$theirs/closed" "Permission denied"
        leaves_nothing shut
        run 3 among in
        certs among 1 3
        refused among 1:unreadable
        same "$(jq -r '.detail | contains("Permission denied")' among/rejected.ndjson)" true
        same "$(jq -r .id among/rejected.ndjson)" 2.pem
    )
    chmod 700 theirs/closed "$work"
}

# ---- manifests ----

manifest() {
    {
        line 1 alpha
        printf '{"csr":"%s"}\n' "$(cat 2.base64)"
        jq -Rs -c '{csr: ., id: "gr\u00fc\u00df \"quoted\" \\ \n"}' <3.pem
        printf '{"id":null,"csr":"%s"}\n' "$(cat 4.base64)"
        echo
        printf '  \t\r\n'
        printf '{"id":"after-blanks", "csr" : "%s" }\n' "$(cat 5.base64)"
    } >good.ndjson
    run 0 manifest good.ndjson
    certs manifest 1 2 3 4 5
    jq -c .id manifest/results.ndjson >ids
    printf '%s\n' '"alpha"' null '"grüß \"quoted\" \\ \n"' null '"after-blanks"' | cmp -s - ids ||
        fail "the ids changed: $(cat ids)"
    {
        line 1
        echo '{"id":"a","csr":"AAAA"'
        echo '{"id":"b","cert":"AAAA"}'
        echo '{"id":"c"}'
        echo '{"id":7,"csr":"AAAA"}'
        echo '{"id":"d","csr":""}'
        echo '{"id":"e","csr":null}'
        echo '["id"]'
        echo '{"id":"f","csr":"AA\qA"}'
        echo '{"id":"g","id":"h","csr":"AAAA"}'
        printf '{"id":"%0256d","csr":"AAAA"}\n' 0
        line 2
        printf '{"id":"f","csr":"%s"} x\n' "$(cat 3.base64)"
        line 4
    } >bad.ndjson
    run 3 badlines bad.ndjson
    certs badlines 1 2 4
    refused badlines 1:bad-json 2:unknown-member 3:no-request 4:bad-id 5:no-request 6:no-request \
        7:bad-json 8:bad-json 9:bad-json 10:bad-id 12:bad-json
    # The name alone makes it a manifest, whatever is in it; and so does the first octet.
    cp 1.pem 1-pem.ndjson
    run 3 pemlines 1-pem.ndjson
    certs pemlines
    same "$(jq -r .code pemlines/rejected.ndjson | sort -u)" bad-json
    cp good.ndjson good.txt
    run 0 sniffed good.txt
    certs sniffed 1 2 3 4 5
}

# A bad line in the middle of very many, all of the same request.
many_lines() {
    local bad=$((lines_max / 2)) wanted
    base64=$(cat 1.base64) awk -v n="$lines_max" -v bad="$bad" 'BEGIN {
        for (i = 0; i < n; i++) {
            if (i == bad) printf "{\"id\":\"n%d\",\"csr\":\"%s\n", i, ENVIRON["base64"]
            else printf "{\"id\":\"n%d\",\"csr\":\"%s\"}\n", i, ENVIRON["base64"]
        }
    }' >many.ndjson
    same "$(wc -l <many.ndjson)" "$lines_max"
    run 3 many many.ndjson
    refused many "$bad:bad-json"
    same "$(summary_of many .issued)" $((lines_max - 1))
    # Each line's id beside its own ordinal, and in certs.pem the serials in the order of the lines.
    jq -r 'select(.status == "issued") | "\(.ordinal) \(.id)"' many/results.ndjson |
        awk '"n" $1 != $2 { bad = 1 } END { exit bad || NR == 0 }' || fail "ids out of place"
    for wanted in 1 $((bad)) $((bad + 1)) $((lines_max - 1)); do
        awk -v n="$wanted" '/^-----BEGIN/ { at++ } at == n; at > n { exit }' many/certs.pem |
            openssl x509 -noout -serial | sed 's/^serial=//' | tr A-F a-f >serial
        same "$(cat serial)" "$(sed -n "${wanted}p" many.serials)"
    done
    rm -r many many.ndjson
}

# ---- line ends, marks, streams ----

line_ends() {
    cat 1.pem 2.pem 3.pem | sed 's/$/\r/' >crlf.pem
    run 0 crlf crlf.pem
    certs crlf 1 2 3
    { line 1; line 2; } | sed 's/$/\r/' >crlf.ndjson
    run 0 crlflines crlf.ndjson
    certs crlflines 1 2
    cat 1.pem 2.pem | head -c -1 >no-end.pem
    run 0 noend no-end.pem
    certs noend 1 2
    { line 1; line 2; } | head -c -1 >no-end.ndjson
    run 0 noendlines no-end.ndjson
    certs noendlines 1 2
    printf '\357\273\277' | cat - 1.pem 2.pem >bom.pem
    run 0 bom bom.pem
    certs bom 1 2
    { printf '\357\273\277'; line 1; line 2; } >bom.ndjson
    run 0 bomlines bom.ndjson
    certs bomlines 1 2
    cp bom.ndjson bom-lines.txt
    run 0 bomsniffed bom-lines.txt
    certs bomsniffed 1 2
    # Text as openssl req -text writes it, blanks and comments between the blocks.
    {
        echo "# the first"
        openssl req -in 1.pem -text
        printf '\n   \n-----\n'
        openssl req -in 2.pem -text
    } >text.pem
    run 0 text text.pem
    certs text 1 2
}

streams() {
    cat 1.pem forged.pem 2.pem >stream.pem
    run 3 stream - <stream.pem
    certs stream 1 2
    refused stream 1:bad-signature
    # Octet by octet through a pipe: splitting must not depend on how much comes at once.
    mkfifo drip
    (dd if=stream.pem bs=7 status=none >drip) &
    run 3 drops - <drip
    wait
    certs drops 1 2
    { line 1; echo '{"id":'; line 2; } >stream.ndjson
    run 3 streamlines - <stream.ndjson
    certs streamlines 1 2
    refused streamlines 1:bad-json
    run 1 nothing - </dev/null
    stops "standard input" "nothing in it"
    run 1 twice - - </dev/null
    stops "standard input" "2 times"
    leaves_nothing twice
}

several_inputs() {
    mkdir folder
    cp 3.pem folder/b
    cp 4.der folder/a
    cat 1.pem forged.pem >bundle.pem
    { line 5; line 6; } >lines.ndjson
    run 3 several bundle.pem folder lines.ndjson 2.der - 8.der <7.pem
    certs several 1 4 3 5 6 2 7 8
    refused several 1:bad-signature
    same "$(jq -c .id several/results.ndjson | tr '\n' ' ')" \
        'null null "a" "b" "id-5" "id-6" null null null '
    # The same input twice is twice the requests.
    run 0 doubled 1.pem 1.pem
    certs doubled 1 1
}

# ---- what comes out ----

# Each refused record, made good in place, is an input again and keeps its id.
mended() {
    mkdir broken
    cp forged.pem broken/1-forged
    cat 1.pem 2.pem >broken/2-two
    : >broken/3-empty
    head -c 1000 noise >broken/4-noise
    mkdir broken/5-directory
    { line 1; echo '{"id":"half","csr":"AAAA"}'; line forged liar; } >broken.ndjson
    cat forged.pem root.pem >broken.pem
    run 3 broken1 broken broken.ndjson broken.pem
    refused broken1 0:bad-signature 1:several-requests 2:empty 3:bad-pem 4:not-a-file 6:bad-der \
        7:bad-signature 8:bad-signature 9:wrong-label
    # As it is it is refused again, for the same reasons where there was something to keep.
    run 3 broken2 broken1/rejected.ndjson
    certs broken2
    same "$(jq -r .code broken2/rejected.ndjson | tr '\n' ' ')" \
        "bad-signature several-requests no-request bad-der no-request bad-der bad-signature \
bad-signature wrong-label "
    # Only the requests are mended; the rest of each line stays as it was written.
    jq -c --rawfile csr 3.base64 '.csr = $csr' broken1/rejected.ndjson >mended.ndjson
    run 0 mended1 mended.ndjson
    certs mended1 3 3 3 3 3 3 3 3 3
    same "$(jq -c .id mended1/results.ndjson | tr '\n' ' ')" \
        '"1-forged" "2-two" "3-empty" "4-noise" "5-directory" "half" "liar" null null '
    # A line that was no JSON cannot be kept as one; its text is there to be mended by hand.
    { line 1; echo '{"id":"x","csr":"AAAA'; } >torn.ndjson
    run 3 torn torn.ndjson
    same "$(jq -r .csr torn/rejected.ndjson)" '{"id":"x","csr":"AAAA'
    # Where nothing was refused there is nothing to run again, and that is said.
    run 1 again mended1/rejected.ndjson
    stops mended1/rejected.ndjson empty
}

per_file() {
    cat 1.pem forged.pem 2.pem 3.pem >per.pem
    run 3 per --per-file per.pem
    certs per 1 2 3
    same "$(find per -type f -name '*.pem' ! -name certs.pem | wc -l)" 3
    # In certs.pem's order the files are certs.pem.
    while read -r serial; do cat "per/$serial.pem"; done <per.serials | cmp -s - per/certs.pem ||
        fail "the single files differ from certs.pem"
}

output_directory() {
    mkdir taken
    echo "not yours" >taken/notes.txt
    run 1 taken 1.pem
    stops "$work/taken" notes.txt
    json '.error.hint | contains("empty directory")' true
    same "$(ls -A taken)" notes.txt
    same "$(cat taken/notes.txt)" "not yours"
    rm -r taken
    leaves_nothing taken
    # Not even the outputs of an earlier job are replaced.
    run 0 earlier 1.pem
    cp -a earlier earlier.kept
    expect 1 certmill batch run --json --ca root --job later --out earlier 2.pem
    stops "$work/earlier" certs.pem
    diff -r earlier earlier.kept || fail "an earlier job's outputs changed"
    leaves_nothing later
    # A name that is taken, a file, a directory under nothing.
    run 1 earlier 2.pem
    json .error.resumable false
    diff -r earlier earlier.kept || fail "an earlier job's outputs changed"
    expect 1 certmill batch run --json --ca root --job file --out 1.pem 2.pem
    stops "$work/1.pem" "directory"
    leaves_nothing file
    expect 1 certmill batch run --json --ca root --job deep --out no/such/place 2.pem
    stops no/such/place ""
    leaves_nothing deep
    # An empty directory is as good as none.
    mkdir fresh
    run 0 fresh 1.pem
    certs fresh 1
}

make_store
make_requests
make_noise
make_forged
nothing_in_it
no_regular_file
garbage
truncated
wrong_label
broken_signature
gibibyte
record_limit
not_files
several_in_a_file
unreadable
manifest
line_ends
streams
several_inputs
mended
per_file
output_directory
many_lines
expect 0 certmill verify --deep
