#include "batch/plan.h"
#include "batch/verify_private.h"

#include "engine/cert.h"
#include "engine/key_check.h"

#include <inttypes.h>
#include <string.h>

/* A certificate's row with how sentences name it. */
struct subject {
    uint8_t serial[SCHEMA_SERIAL_LEN];
    char hex[2 * SCHEMA_SERIAL_LEN + 1];
    uint32_t ca;
    struct schema_cert row;
};

static void set_hex(struct subject *s)
{
    ca_hex_encode(ca_bytes_of(s->serial, sizeof(s->serial)), s->hex);
}

static enum ca_status check_index(struct verify *v, struct store_txn *txn, const struct subject *s,
                                  struct ca_error *err)
{
    struct schema_key key;
    struct verify_row row;
    enum ca_status st = verify_look(
        txn, STORE_EXPIRY, schema_key_expiry(&key, s->row.not_after_s, s->ca, s->serial), &row,
        err);

    if (st == CA_OK && !row.found) {
        verify_find(v, "certificate %s: it is missing in the expiry index", s->hex);
    }
    return st;
}

/* A single issue names its profile by the first octets of its hash; a job's is compared with the
 * job. */
static enum ca_status check_single_profile(struct verify *v, struct store_txn *txn,
                                           const struct subject *s, struct ca_error *err)
{
    struct store_cursor *cursor = NULL;
    struct ca_bytes key, value;
    uint8_t id[sizeof(s->row.profile)];
    bool found = false;
    enum ca_status st = store_cursor_open(txn, STORE_PROFILE, &cursor, err);

    if (st != CA_OK) return st;
    ca_put_u64(id, s->row.profile);
    st = store_cursor_seek(cursor, ca_bytes_of(id, sizeof(id)), &found, &key, &value, err);
    store_cursor_close(cursor);
    if (st == CA_CORRUPT) return CA_OK;         /* a damaged row is its own table's finding */
    if (st != CA_OK) return st;
    if (!found || key.len != SCHEMA_HASH_LEN || batch_profile_id(key.data) != s->row.profile) {
        verify_find(v, "certificate %s: its profile is not in the store", s->hex);
    }
    return CA_OK;
}

static enum ca_status check_job_profile(struct verify *v, struct store_txn *txn,
                                        const struct subject *s, struct ca_error *err)
{
    struct schema_key key;
    struct schema_job job;
    struct verify_row row;
    enum ca_status st = verify_look(txn, STORE_JOB, schema_key_job(&key, s->row.job), &row, err);

    if (st != CA_OK) return st;
    if (!row.found) {
        verify_find(v, "certificate %s: its job %u does not exist", s->hex, (unsigned)s->row.job);
        return CA_OK;
    }
    if (row.damaged || schema_decode_job(row.value, &job, NULL) != CA_OK) return CA_OK;
    if (job.ca != s->ca) {
        verify_find(v, "certificate %s: it is CA %u's, but its job asked CA %u", s->hex,
                    (unsigned)s->ca, (unsigned)job.ca);
    }
    if (batch_profile_id(job.profile) != s->row.profile) {
        verify_find(v, "certificate %s: its profile is not its job's", s->hex);
    }
    return CA_OK;
}

static enum ca_status check_job_result(struct verify *v, struct store_txn *txn,
                                       const struct subject *s, struct ca_error *err)
{
    struct schema_key key;
    struct schema_result result;
    struct verify_row row;
    enum ca_status st = verify_look(
        txn, STORE_RESULT, schema_key_ordinal(&key, s->row.job, s->row.ordinal), &row, err);

    if (st != CA_OK) return st;
    if (!row.found) {
        verify_find(v, "certificate %s: job %u has no result for its ordinal %" PRIu64, s->hex,
                    (unsigned)s->row.job, s->row.ordinal);
        return CA_OK;
    }
    if (row.damaged || schema_decode_result(row.value, &result, NULL) != CA_OK) return CA_OK;
    if (result.status != SCHEMA_RESULT_ISSUED ||
        memcmp(result.serial, s->serial, sizeof(s->serial)) != 0) {
        verify_find(v, "certificate %s: the result of job %u, ordinal %" PRIu64 " is another",
                    s->hex, (unsigned)s->row.job, s->row.ordinal);
    }
    return CA_OK;
}

static void check_says_the_same(struct verify *v, const struct subject *s,
                                const struct ca_cert *cert)
{
    if (cert->serial.len != SCHEMA_SERIAL_LEN ||
        memcmp(cert->serial.octets, s->serial, SCHEMA_SERIAL_LEN) != 0) {
        verify_find(v, "certificate %s: its serial is another than its row's", s->hex);
    }
    if (cert->not_after_s != s->row.not_after_s) {
        verify_find(v, "certificate %s: its notAfter is another than its row's", s->hex);
    }
    if (cert->not_before_s != s->row.not_before_s) {
        verify_find(v, "certificate %s: its notBefore is another than its row's", s->hex);
    }
}

/* Under the CA's key, which never changes, whatever certificate the CA had then. */
static enum ca_status check_signature(struct verify *v, const struct subject *s,
                                      const struct ca_cert *cert, struct ca_error *err)
{
    struct ca_spki key;
    bool good = false;
    enum ca_status st;

    if (!ca_bytes_equal(cert->issuer, v->ca.row.subject)) {
        verify_find(v, "certificate %s: its issuer is not CA %u's name", s->hex, (unsigned)s->ca);
    }
    if (ca_spki_parse(v->ca.row.spki, &key, NULL) != CA_OK) return CA_OK;   /* the CA's finding */
    if (cert->sig_alg == CA_SIG_ALG_NONE || !ca_sig_alg_fits_kind(cert->sig_alg, key.kind)) {
        verify_find(v, "certificate %s: its signature algorithm is not for CA %u's key", s->hex,
                    (unsigned)s->ca);
        return CA_OK;
    }
    st = ca_prover_verify(v->prover, &key, cert->sig_alg, cert->tbs, cert->signature, &good, err);
    if (st != CA_OK) return st;
    v->report->verified++;
    if (!good) {
        verify_find(v, "certificate %s: its signature is not CA %u's", s->hex, (unsigned)s->ca);
    }
    return CA_OK;
}

static enum ca_status check_ca_exists(struct verify *v, struct store_txn *txn,
                                      const struct subject *s, struct ca_error *err)
{
    struct schema_key key;
    struct verify_row row;
    enum ca_status st = verify_look(txn, STORE_CA, schema_key_ca(&key, s->ca), &row, err);

    if (st == CA_OK && !row.found) {
        verify_find(v, "certificate %s: its CA %u does not exist", s->hex, (unsigned)s->ca);
    }
    return st;
}

/* The CA's row is read again before anything is said: a run may have opened the scope since the row
 * was loaded for an earlier slice of the walk. */
static enum ca_status check_scope(struct verify *v, struct store_txn *txn, const struct subject *s,
                                  struct ca_error *err)
{
    struct schema_key key;
    struct schema_ca ca;
    struct verify_row row;
    enum ca_status st;

    if (s->row.scope <= v->ca.row.scope) return CA_OK;
    st = verify_look(txn, STORE_CA, schema_key_ca(&key, s->ca), &row, err);
    if (st != CA_OK || !row.found || row.damaged) return st;
    if (schema_decode_ca(row.value, &ca, NULL) != CA_OK || s->row.scope <= ca.scope) return CA_OK;
    verify_find(v, "certificate %s: it is of CRL scope %u, but CA %u has opened %u", s->hex,
                (unsigned)s->row.scope, (unsigned)s->ca, (unsigned)ca.scope);
    return CA_OK;
}

static enum ca_status check_content(struct verify *v, struct store_txn *txn,
                                    const struct subject *s, struct ca_error *err)
{
    struct ca_error why;
    struct ca_cert cert;
    bool found;
    enum ca_status st = verify_load_ca(v, txn, s->ca, &found, err);

    if (st != CA_OK) return st;
    if (!found) {
        st = check_ca_exists(v, txn, s, err);
        if (st != CA_OK) return st;
    } else if (s->row.ca_generation > v->ca.row.generation) {
        verify_find(v, "certificate %s: it is of certificate %u of CA %u, which has had %u", s->hex,
                    (unsigned)s->row.ca_generation, (unsigned)s->ca,
                    (unsigned)v->ca.row.generation);
    }
    if (found) st = check_scope(v, txn, s, err);
    if (st != CA_OK) return st;
    if (ca_cert_parse(s->row.der, &cert, &why) != CA_OK) {
        verify_find(v, "certificate %s: %s", s->hex, why.text);
        return CA_OK;
    }
    check_says_the_same(v, s, &cert);
    if (v->deep) st = verify_template(v, txn, s->hex, s->row.profile, &cert, err);
    return st == CA_OK && v->deep && found ? check_signature(v, s, &cert, err) : st;
}

enum ca_status verify_cert(struct verify *v, struct store_txn *txn, struct ca_bytes key,
                           struct ca_bytes value, struct ca_error *err)
{
    struct ca_error why;
    struct subject s;
    enum ca_status st = schema_read_key_cert(key, s.serial, &s.ca, &why);

    if (st == CA_OK) st = schema_decode_cert(value, &s.row, &why);
    if (st != CA_OK) {
        verify_find(v, "%s", why.text);
        return CA_OK;
    }
    set_hex(&s);
    st = check_index(v, txn, &s, err);
    if (st == CA_OK && s.row.job == 0) st = check_single_profile(v, txn, &s, err);
    if (st == CA_OK && s.row.job != 0) st = check_job_profile(v, txn, &s, err);
    if (st == CA_OK && s.row.job != 0) st = check_job_result(v, txn, &s, err);
    return st == CA_OK ? check_content(v, txn, &s, err) : st;
}

/* ---- what points to certificates ---- */

enum ca_status verify_expiry(struct verify *v, struct store_txn *txn, struct ca_bytes key,
                             struct ca_bytes value, struct ca_error *err)
{
    struct ca_error why;
    struct subject s;
    struct schema_key cert_key;
    struct verify_row row;
    int64_t not_after_s;
    enum ca_status st = schema_read_key_expiry(key, &not_after_s, &s.ca, s.serial, &why);

    if (st != CA_OK) {
        verify_find(v, "%s", why.text);
        return CA_OK;
    }
    set_hex(&s);
    if (value.len != 0) verify_find(v, "expiry of %s: the row has a value", s.hex);
    st = verify_look(txn, STORE_CERT, schema_key_cert(&cert_key, s.serial, s.ca), &row, err);
    if (st != CA_OK) return st;
    if (!row.found) {
        verify_find(v, "expiry of %s: there is no such certificate", s.hex);
    } else if (!row.damaged && schema_decode_cert(row.value, &s.row, NULL) == CA_OK &&
               s.row.not_after_s != not_after_s) {
        verify_find(v, "expiry of %s: the certificate ends at another time", s.hex);
    }
    return CA_OK;
}

enum ca_status verify_revoked(struct verify *v, struct store_txn *txn, struct ca_bytes key,
                              struct ca_bytes value, struct ca_error *err)
{
    struct schema_key cert_key;
    struct subject s;
    struct verify_row row;
    enum ca_status st;

    (void)value;
    if (key.len < 9 || key.len != (size_t)9 + key.data[8]) {
        verify_find(v, "a key of revoked has %zu octets", key.len);
        return CA_OK;
    }
    if (key.data[8] != SCHEMA_SERIAL_LEN) return CA_OK;     /* not one of ours */
    s.ca = ca_get_u32(key.data);
    memcpy(s.serial, key.data + 9, sizeof(s.serial));
    set_hex(&s);
    st = verify_look(txn, STORE_CERT, schema_key_cert(&cert_key, s.serial, s.ca), &row, err);
    if (st != CA_OK) return st;
    if (!row.found) {
        verify_find(v, "revocation of %s: there is no such certificate", s.hex);
    } else if (!row.damaged && schema_decode_cert(row.value, &s.row, NULL) == CA_OK &&
               s.row.scope != ca_get_u32(key.data + 4)) {
        verify_find(v, "revocation of %s: the certificate is of another CRL scope", s.hex);
    }
    return CA_OK;
}

/* Whether the certificate that a known key names has that key. */
static enum ca_status check_known_key(struct verify *v, const char *hex, struct ca_bytes hash,
                                      const struct subject *s, struct ca_error *err)
{
    uint8_t own[CA_KEY_HASH_LEN];
    struct ca_cert cert;
    enum ca_status st;

    if (ca_cert_parse(s->row.der, &cert, NULL) != CA_OK) return CA_OK;   /* its own finding */
    st = ca_key_hash(v->registry->crypto, &cert.key, own, err);
    if (st == CA_OK && !ca_bytes_equal(hash, ca_bytes_of(own, sizeof(own)))) {
        verify_find(v, "known key %s: certificate %s has another key", hex, s->hex);
    }
    return st;
}

enum ca_status verify_known(struct verify *v, struct store_txn *txn, struct ca_bytes key,
                            struct ca_bytes value, struct ca_error *err)
{
    char hex[2 * SCHEMA_KNOWN_LEN + 1];
    struct ca_error why;
    struct schema_key cert_key;
    struct schema_known known;
    struct subject s;
    struct verify_row row;
    enum ca_status st;

    if (key.len != SCHEMA_KNOWN_LEN) {
        verify_find(v, "a key of known has %zu octets", key.len);
        return CA_OK;
    }
    if (schema_decode_known(value, &known, &why) != CA_OK) {
        verify_find(v, "%s", why.text);
        return CA_OK;
    }
    s.ca = known.ca;
    memcpy(s.serial, known.serial, sizeof(s.serial));
    set_hex(&s);
    ca_hex_encode(key, hex);
    st = verify_look(txn, STORE_CERT, schema_key_cert(&cert_key, s.serial, s.ca), &row, err);
    if (st != CA_OK) return st;
    if (!row.found) {
        verify_find(v, "known key %s: there is no certificate %s of CA %u", hex, s.hex,
                    (unsigned)s.ca);
        return CA_OK;
    }
    if (row.damaged || schema_decode_cert(row.value, &s.row, NULL) != CA_OK) return CA_OK;
    return check_known_key(v, hex, key, &s, err);
}
