/*
 * What does a certificate cost in the store? Groups of 4,096 certificates of 700 octets, each with
 * its expiry row, encoded by io/schema and committed by io/store, into an empty store and into one
 * that holds --rows of them. Reference: as many octets appended to a file by write(2) and
 * fdatasync(2).
 */
#include "bench/bench.h"
#include "engine/serial.h"
#include "io/schema.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GROUP_ROWS 4096
#define CHUNK_ROWS 256              /* share a tick, as in a run */
#define CERT_LEN 700
/* About what the keys and values of one certificate have. */
#define ROW_OCTETS (CERT_LEN + 2 * SCHEMA_SERIAL_LEN + 16)
#define ROWS_DEFAULT 200000
#define ROWS_MAX 100000000ul
#define FIRST_TICK_MS INT64_C(1790000000000)
#define YEAR_S INT64_C(31536000)

struct subject {
    struct store *store;
    uint32_t rows;                  /* of a group */
    uint64_t seed;
    int64_t tick_ms;
    uint8_t (*serials)[SCHEMA_SERIAL_LEN];
    uint8_t *ders;
    uint64_t committed;
    struct ca_buf value;
};

struct reference {
    int fd;
    uint8_t *octets;
    size_t len;                     /* of a group: keys and values */
};

static int compare_serials(const void *a, const void *b)
{
    return memcmp(a, b, SCHEMA_SERIAL_LEN);
}

/* Serials and certificates of the next group; not part of what is measured. */
static void prepare_group(struct subject *s)
{
    for (uint32_t i = 0; i < s->rows; i++) {
        uint8_t tick[8];

        if (i % CHUNK_ROWS == 0) s->tick_ms++;
        ca_put_u64(tick, (uint64_t)s->tick_ms);
        memcpy(s->serials[i], tick + 2, 6);
        bench_random_fill(&s->seed, s->serials[i] + 6, SCHEMA_SERIAL_LEN - 6);
    }
    qsort(s->serials, s->rows, sizeof(*s->serials), compare_serials);
    for (uint32_t i = 0; i < s->rows; i++) {
        memcpy(s->ders + (size_t)i * CERT_LEN + 16, s->serials[i], SCHEMA_SERIAL_LEN);
    }
}

static enum ca_status put_row(struct subject *s, struct store_txn *txn, uint32_t i,
                              struct ca_error *err)
{
    struct schema_key key;
    struct schema_cert row = {
        .ca_generation = 1, .profile = 1, .job = 1, .ordinal = s->committed + i,
        .not_before_s = s->tick_ms / 1000, .not_after_s = s->tick_ms / 1000 + YEAR_S,
        .der = ca_bytes_of(s->ders + (size_t)i * CERT_LEN, CERT_LEN),
    };
    enum ca_status st;

    ca_buf_reset(&s->value);
    schema_encode_cert(&row, &s->value);
    st = ca_buf_status(&s->value, "a row", err);
    if (st != CA_OK) return st;
    st = store_put(txn, STORE_CERT, schema_key_cert(&key, s->serials[i], 1),
                   ca_buf_view(&s->value), STORE_APPEND, err);
    if (st != CA_OK) return st;
    return store_put(txn, STORE_EXPIRY, schema_key_expiry(&key, row.not_after_s, 1, s->serials[i]),
                     ca_bytes_of(NULL, 0), STORE_INSERT, err);
}

static enum ca_status commit_group(struct subject *s, struct ca_error *err)
{
    struct store_txn *txn = NULL;
    enum ca_status st = store_begin(s->store, STORE_WRITE, &txn, err);

    for (uint32_t i = 0; st == CA_OK && i < s->rows; i++) {
        st = put_row(s, txn, i, err);
    }
    if (st != CA_OK) {
        store_abort(txn);
        return st;
    }
    s->committed += s->rows;
    return store_commit(txn, err);
}

/* The checksum covers the serials and what the store says it holds. */
static enum ca_status check_group(struct subject *s, uint64_t *checksum, struct ca_error *err)
{
    struct store_txn *txn = NULL;
    uint8_t octets[8];
    uint64_t count = 0;
    enum ca_status st = store_begin(s->store, STORE_READ, &txn, err);

    if (st != CA_OK) return st;
    st = store_count(txn, STORE_EXPIRY, &count, err);
    store_abort(txn);
    if (st == CA_OK && count != s->committed)
        st = ca_fail(err, CA_CORRUPT, "the store has lost rows");
    ca_put_u64(octets, count);
    *checksum = bench_checksum(BENCH_CHECKSUM_INIT, ca_bytes_of(octets, sizeof(octets)));
    *checksum = bench_checksum(*checksum, ca_bytes_of(s->serials,
                                                      s->rows * sizeof(*s->serials)));
    return st;
}

static enum ca_status run_subject(void *ctx, unsigned slice, struct bench_slice *out,
                                  struct ca_error *err)
{
    struct subject *s = ctx;
    double cpu_s, wall_s;
    enum ca_status st;

    (void)slice;
    prepare_group(s);
    cpu_s = bench_cpu_s(BENCH_CPU_PROCESS);
    wall_s = bench_wall_s();
    st = commit_group(s, err);
    out->wall_s = bench_wall_s() - wall_s;
    out->cpu_s = bench_cpu_s(BENCH_CPU_PROCESS) - cpu_s;
    out->ops = s->rows;
    return st == CA_OK ? check_group(s, &out->checksum, err) : st;
}

static enum ca_status run_reference(void *ctx, unsigned slice, struct bench_slice *out,
                                    struct ca_error *err)
{
    struct reference *r = ctx;
    size_t written = 0;

    (void)slice;
    while (written < r->len) {
        ssize_t n = write(r->fd, r->octets + written, r->len - written);

        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return ca_fail_errno(err, errno, "cannot write the reference's file");
        written += (size_t)n;
    }
    if (fdatasync(r->fd) != 0) return ca_fail_errno(err, errno, "cannot sync the reference's file");
    out->ops = r->len / ROW_OCTETS;
    out->checksum = r->len;
    return CA_OK;
}

static enum ca_status open_subject(struct subject *s, const char *dir, uint32_t rows,
                                   struct ca_error *err)
{
    char path[512];
    enum ca_status st;

    *s = (struct subject){ .rows = rows, .seed = 1, .tick_ms = FIRST_TICK_MS };
    ca_buf_init(&s->value, 4096);
    (void)snprintf(path, sizeof(path), "%s/store", dir);
    s->serials = calloc(rows, sizeof(*s->serials));
    s->ders = calloc(rows, CERT_LEN);
    if (s->serials == NULL || s->ders == NULL) return ca_fail(err, CA_NOMEM, "no memory");
    bench_random_fill(&s->seed, s->ders, (size_t)rows * CERT_LEN);
    st = store_create(path, 4096, NULL, NULL, err);
    return st == CA_OK ? store_open(path, STORE_WRITE, &s->store, err) : st;
}

static void close_subject(struct subject *s)
{
    store_close(s->store);
    free(s->serials);
    free(s->ders);
    ca_buf_clear(&s->value);
}

/* Keys and values of as many rows as a group has. */
static enum ca_status open_reference(struct reference *r, const char *dir, uint32_t rows,
                                     struct ca_error *err)
{
    char path[512];
    uint64_t seed = 2;

    *r = (struct reference){ .fd = -1 };
    r->len = (size_t)rows * ROW_OCTETS;
    r->octets = malloc(r->len);
    if (r->octets == NULL) return ca_fail(err, CA_NOMEM, "no memory");
    bench_random_fill(&seed, r->octets, r->len);
    (void)snprintf(path, sizeof(path), "%s/reference", dir);
    r->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    return r->fd >= 0 ? CA_OK : ca_fail_errno(err, errno, "cannot make %s", path);
}

static void close_reference(struct reference *r)
{
    if (r->fd >= 0) (void)close(r->fd);
    free(r->octets);
}

static enum ca_status fill(struct subject *s, uint64_t rows, struct ca_error *err)
{
    enum ca_status st = CA_OK;

    while (st == CA_OK && s->committed < rows) {
        prepare_group(s);
        st = commit_group(s, err);
    }
    return st;
}

static enum ca_status measure(const struct bench_options *options, struct subject *s,
                              struct reference *r, uint64_t held, struct ca_error *err)
{
    const struct bench_side subject = { "io/store", run_subject, s };
    const struct bench_side reference = { "write+fdatasync", run_reference, r };
    struct bench_result result;
    struct store_stat before, after;
    char params[160], extra[160];
    uint64_t committed;
    enum ca_status st = fill(s, held, err);

    if (st == CA_OK) st = store_stat(s->store, &before, err);
    if (st != CA_OK) return st;
    committed = s->committed;
    st = bench_compare(options, BENCH_CPU_PROCESS, &subject, &reference, &result, err);
    if (st == CA_OK) st = store_stat(s->store, &after, err);
    if (st != CA_OK) return st;
    (void)snprintf(params, sizeof(params),
                   "\"group_rows\":%u,\"cert_octets\":%d,\"rows_held\":%llu", (unsigned)s->rows,
                   CERT_LEN, (unsigned long long)committed);
    (void)snprintf(extra, sizeof(extra), "\"file_octets_per_row\":%.1f,\"rows_at_end\":%llu",
                   (double)(after.used_bytes - before.used_bytes) /
                       (double)(s->committed - committed),
                   (unsigned long long)s->committed);
    return bench_print("store", params, &subject, &reference, &result, extra, err);
}

static enum ca_status run(const struct bench_options *options, uint64_t rows, const char *dir,
                          struct ca_error *err)
{
    uint32_t group = options->tiny ? CHUNK_ROWS : GROUP_ROWS;
    struct subject subject;
    struct reference reference;
    enum ca_status st = open_subject(&subject, dir, group, err);
    enum ca_status opened = open_reference(&reference, dir, group, st == CA_OK ? err : NULL);

    if (st == CA_OK) st = opened;
    if (st == CA_OK) st = measure(options, &subject, &reference, 0, err);
    if (st == CA_OK) st = measure(options, &subject, &reference, rows, err);
    close_reference(&reference);
    close_subject(&subject);
    return st;
}

int main(int argc, char **argv)
{
    struct bench_options options;
    struct ca_error err;
    char dir[400];
    uint64_t rows = ROWS_DEFAULT;
    enum ca_status st;

    if (!bench_options_parse(argc, argv, &options)) return 2;
    if (options.argc == 3 && strcmp(options.argv[1], "--rows") == 0) {
        rows = strtoul(options.argv[2], NULL, 10);
        options.argc = 1;
    }
    if (options.argc != 1 || rows > ROWS_MAX) {
        fprintf(stderr, "usage: %s [--tiny] [--runs N] [--dir D] [--rows N]\n", argv[0]);
        return 2;
    }
    if (options.tiny) rows = 8 * CHUNK_ROWS;
    st = bench_dir_make(&options, dir, sizeof(dir), &err);
    if (st != CA_OK) return bench_explain("bench_store", &err);
    st = run(&options, rows, dir, &err);
    bench_dir_remove(dir);
    return st == CA_OK ? 0 : bench_explain("bench_store", &err);
}
