/* Keys that stand twice, in a run and in the store: judged in input order, whatever threads do. */
#include "batch/duplicates.h"

#include "batch/issue.h"
#include "batch/notices.h"
#include "batch/run.h"
#include "batch/verify.h"
#include "engine/notice.h"
#include "io/fault_testing.h"
#include "io/file.h"
#include "tests/support/job_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <jansson.h>

#define COUNT 400
#define KEYS 300

/* ---- the set ---- */

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
    return *seed ^ *seed >> 29;
}

/* Sixteen octets for a number; crowded ones share the octets that choose a place in the table. */
static void hash_of(uint64_t number, bool crowded, uint8_t hash[CA_KEY_HASH_LEN])
{
    uint64_t seed = number;

    ca_put_u64(hash, crowded ? 0 : next_random(&seed));
    ca_put_u64(hash + 8, number);
}

static void a_key_keeps_the_ordinal_it_came_in_with(void **state)
{
    static const struct { uint64_t keys; bool crowded; } cases[] = {
        { 1, false }, { 800, false }, { 300000, false }, { 2000, true },
    };

    (void)state;
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        struct batch_key_set *set = NULL;
        uint8_t hash[CA_KEY_HASH_LEN];
        uint64_t ordinal = 0;

        assert_int_equal(batch_key_set_new(0, &set, NULL), CA_OK);
        hash_of(0, cases[c].crowded, hash);
        assert_false(batch_key_set_find(set, hash, &ordinal));
        for (uint64_t i = 0; i < cases[c].keys; i++) {
            hash_of(i, cases[c].crowded, hash);
            assert_false(batch_key_set_find(set, hash, &ordinal));
            assert_int_equal(batch_key_set_add(set, hash, 3 * i, NULL), CA_OK);
            assert_int_equal(batch_key_set_add(set, hash, 3 * i + 1, NULL), CA_OK);
            hash_of(i / 2, cases[c].crowded, hash);
            assert_int_equal(batch_key_set_add(set, hash, 7, NULL), CA_OK);
        }
        assert_int_equal(batch_key_set_count(set), cases[c].keys);
        for (uint64_t i = 0; i < cases[c].keys; i++) {
            hash_of(i, cases[c].crowded, hash);
            assert_true(batch_key_set_find(set, hash, &ordinal));
            assert_int_equal(ordinal, 3 * i);
        }
        hash_of(cases[c].keys, cases[c].crowded, hash);
        assert_false(batch_key_set_find(set, hash, &ordinal));
        batch_key_set_free(set);
    }
    batch_key_set_free(NULL);
}

static void a_set_has_a_limit(void **state)
{
    struct batch_key_set *set = NULL;
    uint8_t hash[CA_KEY_HASH_LEN];
    struct ca_error err;

    (void)state;
    assert_int_equal(batch_key_set_new(3, &set, NULL), CA_OK);
    for (uint64_t i = 0; i < 3; i++) {
        hash_of(i, false, hash);
        assert_int_equal(batch_key_set_add(set, hash, i, NULL), CA_OK);
    }
    assert_int_equal(batch_key_set_add(set, hash, 9, NULL), CA_OK);    /* it is there */
    hash_of(3, false, hash);
    assert_int_equal(batch_key_set_add(set, hash, 3, &err), CA_REFUSED);
    assert_string_equal(ca_error_name(&err), "too-many-keys");
    assert_int_equal(batch_key_set_count(set), 3);
    batch_key_set_free(set);
}

/* ---- notices in words ---- */

static void notices_are_sentences_with_their_counts(void **state)
{
    struct schema_job row = { .notices = 0, .duplicate_keys = 3 };
    struct ca_buf text;
    json_t *list;

    (void)state;
    ca_buf_init(&text, 65536);
    batch_notices_append_json(&row, &text);
    assert_true(ca_bytes_equal(ca_buf_view(&text), ca_bytes_str("[]")));
    ca_buf_reset(&text);
    row.notices = CA_NOTICE_BIT(DUPLICATE_KEYS) | CA_NOTICE_BIT(OCSP_NO_NOCHECK) |
                  UINT32_C(1) << 31;
    batch_notices_append_json(&row, &text);
    list = json_loadb((const char *)text.data, text.len, 0, NULL);
    assert_int_equal(json_array_size(list), 2);
    assert_string_equal(json_string_value(json_array_get(list, 0)),
                        "ocsp-no-nocheck: the template makes OCSP signers without the extension "
                        "id-pkix-ocsp-nocheck (RFC 6960 4.2.2.2.1)");
    assert_string_equal(json_string_value(json_array_get(list, 1)),
                        "duplicate-keys: 3 requests have a key that an earlier one of the run has "
                        "(template: duplicate_keys.run)");
    json_decref(list);
    ca_buf_clear(&text);
}

/* ---- runs ---- */

static int setup(void **state)
{
    int rc = store_fixture_setup(state);

    if (rc == 0) store_fixture_hierarchy(*state);
    return rc;
}

static void template_json(const char *run, const char *store, char out[512])
{
    (void)snprintf(out, 512, "{\"name\":\"once\",\"base\":\"EndEntityCertificate/V1\","
                   "\"duplicate_keys\":{\"run\":\"%s\",\"store\":\"%s\"}}", run, store);
}

/* What one job was like. */
struct done {
    enum ca_status st;
    struct batch_run_result result;
    json_t *summary;
    char out_dir[512];
};

static void done_clear(struct done *done)
{
    json_decref(done->summary);
    *done = (struct done){ 0 };
}

static void run_job(struct store_fixture *f, struct batch_job *job, bool fresh, unsigned workers,
                    struct done *out)
{
    const struct batch_run_spec spec = { .workers = workers, .fresh = fresh,
                                         .certmill_version = "t", .commit_linger_ms = 1 };
    struct batch_run *run = NULL;

    *out = (struct done){ 0 };
    (void)snprintf(out->out_dir, sizeof(out->out_dir), "%s", job->out_dir);
    out->st = batch_run_start(f->registry, job, &spec, &run, &f->err);
    if (out->st != CA_OK) return;
    while (!batch_run_wait(run, 1000, NULL)) { }
    out->st = batch_run_join(run, &out->result, &f->err);
    out->summary = json_loadb((const char *)out->result.summary.data, out->result.summary.len, 0,
                              NULL);
    ca_buf_clear(&out->result.summary);
}

struct way {
    const char *name, *ca, *run, *store;
    unsigned workers;
};

static void start(struct store_fixture *f, const struct way *way, const char *input,
                  struct done *out)
{
    struct job_fixture_spec ask;
    struct batch_job *job = NULL;
    char tmpl[512];

    template_json(way->run, way->store, tmpl);
    job_fixture_ask(f, way->name, input, &ask);
    if (way->ca != NULL) ask.spec.ca = way->ca;
    ask.spec.terms.tmpl_json = ca_bytes_str(tmpl);
    if (batch_job_create(f->registry, &ask.spec, &job, &f->err) != CA_OK)
        fail_msg("create: %s", f->err.text);
    run_job(f, job, true, way->workers == 0 ? 3 : way->workers, out);
}

static void resume(struct store_fixture *f, const char *name, const char *out_dir,
                   struct done *out)
{
    struct batch_job *job = NULL;

    if (batch_job_load(f->registry, name, out_dir, &job, &f->err) != CA_OK)
        fail_msg("load: %s", f->err.text);
    run_job(f, job, false, 3, out);
}

static void read_output(const char *dir, const char *name, struct ca_buf *out)
{
    char path[1024];

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    ca_buf_init(out, (size_t)64 << 20);
    assert_int_equal(file_read(path, (size_t)64 << 20, FILE_PUBLIC, out, NULL), CA_OK);
}

/* The lines of results.ndjson, by ordinal. */
static json_t *results(const char *dir)
{
    json_t *list = json_array();
    struct ca_buf text;
    char *line, *rest;

    read_output(dir, "results.ndjson", &text);
    ca_buf_append_u8(&text, 0);
    rest = (char *)text.data;
    while ((line = strsep(&rest, "\n")) != NULL && *line != '\0') {
        json_t *value = json_loads(line, JSON_REJECT_DUPLICATES, NULL);

        assert_non_null(value);
        assert_int_equal(json_integer_value(json_object_get(value, "ordinal")),
                         json_array_size(list));
        json_array_append_new(list, value);
    }
    ca_buf_clear(&text);
    return list;
}

static const char *text_of(const json_t *value, const char *member)
{
    const char *text = json_string_value(json_object_get(value, member));

    return text != NULL ? text : "";
}

static int64_t number_of(const json_t *value, const char *member)
{
    return json_integer_value(json_object_get(value, member));
}

static bool has_notice(const json_t *summary, const char *beginning)
{
    const json_t *list = json_object_get(summary, "notices");

    for (size_t i = 0; i < json_array_size(list); i++) {
        if (strncmp(json_string_value(json_array_get(list, i)), beginning, strlen(beginning)) == 0)
            return true;
    }
    return false;
}

static void assert_sound(struct store_fixture *f)
{
    struct batch_verify_report report;

    if (batch_verify(f->registry, true, NULL, NULL, &report, &f->err) != CA_OK)
        fail_msg("verify: %s", f->err.text);
}

static uint64_t rows(struct store_fixture *f, enum store_table table)
{
    struct store_txn *txn = NULL;
    uint64_t count = 0;

    assert_int_equal(store_begin(f->registry->store, STORE_READ, &txn, NULL), CA_OK);
    assert_int_equal(store_count(txn, table, &count, NULL), CA_OK);
    store_abort(txn);
    return count;
}

/* Which key each of COUNT requests has: KEYS in all, twins anywhere; returns how many twins. */
static unsigned draw_keys(uint64_t seed, unsigned keys[COUNT])
{
    unsigned seen[KEYS] = { 0 }, twins = 0;

    for (unsigned i = 0; i < COUNT; i++) {
        keys[i] = (unsigned)(next_random(&seed) >> 20) % KEYS;
        if (seen[keys[i]]++ > 0) twins++;
    }
    return twins;
}

/* Every verdict compared with what the list of keys says it has to be. */
static void assert_first_wins(const unsigned keys[COUNT], const json_t *lines)
{
    assert_int_equal(json_array_size(lines), COUNT);
    for (unsigned i = 0; i < COUNT; i++) {
        const json_t *line = json_array_get(lines, i);
        char detail[64];
        unsigned first = 0;

        while (keys[first] != keys[i]) first++;
        if (first == i) {
            assert_string_equal(text_of(line, "status"), "issued");
            continue;
        }
        (void)snprintf(detail, sizeof(detail), "the key is that of ordinal %u", first);
        assert_string_equal(text_of(line, "status"), "rejected");
        assert_string_equal(text_of(line, "code"), "duplicate-key");
        assert_string_equal(text_of(line, "detail"), detail);
        assert_string_equal(text_of(line, "rule"), "template: duplicate_keys.run");
    }
}

/* Workers are slowed, so that chunks come back in another order than they went. */
static void the_first_in_input_order_has_the_key(void **state)
{
    static const char *const rules[] = {
        "worker:1=sleep60", "worker:2=sleep60;worker:3=sleep30", "worker:4=sleep60",
    };
    struct store_fixture *f = *state;
    unsigned keys[COUNT];
    unsigned twins = draw_keys(1, keys);
    char input[512];

    assert_true(twins > 50);
    job_fixture_bundle_keys(f, "in.pem", keys, COUNT, input);
    for (unsigned i = 0; i < 3; i++) {
        char name[32];
        const struct way way = { .name = name, .run = "reject", .store = "allow" };
        struct done done;
        json_t *lines;

        (void)snprintf(name, sizeof(name), "round-%u", i);
        assert_int_equal(fault_testing_setup(rules[i], NULL, NULL), CA_OK);
        start(f, &way, input, &done);
        assert_int_equal(fault_testing_setup(NULL, NULL, NULL), CA_OK);
        assert_int_equal(done.st, CA_OK);
        assert_int_equal(done.result.issued, COUNT - twins);
        assert_int_equal(done.result.rejected, twins);
        lines = results(done.out_dir);
        assert_first_wins(keys, lines);
        json_decref(lines);
        /* What was signed for nothing is counted as such. */
        assert_int_equal(number_of(done.summary, "signed"), COUNT);
        assert_int_equal(number_of(done.summary, "discarded"), twins);
        assert_int_equal(number_of(json_object_get(done.summary, "by_code"), "duplicate-key"),
                         twins);
        assert_false(has_notice(done.summary, "duplicate-keys"));
        done_clear(&done);
    }
    assert_int_equal(rows(f, STORE_KNOWN), 0);
    assert_sound(f);
}

/* The certificate of a twin must not be found anywhere: not in the store, not in the outputs. */
static void a_twin_has_no_certificate(void **state)
{
    static const unsigned keys[] = { 0, 0, 1, 0, 1, 2 };
    static const struct way way = { .name = "twins", .run = "reject", .store = "allow" };
    struct store_fixture *f = *state;
    uint64_t before = rows(f, STORE_CERT);
    struct done done;
    struct ca_buf text;
    unsigned found = 0;
    char input[512];

    job_fixture_bundle_keys(f, "in.pem", keys, 6, input);
    start(f, &way, input, &done);
    assert_int_equal(done.st, CA_OK);
    assert_int_equal(done.result.issued, 3);
    assert_int_equal(rows(f, STORE_CERT), before + 3);
    assert_int_equal(rows(f, STORE_EXPIRY), before + 3);
    read_output(done.out_dir, "certs.pem", &text);
    ca_buf_append_u8(&text, 0);
    for (const char *at = (const char *)text.data; (at = strstr(at, "-----BEGIN")) != NULL; at++)
        found++;
    assert_int_equal(found, 3);
    ca_buf_clear(&text);
    done_clear(&done);
}

/* Changes an octet of a request's signature, some fifteen before its end. */
static void break_signature(const char *path, unsigned index)
{
    struct ca_buf text;
    char *at;

    ca_buf_init(&text, 1 << 20);
    assert_int_equal(file_read(path, 1 << 20, FILE_PUBLIC, &text, NULL), CA_OK);
    ca_buf_append_u8(&text, 0);
    at = strstr((char *)text.data, "-----END");
    while (at != NULL && index-- > 0) at = strstr(at + 1, "-----END");
    assert_non_null(at);
    text.len--;
    at -= 20;
    *at = *at == 'A' ? 'B' : 'A';
    assert_int_equal(file_write(path, 0644, ca_buf_view(&text), NULL), CA_OK);
    ca_buf_clear(&text);
}

static void a_refused_request_leaves_its_key_to_the_next(void **state)
{
    static const struct way way = { .name = "broken", .run = "reject", .store = "reject" };
    static const unsigned keys[] = { 0, 0, 0, 1, 0 };
    struct store_fixture *f = *state;
    struct done done;
    json_t *lines;
    char input[512];

    job_fixture_bundle_keys(f, "in.pem", keys, 5, input);
    break_signature(input, 0);
    break_signature(input, 4);
    start(f, &way, input, &done);
    assert_int_equal(done.st, CA_OK);
    lines = results(done.out_dir);
    assert_string_equal(text_of(json_array_get(lines, 0), "code"), "bad-signature");
    assert_string_equal(text_of(json_array_get(lines, 1), "status"), "issued");
    assert_string_equal(text_of(json_array_get(lines, 2), "detail"),
                        "the key is that of ordinal 1");
    assert_string_equal(text_of(json_array_get(lines, 3), "status"), "issued");
    assert_string_equal(text_of(json_array_get(lines, 4), "code"), "bad-signature");
    json_decref(lines);
    assert_int_equal(number_of(done.summary, "signed"), 3);
    assert_int_equal(number_of(done.summary, "discarded"), 1);
    done_clear(&done);
}

static unsigned count_warnings(const json_t *lines, const char *warning)
{
    unsigned count = 0;

    for (size_t i = 0; i < json_array_size(lines); i++) {
        const json_t *list = json_object_get(json_array_get(lines, i), "warnings");

        for (size_t k = 0; k < json_array_size(list); k++)
            if (strcmp(json_string_value(json_array_get(list, k)), warning) == 0) count++;
    }
    return count;
}

static void a_warning_issues_all_the_same(void **state)
{
    struct store_fixture *f = *state;
    static const struct way warn = { .name = "warn", .run = "warn", .store = "allow" };
    static const struct way allow = { .name = "allow", .run = "allow", .store = "allow" };
    unsigned keys[COUNT];
    unsigned twins = draw_keys(2, keys);
    struct done done;
    json_t *lines;
    char input[512], notice[128];

    job_fixture_bundle_keys(f, "in.pem", keys, COUNT, input);
    start(f, &warn, input, &done);
    assert_int_equal(done.st, CA_OK);
    assert_int_equal(done.result.issued, COUNT);
    assert_int_equal(number_of(done.summary, "discarded"), 0);
    (void)snprintf(notice, sizeof(notice), "duplicate-keys: %u requests have a key that", twins);
    assert_true(has_notice(done.summary, notice));
    lines = results(done.out_dir);
    assert_int_equal(count_warnings(lines, "duplicate-key"), twins);
    json_decref(lines);
    done_clear(&done);
    start(f, &allow, input, &done);
    assert_int_equal(done.result.issued, COUNT);
    assert_false(has_notice(done.summary, "duplicate-keys"));
    lines = results(done.out_dir);
    assert_int_equal(count_warnings(lines, "duplicate-key"), 0);
    json_decref(lines);
    done_clear(&done);
    assert_sound(f);
}

/* ---- resumed ---- */

static void copy_store(struct store_fixture *f, const char *from, const char *to,
                       const uint64_t *seed)
{
    char command[1200];

    batch_registry_close(f->registry);
    f->registry = NULL;
    (void)snprintf(command, sizeof(command), "rm -rf '%s' && cp -r '%s' '%s'", to, from, to);
    assert_int_equal(system(command), 0);
    assert_int_equal(store_fixture_reopen(f, STORE_WRITE), CA_OK);
    f->registry->seed = seed;
}

static const char *const output_names[] = { "results.ndjson", "rejected.ndjson" };

static void keep_outputs(const char *dir, struct ca_buf out[2])
{
    for (int i = 0; i < 2; i++) read_output(dir, output_names[i], &out[i]);
}

static void assert_outputs(const char *dir, const struct ca_buf expected[2], const char *what)
{
    for (int i = 0; i < 2; i++) {
        struct ca_buf now;

        read_output(dir, output_names[i], &now);
        if (!ca_bytes_equal(ca_buf_view(&now), ca_buf_view(&expected[i])))
            fail_msg("%s: %s differs", what, output_names[i]);
        ca_buf_clear(&now);
    }
}

/* With a seed and a standing clock a run's outputs are a function of its input; stopped anywhere
 * and resumed it has to come to the same octets (ECDSA signatures apart, which certs.pem has). */
static void a_resumed_run_comes_to_the_same_octets(void **state)
{
    static const char *const faults[] = {
        "chunk:4=EIO", "chunk:12=EIO", "store.commit:2=EIO", "store.commit:4=EIO", "worker:3=EIO",
        "group:2=EIO", "outbox.rename:1=EIO",
    };
    static const char *const modes[] = { "reject", "warn" };
    static const uint64_t seed = 42;
    struct store_fixture *f = *state;
    unsigned keys[COUNT];
    unsigned twins = draw_keys(3, keys);
    char input[512], kept[512];

    job_fixture_bundle_keys(f, "in.pem", keys, COUNT, input);
    (void)snprintf(kept, sizeof(kept), "%s.kept", f->dir);
    copy_store(f, f->dir, kept, &seed);
    for (unsigned m = 0; m < 2; m++) {
        struct ca_buf expected[2];
        char name[32];
        struct way way = { .name = name, .run = modes[m], .store = "reject" };
        struct done done;

        copy_store(f, kept, f->dir, &seed);
        (void)snprintf(name, sizeof(name), "%s-whole", modes[m]);
        start(f, &way, input, &done);
        assert_int_equal(done.st, CA_OK);
        keep_outputs(done.out_dir, expected);
        done_clear(&done);
        for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
            copy_store(f, kept, f->dir, &seed);
            (void)snprintf(name, sizeof(name), "%s-%zu", modes[m], i);
            assert_int_equal(fault_testing_setup(faults[i], NULL, NULL), CA_OK);
            start(f, &way, input, &done);
            assert_int_equal(fault_testing_setup(NULL, NULL, NULL), CA_OK);
            if (done.st == CA_OK) fail_msg("%s was not met", faults[i]);
            done_clear(&done);
            assert_int_equal(store_fixture_reopen(f, STORE_WRITE), CA_OK);
            f->registry->seed = &seed;
            resume(f, name, NULL, &done);
            if (done.st != CA_OK) fail_msg("%s: %s", faults[i], f->err.text);
            assert_outputs(done.out_dir, expected, faults[i]);
            if (m == 0) assert_int_equal(done.result.issued, COUNT - twins);
            if (m == 0) assert_int_equal(number_of(done.summary, "discarded"), twins);
            if (m == 1) assert_true(has_notice(done.summary, "duplicate-keys: "));
            done_clear(&done);
            assert_sound(f);
        }
        for (int i = 0; i < 2; i++) ca_buf_clear(&expected[i]);
    }
}

/* Outputs made again from the store are those that the workers wrote, warnings and all. */
static void outputs_are_the_same_when_they_are_made_again(void **state)
{
    static const char *const modes[] = { "reject", "warn" };
    struct store_fixture *f = *state;
    unsigned keys[COUNT];
    char input[512], part[1024], other[512];

    (void)draw_keys(4, keys);
    job_fixture_bundle_keys(f, "in.pem", keys, COUNT, input);
    for (unsigned m = 0; m < 2; m++) {
        const struct way way = { .name = modes[m], .run = modes[m], .store = "allow" };
        struct ca_buf written, again;
        struct done done;

        assert_int_equal(fault_testing_setup("outbox.rename:1=EIO", NULL, NULL), CA_OK);
        start(f, &way, input, &done);
        assert_int_equal(fault_testing_setup(NULL, NULL, NULL), CA_OK);
        assert_int_equal(done.st, CA_IO);
        /* The part file has the job's UUID in its name. */
        (void)snprintf(part, sizeof(part), "cat '%s'/.*results.ndjson.part > '%s/written'",
                       done.out_dir, f->root);
        assert_int_equal(system(part), 0);
        read_output(f->root, "written", &written);
        assert_true(written.len > 0);
        done_clear(&done);
        (void)snprintf(other, sizeof(other), "%s/again-%u", f->root, m);
        resume(f, modes[m], other, &done);
        assert_int_equal(done.st, CA_OK);
        read_output(other, "results.ndjson", &again);
        assert_true(ca_bytes_equal(ca_buf_view(&written), ca_buf_view(&again)));
        ca_buf_clear(&written);
        ca_buf_clear(&again);
        done_clear(&done);
    }
}

/* ---- known in the store ---- */

static const unsigned some_keys[] = { 0, 1, 2, 1, 3 };

static void a_key_of_an_earlier_job_is_known(void **state)
{
    struct store_fixture *f = *state;
    static const struct way first = { .name = "first", .run = "allow", .store = "reject" };
    static const struct way second = { .name = "second", .run = "allow", .store = "reject" };
    static const struct way third = { .name = "third", .run = "allow", .store = "warn" };
    static const struct way last = { .name = "last", .run = "warn", .store = "allow" };
    char input[512], detail[96];
    json_t *lines, *before;
    struct done done;

    job_fixture_bundle_keys(f, "in.pem", some_keys, 5, input);
    start(f, &first, input, &done);
    /* Twins of the same job are the other rule's business. */
    assert_int_equal(done.st, CA_OK);
    assert_int_equal(done.result.issued, 5);
    assert_int_equal(rows(f, STORE_KNOWN), 4);
    before = results(done.out_dir);
    done_clear(&done);
    start(f, &second, input, &done);
    assert_int_equal(done.st, CA_OK);
    assert_int_equal(done.result.issued, 0);
    lines = results(done.out_dir);
    for (unsigned i = 0; i < 5; i++) {
        const json_t *line = json_array_get(lines, i);

        /* Ordinals 1 and 3 have the same key, of which the first certificate is remembered. */
        (void)snprintf(detail, sizeof(detail), "certificate %s has this key",
                       text_of(json_array_get(before, i == 3 ? 1 : i), "serial"));
        assert_string_equal(text_of(line, "code"), "known-key");
        assert_string_equal(text_of(line, "detail"), detail);
    }
    json_decref(lines);
    assert_int_equal(number_of(done.summary, "discarded"), 5);
    done_clear(&done);
    start(f, &third, input, &done);
    assert_int_equal(done.result.issued, 5);
    assert_true(has_notice(done.summary, "known-keys: 5 requests have a key that already had a "
                                         "certificate"));
    lines = results(done.out_dir);
    assert_int_equal(count_warnings(lines, "known-key"), 5);
    json_decref(lines);
    done_clear(&done);
    start(f, &last, input, &done);
    assert_int_equal(done.result.issued, 5);
    assert_false(has_notice(done.summary, "known-keys"));
    done_clear(&done);
    json_decref(before);
    assert_int_equal(rows(f, STORE_KNOWN), 4);
    assert_sound(f);
}

/* In this chunk, this group, or one that was committed before a resume. */
static void twins_of_the_same_job_are_not_known_however_far_apart(void **state)
{
    static const struct way way = { .name = "far", .run = "allow", .store = "reject" };
    struct store_fixture *f = *state;
    unsigned keys[COUNT];
    struct done done;
    char input[512];

    (void)draw_keys(5, keys);
    job_fixture_bundle_keys(f, "in.pem", keys, COUNT, input);
    /* The job's own commit is the first; a slow chunk makes two groups of the rest at least. */
    assert_int_equal(fault_testing_setup("store.commit:3=EIO;worker:7=sleep100", NULL, NULL),
                     CA_OK);
    start(f, &way, input, &done);
    assert_int_equal(fault_testing_setup(NULL, NULL, NULL), CA_OK);
    assert_int_equal(done.st, CA_IO);
    assert_true(done.result.issued > 0);
    done_clear(&done);
    assert_int_equal(store_fixture_reopen(f, STORE_WRITE), CA_OK);
    resume(f, "far", NULL, &done);
    assert_int_equal(done.st, CA_OK);
    assert_int_equal(done.result.issued, COUNT);
    done_clear(&done);
    assert_sound(f);
}

static void a_key_is_known_to_all_cas(void **state)
{
    struct store_fixture *f = *state;
    static const struct way first = { .name = "first", .run = "reject", .store = "warn" };
    static const struct way second = { .name = "second", .ca = "sub2", .run = "reject",
                                       .store = "reject" };
    struct done done;
    json_t *lines;
    char input[512];

    store_fixture_create(f, "sub2", false);
    store_fixture_activate(f, "sub2", "root");
    job_fixture_bundle_keys(f, "in.pem", some_keys, 5, input);
    start(f, &first, input, &done);
    assert_int_equal(done.result.issued, 4);
    assert_false(has_notice(done.summary, "known-keys"));
    done_clear(&done);
    start(f, &second, input, &done);
    assert_int_equal(done.result.issued, 0);
    lines = results(done.out_dir);
    /* Nothing was issued in this run, so there is no twin in it either. */
    assert_string_equal(text_of(json_array_get(lines, 3), "code"), "known-key");
    assert_non_null(strstr(text_of(json_array_get(lines, 3), "detail"), " has this key"));
    json_decref(lines);
    done_clear(&done);
    assert_sound(f);
}

static void a_template_that_allows_them_remembers_no_keys(void **state)
{
    struct store_fixture *f = *state;
    static const struct way first = { .name = "first", .run = "reject", .store = "allow" };
    static const struct way second = { .name = "second", .run = "reject", .store = "reject" };
    struct done done;
    char input[512];

    job_fixture_bundle_keys(f, "in.pem", some_keys, 5, input);
    start(f, &first, input, &done);
    assert_int_equal(rows(f, STORE_KNOWN), 0);
    done_clear(&done);
    start(f, &second, input, &done);
    assert_int_equal(done.result.issued, 4);
    done_clear(&done);
}

static enum ca_status issue(struct store_fixture *f, struct ca_bytes csr, const char *rule,
                            const char *token, uint32_t *notices)
{
    struct batch_issue spec = { .ca = "sub", .csr = csr, .token = token };
    struct batch_issued issued;
    char tmpl[512];
    enum ca_status st;

    template_json("reject", rule, tmpl);
    spec.terms.tmpl_json = ca_bytes_str(tmpl);
    st = batch_issue(f->registry, &spec, &issued, &f->err);
    *notices = issued.notices;
    if (st == CA_OK) batch_issued_clear(&issued);
    return st;
}

static void a_single_issue_for_a_known_key_leaves_no_trace(void **state)
{
    struct store_fixture *f = *state;
    uint64_t before[STORE_TABLE_COUNT];
    struct ca_buf csr;
    uint32_t notices;

    ca_buf_init(&csr, 1 << 16);
    job_fixture_request("single", false, &csr);
    assert_int_equal(issue(f, ca_buf_view(&csr), "reject", NULL, &notices), CA_OK);
    for (unsigned t = 0; t < STORE_TABLE_COUNT; t++) before[t] = rows(f, (enum store_table)t);
    assert_int_equal(before[STORE_KNOWN], 1);
    assert_int_equal(issue(f, ca_buf_view(&csr), "reject", "token", &notices), CA_REFUSED);
    assert_int_equal(f->err.reason, CA_REASON_KNOWN_KEY);
    assert_non_null(strstr(f->err.text, " has this key"));
    for (unsigned t = 0; t < STORE_TABLE_COUNT; t++)
        assert_int_equal(rows(f, (enum store_table)t), before[t]);
    /* Nor is the token used up. */
    assert_int_equal(issue(f, ca_buf_view(&csr), "warn", "token", &notices), CA_OK);
    assert_true((notices & CA_NOTICE_BIT(KNOWN_KEYS)) != 0);
    assert_int_equal(issue(f, ca_buf_view(&csr), "allow", NULL, &notices), CA_OK);
    assert_true((notices & CA_NOTICE_BIT(KNOWN_KEYS)) == 0);
    ca_buf_clear(&csr);
    assert_sound(f);
}

static void limits_end_a_run_and_say_so(void **state)
{
    struct store_fixture *f = *state;
    static const struct way run = { .name = "run", .run = "reject", .store = "allow" };
    static const struct way store = { .name = "store", .run = "allow", .store = "reject" };
    static const struct way again = { .name = "again", .run = "allow", .store = "reject" };
    struct ca_buf csr;
    struct done done;
    uint32_t notices;
    char input[512];

    job_fixture_bundle_keys(f, "in.pem", some_keys, 5, input);
    f->registry->run_keys_max = 3;
    start(f, &run, input, &done);
    assert_int_equal(done.st, CA_REFUSED);
    assert_string_equal(ca_error_name(&f->err), "too-many-keys");
    done_clear(&done);
    f->registry->run_keys_max = 4;
    start(f, &run, input, &done);
    assert_int_equal(done.st, CA_OK);
    done_clear(&done);
    f->registry->known_keys_max = 3;
    start(f, &store, input, &done);
    assert_int_equal(done.st, CA_REFUSED);
    assert_string_equal(ca_error_name(&f->err), "too-many-known-keys");
    assert_int_equal(rows(f, STORE_KNOWN), 0);
    done_clear(&done);
    f->registry->known_keys_max = 4;
    start(f, &store, input, &done);
    assert_int_equal(done.st, CA_OK);
    done_clear(&done);
    /* A full table still says which keys are known. */
    start(f, &again, input, &done);
    assert_int_equal(done.st, CA_OK);
    assert_int_equal(done.result.rejected, 5);
    done_clear(&done);
    ca_buf_init(&csr, 1 << 16);
    job_fixture_request("single", false, &csr);
    assert_int_equal(issue(f, ca_buf_view(&csr), "reject", NULL, &notices), CA_REFUSED);
    assert_string_equal(ca_error_name(&f->err), "too-many-known-keys");
    ca_buf_clear(&csr);
    assert_sound(f);
}

/* A damaged index must not be believed. */
static void a_known_key_without_its_certificate_ends_the_run(void **state)
{
    struct store_fixture *f = *state;
    static const struct way first = { .name = "first", .run = "allow", .store = "reject" };
    static const struct way second = { .name = "second", .run = "allow", .store = "reject" };
    struct store_txn *txn = NULL;
    struct store_cursor *cursor = NULL;
    struct schema_known known;
    struct schema_key key;
    struct ca_bytes row_key, value;
    struct done done;
    bool found = false;
    char input[512];

    job_fixture_bundle_keys(f, "in.pem", some_keys, 5, input);
    start(f, &first, input, &done);
    done_clear(&done);
    assert_int_equal(store_begin(f->registry->store, STORE_WRITE, &txn, NULL), CA_OK);
    assert_int_equal(store_cursor_open(txn, STORE_KNOWN, &cursor, NULL), CA_OK);
    assert_int_equal(store_cursor_seek(cursor, ca_bytes_of(NULL, 0), &found, &row_key, &value,
                                       NULL), CA_OK);
    assert_true(found);
    assert_int_equal(schema_decode_known(value, &known, NULL), CA_OK);
    store_cursor_close(cursor);
    assert_int_equal(store_delete(txn, STORE_CERT,
                                  schema_key_cert(&key, known.serial, known.ca), NULL), CA_OK);
    assert_int_equal(store_commit(txn, NULL), CA_OK);
    start(f, &second, input, &done);
    assert_int_equal(done.st, CA_CORRUPT);
    assert_string_equal(ca_error_name(&f->err), "bad-row");
    done_clear(&done);
}

#define key_test(name) cmocka_unit_test_setup_teardown(name, setup, store_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_keeps_the_ordinal_it_came_in_with),
        cmocka_unit_test(a_set_has_a_limit),
        cmocka_unit_test(notices_are_sentences_with_their_counts),
        key_test(the_first_in_input_order_has_the_key),
        key_test(a_twin_has_no_certificate),
        key_test(a_refused_request_leaves_its_key_to_the_next),
        key_test(a_warning_issues_all_the_same),
        key_test(a_resumed_run_comes_to_the_same_octets),
        key_test(outputs_are_the_same_when_they_are_made_again),
        key_test(a_key_of_an_earlier_job_is_known),
        key_test(twins_of_the_same_job_are_not_known_however_far_apart),
        key_test(a_key_is_known_to_all_cas),
        key_test(a_template_that_allows_them_remembers_no_keys),
        key_test(a_single_issue_for_a_known_key_leaves_no_trace),
        key_test(limits_end_a_run_and_say_so),
        key_test(a_known_key_without_its_certificate_ends_the_run),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
