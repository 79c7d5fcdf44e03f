/*
 * Makes request files from a seed, on all cores: subjects device-000001, device-000002, ..., one
 * DNS SAN each. For demonstrations, benchmarks and tests.
 *
 * Names are a function of the number; keys are random. Output: one PEM bundle, NDJSON lines, or one
 * file per request in a directory.
 */
#include "batch/pool.h"
#include "engine/csr.h"
#include "engine/ext.h"
#include "engine/name.h"
#include "engine/pem.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define BLOCK 256                   /* requests made by a thread at a time */
#define DOMAIN "devices.example"

enum shape { SHAPE_BUNDLE, SHAPE_NDJSON, SHAPE_DIRECTORY };

struct options {
    uint64_t count, first;
    enum ca_key_alg key;
    enum shape shape;
    unsigned threads;
    bool shared_key;                /* one key for all: seconds instead of minutes for RSA */
    const char *out;
};

/* Blocks are handed out and written in order: the same numbers always stand at the same place. */
struct work {
    const struct options *options;
    pthread_mutex_t lock;
    pthread_cond_t turn;
    uint64_t next_block, write_block;
    FILE *file;
    bool failed;
};

struct maker {
    struct ca_crypto *crypto;
    struct ca_key *key;
    struct ca_signer *signer;
    struct ca_buf subject, extensions, san, der, text;
};

static bool complain(const struct ca_error *err)
{
    (void)fprintf(stderr, "gen_requests: %s\n", err->text);
    return false;
}

static bool new_key(struct maker *maker, enum ca_key_alg alg)
{
    struct ca_error err;

    ca_signer_free(maker->signer);
    ca_key_free(maker->key);
    maker->signer = NULL;
    maker->key = NULL;
    if (ca_key_generate(maker->crypto, alg, &maker->key, &err) != CA_OK ||
        ca_signer_new(maker->crypto, maker->key, ca_sig_alg_default(alg), &maker->signer, &err) !=
            CA_OK)
        return complain(&err);
    return true;
}

/* subject CN=NAME, SAN DNS:NAME.DOMAIN */
static bool make_request(struct maker *maker, const char *name)
{
    char dns[96];
    struct ca_error err;

    (void)snprintf(dns, sizeof(dns), "%s." DOMAIN, name);
    ca_buf_reset(&maker->subject);
    ca_buf_reset(&maker->extensions);
    ca_buf_reset(&maker->san);
    ca_buf_reset(&maker->der);
    if (ca_name_add(&maker->subject, CA_ATTRIBUTE_COMMON_NAME, name, &err) != CA_OK)
        return complain(&err);
    ca_der_wrap(&maker->subject, 0, CA_DER_SEQUENCE);
    ca_san_add_dns(&maker->san, dns);
    ca_der_wrap(&maker->san, 0, CA_DER_SEQUENCE);
    ca_ext_add(&maker->extensions, ca_oid_subject_alt_name, false, ca_buf_view(&maker->san));
    if (ca_csr_build(maker->signer, ca_key_spki(maker->key), ca_buf_view(&maker->subject),
                     ca_buf_view(&maker->extensions), &maker->der, &err) != CA_OK)
        return complain(&err);
    return true;
}

static void add_request(struct maker *maker, const struct options *options, const char *name)
{
    if (options->shape == SHAPE_NDJSON) {
        ca_buf_printf(&maker->text, "{\"id\":\"%s\",\"csr\":\"", name);
        ca_base64_append(&maker->text, ca_buf_view(&maker->der));
        ca_buf_append_str(&maker->text, "\"}\n");
        return;
    }
    ca_pem_append(&maker->text, "CERTIFICATE REQUEST", ca_buf_view(&maker->der));
}

static bool write_file(const struct options *options, const char *name, struct ca_bytes text)
{
    char path[4096];
    FILE *file;
    bool good;

    if (snprintf(path, sizeof(path), "%s/%s.csr", options->out, name) >= (int)sizeof(path))
        return false;
    file = fopen(path, "wb");
    if (file == NULL) {
        (void)fprintf(stderr, "gen_requests: %s: %s\n", path, strerror(errno));
        return false;
    }
    good = fwrite(text.data, 1, text.len, file) == text.len;
    return fclose(file) == 0 && good;
}

static bool make_block(struct maker *maker, const struct options *options, uint64_t block)
{
    uint64_t begin = block * BLOCK;
    uint64_t end = begin + BLOCK < options->count ? begin + BLOCK : options->count;

    ca_buf_reset(&maker->text);
    for (uint64_t i = begin; i < end; i++) {
        char name[48];

        (void)snprintf(name, sizeof(name), "device-%06" PRIu64, options->first + i);
        if (!options->shared_key && !new_key(maker, options->key)) return false;
        if (!make_request(maker, name)) return false;
        add_request(maker, options, name);
        if (options->shape == SHAPE_DIRECTORY) {
            if (!write_file(options, name, ca_buf_view(&maker->text))) return false;
            ca_buf_reset(&maker->text);
        }
    }
    return maker->text.failed == CA_OK;
}

/* Waits for its turn, so that blocks stand in order. */
static bool write_block(struct work *work, uint64_t block, bool made, struct ca_bytes text)
{
    bool good;

    (void)pthread_mutex_lock(&work->lock);
    while (work->write_block != block && !work->failed)
        (void)pthread_cond_wait(&work->turn, &work->lock);
    if (!made) work->failed = true;
    if (!work->failed && text.len > 0 &&
        fwrite(text.data, 1, text.len, work->file) != text.len)
        work->failed = true;
    work->write_block++;
    good = !work->failed;
    (void)pthread_cond_broadcast(&work->turn);
    (void)pthread_mutex_unlock(&work->lock);
    return good;
}

static bool take_block(struct work *work, uint64_t *block)
{
    bool more;

    (void)pthread_mutex_lock(&work->lock);
    more = !work->failed && work->next_block * BLOCK < work->options->count;
    if (more) *block = work->next_block++;
    (void)pthread_mutex_unlock(&work->lock);
    return more;
}

static void *thread_main(void *arg)
{
    struct work *work = arg;
    struct maker maker = { .crypto = NULL };
    struct ca_error err;
    uint64_t block = 0;

    ca_buf_init(&maker.subject, 4096);
    ca_buf_init(&maker.extensions, 4096);
    ca_buf_init(&maker.san, 4096);
    ca_buf_init(&maker.der, 65536);
    ca_buf_init(&maker.text, (size_t)BLOCK * 65536);
    if (ca_crypto_new(&maker.crypto, &err) != CA_OK) {
        (void)complain(&err);
        (void)write_block(work, 0, false, ca_bytes_of(NULL, 0));
    } else if (!work->options->shared_key || new_key(&maker, work->options->key)) {
        while (take_block(work, &block)) {
            bool made = make_block(&maker, work->options, block);

            if (!write_block(work, block, made, ca_buf_view(&maker.text))) break;
        }
    }
    ca_signer_free(maker.signer);
    ca_key_free(maker.key);
    ca_crypto_free(maker.crypto);
    ca_buf_clear(&maker.subject);
    ca_buf_clear(&maker.extensions);
    ca_buf_clear(&maker.san);
    ca_buf_clear(&maker.der);
    ca_buf_clear(&maker.text);
    return NULL;
}

static bool make_all(struct work *work)
{
    unsigned threads = work->options->threads;
    pthread_t *ids = calloc(threads, sizeof(pthread_t));
    unsigned started = 0;

    if (ids == NULL) return false;
    while (started < threads &&
           pthread_create(&ids[started], NULL, thread_main, work) == 0) started++;
    for (unsigned i = 0; i < started; i++) (void)pthread_join(ids[i], NULL);
    free(ids);
    return started > 0 && !work->failed &&
           work->write_block * BLOCK >= work->options->count;
}

static int usage(FILE *to)
{
    (void)fputs("usage: gen_requests [-n COUNT] [-f FIRST] [-k KEY_ALGORITHM] [-t THREADS] [-s]\n"
                "                    [--ndjson | --directory] -o OUT\n"
                "Makes COUNT (10000) requests for device-000001, device-000002, ... with one DNS\n"
                "subjectAltName each, under KEY_ALGORITHM (EC_prime256v1). -s: one key for all.\n"
                "OUT is a PEM bundle, an NDJSON file, or a directory of one file each.\n",
                to);
    return to == stdout ? 0 : 2;
}

static bool parse_number(const char *text, uint64_t *out)
{
    char *end = NULL;

    errno = 0;
    *out = strtoull(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && *text != '-';
}

/* 0: go on; otherwise the exit status + 1. */
static int parse_options(int argc, char **argv, struct options *options)
{
    static const struct option longs[] = {
        { "ndjson", no_argument, NULL, 'j' }, { "directory", no_argument, NULL, 'd' },
        { "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 },
    };
    struct ca_error err;
    uint64_t threads = options->threads;
    int c;

    while ((c = getopt_long(argc, argv, "n:f:k:t:o:sh", longs, NULL)) != -1) {
        bool good = true;

        if (c == 'h') return usage(stdout) + 1;
        if (c == 'n') good = parse_number(optarg, &options->count);
        else if (c == 'f') good = parse_number(optarg, &options->first);
        else if (c == 't') good = parse_number(optarg, &threads) && threads > 0 && threads <= 256;
        else if (c == 'k') good = ca_key_alg_by_name(optarg, &options->key, &err) == CA_OK;
        else if (c == 'o') options->out = optarg;
        else if (c == 's') options->shared_key = true;
        else if (c == 'j') options->shape = SHAPE_NDJSON;
        else if (c == 'd') options->shape = SHAPE_DIRECTORY;
        else good = false;
        if (!good) return usage(stderr) + 1;
    }
    options->threads = (unsigned)threads;
    return options->out == NULL || optind != argc ? usage(stderr) + 1 : 0;
}

int main(int argc, char **argv)
{
    struct options options = { .count = 10000, .first = 1, .key = CA_KEY_EC_P256,
                               .threads = batch_cores() };
    struct work work = { .options = &options };
    int stop = parse_options(argc, argv, &options);
    bool good;

    if (stop != 0) return stop - 1;
    if (options.shape == SHAPE_DIRECTORY) {
        if (mkdir(options.out, 0777) != 0 && errno != EEXIST) {
            (void)fprintf(stderr, "gen_requests: %s: %s\n", options.out, strerror(errno));
            return 1;
        }
    } else {
        work.file = fopen(options.out, "wb");
        if (work.file == NULL) {
            (void)fprintf(stderr, "gen_requests: %s: %s\n", options.out, strerror(errno));
            return 1;
        }
    }
    (void)pthread_mutex_init(&work.lock, NULL);
    (void)pthread_cond_init(&work.turn, NULL);
    good = make_all(&work);
    if (work.file != NULL && fclose(work.file) != 0) good = false;
    if (!good) (void)fprintf(stderr, "gen_requests: %s is not complete\n", options.out);
    return good ? 0 : 1;
}
