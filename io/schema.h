/*
 * Keys and values on disk: versioned, big-endian integers, strings and byte strings with their
 * length before them. One struct, one encoder and one decoder per table; a decoder refuses anything
 * that is not exactly a row (CA_CORRUPT "bad-row", naming the table), so every row has one
 * encoding.
 *
 * Encoders append to a buffer (check it with ca_buf_status once). Decoded byte strings are views
 * into the value given. Pure functions; any thread.
 */
#ifndef IO_SCHEMA_H
#define IO_SCHEMA_H

#include "io/store.h"

#define SCHEMA_UUID_LEN 16
#define SCHEMA_HASH_LEN 32
#define SCHEMA_SERIAL_LEN 18            /* our own serials; foreign ones live in cert_foreign */
#define SCHEMA_KNOWN_LEN 16             /* octets of a key's hash (engine/key_check.h) */
#define SCHEMA_NAME_MAX 255             /* octets of a CA's or job's name */
#define SCHEMA_ID_MAX 255               /* octets of a manifest id or file name */
#define SCHEMA_RECORD_MAX 16384         /* octets of a refused record that are kept */

/* meta / "identity": written by init, never changed. */
struct schema_identity {
    uint32_t schema_version;
    uint8_t store_id[SCHEMA_UUID_LEN];
    struct ca_bytes region, account;    /* "local", "000000000000" */
    int64_t created_ms;
    bool encrypted;                     /* false: init --no-passphrase */
};

/* meta / "clock": written with every group. */
struct schema_clock {
    int64_t last_tick_ms;       /* highest tick drawn */
    int64_t high_time_ms;       /* highest time seen */
    uint32_t last_ca, last_job; /* highest numbers given */
};

/* State as remembered; EXPIRED is derived from the certificate and the clock. Stored numbers. */
enum schema_ca_state {
    SCHEMA_CA_CREATING = 1, SCHEMA_CA_PENDING_CERTIFICATE = 2, SCHEMA_CA_ACTIVE = 3,
    SCHEMA_CA_DISABLED = 4, SCHEMA_CA_FAILED = 5, SCHEMA_CA_DELETED = 6,
    SCHEMA_CA_TOMBSTONE = 7     /* deleted and past its restore window: key erased, row stays */
};

struct schema_ca {
    uint8_t uuid[SCHEMA_UUID_LEN];
    struct ca_bytes name;
    bool is_root;
    uint8_t state;              /* enum schema_ca_state */
    uint8_t state_before;       /* what restore gives back; 0 unless DELETED */
    bool short_lived;           /* UsageMode */
    uint8_t key_alg, sig_alg;   /* enum ca_key_alg, enum ca_sig_alg */
    int64_t created_ms, changed_ms;
    int64_t restorable_until_ms;        /* 0 unless DELETED */
    uint32_t generation;        /* counts imported CA certificates; 0: none yet */
    uint32_t scope;             /* CRL scope that certificates get now; 0: the complete CRL */
    uint32_t scope_used;        /* certificates in that scope */
    struct ca_bytes config;     /* canonical JSON of CertificateAuthorityConfiguration */
    struct ca_bytes revocation; /* canonical JSON of RevocationConfiguration */
    struct ca_bytes tags;       /* JSON array of {"Key","Value"} */
    struct ca_bytes subject;    /* Name, DER */
    struct ca_bytes spki;       /* DER */
    struct ca_bytes csr;        /* DER */
    struct ca_bytes cert;       /* DER; .len 0 before import */
    struct ca_bytes chain;      /* DER certificates one after the other, issuer first */
};

struct schema_token {
    uint8_t arguments[SCHEMA_HASH_LEN];     /* SHA-256 of what was asked */
    int64_t created_ms;
    struct ca_bytes result;                 /* ca: u32 number; issue: 18 octets of serial */
};

enum schema_token_operation { SCHEMA_TOKEN_CREATE_CA = 1, SCHEMA_TOKEN_ISSUE = 2 };

struct schema_cert {
    uint32_t ca_generation;
    uint32_t scope;             /* CRL scope */
    uint64_t profile;           /* first eight octets of the profile's hash */
    int64_t not_before_s, not_after_s;
    uint32_t job;               /* 0: a single issue */
    uint64_t ordinal;
    struct ca_bytes der;
};

enum schema_job_state {
    SCHEMA_JOB_RUNNING = 1, SCHEMA_JOB_INTERRUPTED = 2, SCHEMA_JOB_COMPLETED = 3,
    SCHEMA_JOB_FAILED = 4, SCHEMA_JOB_CANCELLED = 5
};

struct schema_job {
    uint8_t uuid[SCHEMA_UUID_LEN];
    struct ca_bytes name;
    uint8_t state;              /* enum schema_job_state */
    bool finishing;             /* all committed, outputs are getting their final names */
    uint32_t ca;
    uint8_t profile[SCHEMA_HASH_LEN];
    struct ca_bytes spec;       /* JSON: template, validity, inputs, options; what resume repeats */
    struct ca_bytes out_dir;    /* absolute path */
    int64_t created_ms, updated_ms;
    uint64_t done;              /* ordinals below this are committed: the high-water mark */
    uint64_t issued, rejected;
    uint64_t signed_count, discarded;
    uint64_t elapsed_ms;        /* summed over its runs */
    uint64_t out_done;          /* ordinals below this lie within out_lengths */
    uint64_t out_lengths[3];    /* certs, results, rejected */
    uint32_t notices;           /* CA_NOTICE_BIT of engine/notice.h */
    uint64_t ignored;           /* CA_IGNORED_BIT of engine/ignored.h, of all that was issued */
    uint64_t duplicate_keys;    /* issued all the same: the key of an earlier one of the run */
    uint64_t known_keys;        /* likewise: the key had a certificate in the store */
    struct ca_bytes summary;    /* JSON, once completed */
};

/* input: job, ordinal of the first record after the group. */
struct schema_input {
    uint32_t input;
    uint64_t offset;
    uint8_t digest[SCHEMA_HASH_LEN];    /* SHA-256 of everything consumed so far */
};

enum schema_result_status { SCHEMA_RESULT_ISSUED = 1, SCHEMA_RESULT_REJECTED = 2,
                            SCHEMA_RESULT_KNOWN = 3, SCHEMA_RESULT_REPLAYED = 4 };

/* What kind of bytes a refused record is, so that rejected.ndjson can carry it as valid input. */
enum schema_record_kind { SCHEMA_RECORD_NONE = 0, SCHEMA_RECORD_TEXT = 1 /* a PEM block or text */,
                          SCHEMA_RECORD_BINARY = 2, SCHEMA_RECORD_LINE = 3 /* NDJSON line */ };

/* What was said about a request without refusing it. Stored bits. */
enum schema_warning { SCHEMA_WARNING_DUPLICATE_KEY = 1, SCHEMA_WARNING_KNOWN_KEY = 2 };

struct schema_result {
    uint8_t status;                     /* enum schema_result_status */
    uint8_t warnings;                   /* enum schema_warning */
    uint64_t ignored;                   /* CA_IGNORED_BIT of engine/ignored.h */
    uint8_t serial[SCHEMA_SERIAL_LEN];  /* issued, known, replayed */
    struct ca_bytes id;                 /* manifest id or path; .len 0: none */
    bool id_is_null;
    uint16_t reason;                    /* rejected: enum ca_reason */
    struct ca_bytes detail;             /* rejected: one sentence */
    uint32_t input;                     /* rejected: where it came from */
    uint64_t offset;
    uint8_t record_kind;                /* rejected: enum schema_record_kind */
    struct ca_bytes record;             /* rejected: verbatim, at most SCHEMA_RECORD_MAX */
};

/* known: by key hash, the first certificate of ours that this key got. */
struct schema_known {
    uint32_t ca;
    uint8_t serial[SCHEMA_SERIAL_LEN];
};

/* Keys. Each writes all of out and returns a view of it. */
#define SCHEMA_KEY_MAX 511
struct schema_key { uint8_t octets[SCHEMA_KEY_MAX]; size_t len; };
struct ca_bytes schema_key_meta(struct schema_key *key, const char *name);
struct ca_bytes schema_key_ca(struct schema_key *key, uint32_t ca);
struct ca_bytes schema_key_token(struct schema_key *key, enum schema_token_operation operation,
                                 uint32_t ca, const uint8_t token_hash[SCHEMA_HASH_LEN]);
struct ca_bytes schema_key_cert(struct schema_key *key, const uint8_t serial[SCHEMA_SERIAL_LEN],
                                uint32_t ca);
struct ca_bytes schema_key_expiry(struct schema_key *key, int64_t not_after_s, uint32_t ca,
                                  const uint8_t serial[SCHEMA_SERIAL_LEN]);
struct ca_bytes schema_key_job(struct schema_key *key, uint32_t job);
struct ca_bytes schema_key_ordinal(struct schema_key *key, uint32_t job, uint64_t ordinal);
struct ca_bytes schema_key_id(struct schema_key *key, uint32_t job, struct ca_bytes id);
struct ca_bytes schema_key_profile(struct schema_key *key, const uint8_t hash[SCHEMA_HASH_LEN]);
struct ca_bytes schema_key_known(struct schema_key *key, const uint8_t key_hash[SCHEMA_KNOWN_LEN]);
/* revoked: CA, scope, serial (len octet and octets, so that foreign ones fit). */
struct ca_bytes schema_key_revoked(struct schema_key *key, uint32_t ca, uint32_t scope,
                                   struct ca_bytes serial);

/* Key readers: CA_CORRUPT "bad-row" for a key of another length. */
CA_MUST_CHECK enum ca_status schema_read_key_cert(struct ca_bytes key,
                                                  uint8_t serial[SCHEMA_SERIAL_LEN], uint32_t *ca,
                                                  struct ca_error *err);
CA_MUST_CHECK enum ca_status schema_read_key_expiry(struct ca_bytes key, int64_t *not_after_s,
                                                    uint32_t *ca,
                                                    uint8_t serial[SCHEMA_SERIAL_LEN],
                                                    struct ca_error *err);
CA_MUST_CHECK enum ca_status schema_read_key_u32(struct ca_bytes key, uint32_t *number,
                                                 struct ca_error *err);      /* ca, job */
CA_MUST_CHECK enum ca_status schema_read_key_ordinal(struct ca_bytes key, uint32_t *job,
                                                     uint64_t *ordinal, struct ca_error *err);

/* Values. */
void schema_encode_identity(const struct schema_identity *row, struct ca_buf *out);
void schema_encode_clock(const struct schema_clock *row, struct ca_buf *out);
void schema_encode_ca(const struct schema_ca *row, struct ca_buf *out);
void schema_encode_token(const struct schema_token *row, struct ca_buf *out);
void schema_encode_cert(const struct schema_cert *row, struct ca_buf *out);
void schema_encode_job(const struct schema_job *row, struct ca_buf *out);
void schema_encode_input(const struct schema_input *row, struct ca_buf *out);
void schema_encode_result(const struct schema_result *row, struct ca_buf *out);
void schema_encode_known(const struct schema_known *row, struct ca_buf *out);
CA_MUST_CHECK enum ca_status schema_decode_identity(struct ca_bytes value,
                                                    struct schema_identity *row,
                                                    struct ca_error *err);
CA_MUST_CHECK enum ca_status schema_decode_clock(struct ca_bytes value, struct schema_clock *row,
                                                 struct ca_error *err);
CA_MUST_CHECK enum ca_status schema_decode_ca(struct ca_bytes value, struct schema_ca *row,
                                              struct ca_error *err);
CA_MUST_CHECK enum ca_status schema_decode_token(struct ca_bytes value, struct schema_token *row,
                                                 struct ca_error *err);
CA_MUST_CHECK enum ca_status schema_decode_cert(struct ca_bytes value, struct schema_cert *row,
                                                struct ca_error *err);
CA_MUST_CHECK enum ca_status schema_decode_job(struct ca_bytes value, struct schema_job *row,
                                               struct ca_error *err);
CA_MUST_CHECK enum ca_status schema_decode_input(struct ca_bytes value, struct schema_input *row,
                                                 struct ca_error *err);
CA_MUST_CHECK enum ca_status schema_decode_result(struct ca_bytes value, struct schema_result *row,
                                                  struct ca_error *err);
CA_MUST_CHECK enum ca_status schema_decode_known(struct ca_bytes value, struct schema_known *row,
                                                 struct ca_error *err);
/* id table: ordinal. */
void schema_encode_ordinal(uint64_t ordinal, struct ca_buf *out);
CA_MUST_CHECK enum ca_status schema_decode_ordinal(struct ca_bytes value, uint64_t *ordinal,
                                                   struct ca_error *err);

#endif
