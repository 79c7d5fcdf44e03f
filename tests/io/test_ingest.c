#include "io/fault_testing.h"
#include "io/ingest.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define INPUTS_MAX 4
#define KEEP_MAX 1000       /* records kept for comparing */

struct fixture {
    enum ring_want want;
    char dir[64];
    char old_dir[256];
    int old_stdin;
};

struct kept {
    enum ingest_kind kind;
    char *data;             /* terminated */
    size_t len;
    char path[INGEST_PATH_MAX + 1];
    int errnum;
    uint32_t input;
    uint64_t offset;
    struct ingest_position position;    /* after it */
    size_t observed;                    /* octets, after it */
};

/* One reading of inputs to their end. */
struct reading {
    const char *inputs[INPUTS_MAX];
    size_t input_count;
    size_t read_octets;
    int stop_fd;
    struct ingest_position from;
    enum ca_status status;      /* of the last call */
    struct ca_error err;
    size_t count;               /* records before the end or the failure */
    struct kept kept[KEEP_MAX];
    struct ca_buf observed;
    struct ingest_position end;
    uint64_t total, consumed;
};

static void arm(const char *fault)
{
    assert_int_equal(fault_testing_setup(fault, NULL, NULL), CA_OK);
}

static int set_up(void **state, enum ring_want want)
{
    struct fixture *f = calloc(1, sizeof(*f));

    if (f == NULL) return -1;
    f->want = want;
    (void)snprintf(f->dir, sizeof(f->dir), "/tmp/test-ingest-XXXXXX");
    if (mkdtemp(f->dir) == NULL || getcwd(f->old_dir, sizeof(f->old_dir)) == NULL) return -1;
    if (chdir(f->dir) == -1) return -1;
    f->old_stdin = dup(STDIN_FILENO);
    arm(NULL);
    *state = f;
    return 0;
}

static int set_up_auto(void **state)
{
    return set_up(state, RING_AUTO);
}

static int set_up_plain(void **state)
{
    return set_up(state, RING_PLAIN);
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *where)
{
    (void)info;
    (void)type;
    (void)where;
    return remove(path);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    arm(NULL);
    (void)dup2(f->old_stdin, STDIN_FILENO);
    (void)close(f->old_stdin);
    if (chdir(f->old_dir) == -1) return -1;
    (void)nftw(f->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(f);
    return 0;
}

static void put(const char *path, const void *data, size_t len)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static void put_text(const char *path, const char *text)
{
    put(path, text, strlen(text));
}

static void put_fill(const char *path, char octet, size_t len)
{
    char *data = malloc(len + 1);

    assert_non_null(data);
    memset(data, octet, len);
    put(path, data, len);
    free(data);
}

static void take_observed(void *ctx, struct ca_bytes octets)
{
    ca_buf_append_bytes(ctx, octets);
}

static void keep(struct reading *r, const struct ingest *ingest, const struct ingest_record *record)
{
    struct kept *kept = &r->kept[r->count];

    if (r->count++ >= KEEP_MAX) return;
    *kept = (struct kept){ .kind = record->kind, .len = record->data.len, .errnum = record->errnum,
                           .input = record->input, .offset = record->offset,
                           .observed = r->observed.len };
    kept->data = calloc(1, record->data.len + 1);
    assert_non_null(kept->data);
    if (record->data.len > 0) memcpy(kept->data, record->data.data, record->data.len);
    assert_true(record->path.len <= INGEST_PATH_MAX);
    if (record->path.len > 0) memcpy(kept->path, record->path.data, record->path.len);
    ingest_position(ingest, &kept->position);
    assert_true(record->data.len <= INGEST_RECORD_MAX);
}

static void read_records(struct reading *r, struct ingest *ingest)
{
    for (;;) {
        struct ingest_record record;

        r->status = ingest_next(ingest, &record, &r->err);
        if (r->status != CA_OK || record.kind == INGEST_END) break;
        keep(r, ingest, &record);
    }
    ingest_position(ingest, &r->end);
    r->total = ingest_total(ingest);
    r->consumed = ingest_consumed(ingest);
    if (r->status == CA_OK) {
        struct ingest_record record;

        assert_int_equal(ingest_next(ingest, &record, NULL), CA_OK);
        assert_int_equal(record.kind, INGEST_END);
    }
}

static struct reading *new_reading(const char *input)
{
    struct reading *r = calloc(1, sizeof(*r));

    assert_non_null(r);
    r->inputs[0] = input;
    r->input_count = 1;
    r->stop_fd = -1;
    return r;
}

static void read_all(const struct fixture *f, struct reading *r)
{
    struct ring *ring = NULL;
    struct ingest *ingest = NULL;
    struct ingest_spec spec;

    ca_buf_init(&r->observed, (size_t)1 << 30);
    spec = (struct ingest_spec){ .inputs = r->inputs, .input_count = r->input_count,
                                 .observe = take_observed, .observe_ctx = &r->observed,
                                 .stop_fd = r->stop_fd, .read_octets = r->read_octets };
    assert_int_equal(ring_open(f->want, 64, &ring, NULL), CA_OK);
    r->status = ingest_open(ring, &spec, &ingest, &r->err);
    if (r->status == CA_OK && (r->from.input != 0 || r->from.offset != 0)) {
        r->status = ingest_skip(ingest, &r->from, &r->err);
    }
    if (r->status == CA_OK) read_records(r, ingest);
    ingest_close(ingest);
    ring_close(ring);
}

static void free_reading(struct reading *r)
{
    for (size_t i = 0; i < r->count && i < KEEP_MAX; i++) free(r->kept[i].data);
    ca_buf_clear(&r->observed);
    free(r);
}

static struct reading *read_input(const struct fixture *f, const char *input)
{
    struct reading *r = new_reading(input);

    read_all(f, r);
    return r;
}

static void assert_ok(const struct reading *r)
{
    if (r->status != CA_OK) fail_msg("%s: %s", ca_error_name(&r->err), r->err.text);
}

static void assert_record(const struct reading *r, size_t index, enum ingest_kind kind,
                          const char *data)
{
    assert_true(index < r->count);
    assert_int_equal(r->kept[index].kind, kind);
    assert_string_equal(r->kept[index].data, data);
}

static void assert_same_records(const struct reading *a, const struct reading *b)
{
    assert_ok(b);
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        const struct kept *x = &a->kept[i], *y = &b->kept[i];

        assert_int_equal(x->kind, y->kind);
        assert_int_equal(x->len, y->len);
        assert_memory_equal(x->data, y->data, x->len);
        assert_string_equal(x->path, y->path);
        assert_int_equal(x->input, y->input);
        assert_int_equal(x->offset, y->offset);
        assert_int_equal(x->position.input, y->position.input);
        assert_int_equal(x->position.offset, y->position.offset);
        assert_int_equal(x->observed, y->observed);
    }
    assert_int_equal(a->observed.len, b->observed.len);
    assert_memory_equal(a->observed.data, b->observed.data, a->observed.len);
}

static void assert_refused(const struct fixture *f, const char *input, const char *why)
{
    struct reading *r = read_input(f, input);

    assert_int_equal(r->status, CA_REFUSED);
    assert_string_equal(ca_error_name(&r->err), "input");
    if (strstr(r->err.text, why) == NULL) fail_msg("\"%s\" lacks \"%s\"", r->err.text, why);
    assert_int_equal(r->count, 0);
    free_reading(r);
}

#define A "-----BEGIN CERTIFICATE REQUEST-----\nMAo=\n-----END CERTIFICATE REQUEST-----"
#define B "-----BEGIN X-----\r\nMAoMAoMAo=\r\n-----END X-----"
#define C "-----BEGIN NEW-----\n-----END NEW-----"
#define BUNDLE "text\n" A "\n\n# more\n" B "\r\n" C "\n-----BEGIN Y-----\nMA\n"

static void a_bundle_gives_its_blocks_however_it_is_read(void **state)
{
    const struct fixture *f = *state;
    struct reading *whole;

    put_text("bundle.pem", BUNDLE);
    whole = read_input(f, "bundle.pem");
    assert_ok(whole);
    assert_int_equal(whole->count, 4);
    assert_record(whole, 0, INGEST_PEM, A);
    assert_record(whole, 1, INGEST_PEM, B);
    assert_record(whole, 2, INGEST_PEM, C);
    assert_record(whole, 3, INGEST_TRUNCATED, "-----BEGIN Y-----\nMA\n");
    assert_int_equal(whole->kept[1].offset, strlen("text\n" A "\n\n# more\n"));
    assert_int_equal(whole->end.offset, strlen(BUNDLE));
    for (size_t octets = 1; octets <= strlen(BUNDLE) + 1; octets++) {
        struct reading *r = new_reading("bundle.pem");

        r->read_octets = octets;
        arm(octets % 2 == 0 ? "ring.read:1=short;ring.read:3=short;ring.read:7=EINTR" : NULL);
        read_all(f, r);
        assert_same_records(whole, r);
        free_reading(r);
    }
    free_reading(whole);
}

static void lines_come_without_their_ends_however_they_are_read(void **state)
{
    static const char text[] = "\n{\"id\":1}\r\n  \n{\"id\":2}\n{\"id\":3}";
    const struct fixture *f = *state;

    put_text("lines.txt", text);
    for (size_t octets = 1; octets <= sizeof(text); octets++) {
        struct reading *r = new_reading("lines.txt");

        r->read_octets = octets;
        read_all(f, r);
        assert_ok(r);
        assert_int_equal(r->count, 3);
        assert_record(r, 0, INGEST_LINE, "{\"id\":1}");
        assert_record(r, 1, INGEST_LINE, "{\"id\":2}");
        assert_record(r, 2, INGEST_LINE, "{\"id\":3}");
        free_reading(r);
    }
}

static void the_form_is_told_by_the_name_or_the_first_octet(void **state)
{
    static const struct {
        const char *name, *text;
        enum ingest_kind kind;
        const char *data;
        uint64_t offset;
    } cases[] = {
        { "a.ndjson", "not json\n", INGEST_LINE, "not json", 0 },
        { "b.jsonl", A "\n", INGEST_LINE, "-----BEGIN CERTIFICATE REQUEST-----", 0 },
        { "c", " \t\r\n{}\n", INGEST_LINE, "{}", 4 },
        { "d", "\xef\xbb\xbf{}\n", INGEST_LINE, "{}", 3 },
        { "e", "\xef\xbb\xbf" A "\n", INGEST_PEM, A, 3 },
        { "f", "\xef\xbb\xbf\n \n" A "\n", INGEST_PEM, A, 6 },
        { "g", "0\x03\x02\x01\x05", INGEST_FILE, "0\x03\x02\x01\x05", 0 },
        { "h", " 0\n" A "\n", INGEST_PEM, A, 3 },
        { "i", "0", INGEST_FILE, "0", 0 },
        { "j.json", "{", INGEST_LINE, "{", 0 },
    };
    const struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (size_t octets = 0; octets < 6; octets++) {
            struct reading *r = new_reading(cases[i].name);

            put_text(cases[i].name, cases[i].text);
            r->read_octets = octets;
            read_all(f, r);
            assert_ok(r);
            assert_record(r, 0, cases[i].kind, cases[i].data);
            assert_int_equal(r->kept[0].offset, cases[i].offset);
            assert_int_equal(r->observed.len, strlen(cases[i].text));
            assert_memory_equal(r->observed.data, cases[i].text, r->observed.len);
            free_reading(r);
        }
    }
}

/* Records of one octet less than the limit, of the limit, and of one more. */
static void a_record_over_the_limit_is_reported_once_and_passed_over(void **state)
{
    const struct fixture *f = *state;

    for (size_t len = INGEST_RECORD_MAX - 1; len <= INGEST_RECORD_MAX + 1; len++) {
        enum ingest_kind kind = len > INGEST_RECORD_MAX ? INGEST_TOO_LONG : INGEST_LINE;
        struct ca_buf text;
        struct reading *r;

        ca_buf_init(&text, 1 << 20);
        ca_buf_append_str(&text, "{}\n");
        memset(ca_buf_extend(&text, len), 'x', len);
        ca_buf_append_str(&text, "\n{}\n");
        put("a.jsonl", text.data, text.len);
        for (size_t octets = 60000; octets <= 70000; octets += 1000) {
            r = new_reading("a.jsonl");
            r->read_octets = octets;
            read_all(f, r);
            assert_ok(r);
            assert_int_equal(r->count, 3);
            assert_int_equal(r->kept[1].kind, kind);
            assert_int_equal(r->kept[1].len, len > INGEST_RECORD_MAX ? 0 : len);
            assert_int_equal(r->kept[1].offset, 3);
            assert_record(r, 2, INGEST_LINE, "{}");
            free_reading(r);
        }
        put_fill("whole.der", '0', len);
        r = read_input(f, "whole.der");
        assert_ok(r);
        assert_int_equal(r->count, 1);
        assert_int_equal(r->kept[0].kind, kind == INGEST_LINE ? INGEST_FILE : INGEST_TOO_LONG);
        assert_int_equal(r->kept[0].len, kind == INGEST_LINE ? len : 0);
        free_reading(r);
        ca_buf_clear(&text);
    }
}

static void two_hundred_thousand_lines_come_in_order(void **state)
{
    const struct fixture *f = *state;
    struct ca_buf text;
    struct ring *ring = NULL;
    struct ingest *ingest = NULL;
    const char *inputs[] = { "many.ndjson" };
    struct ingest_spec spec = { .inputs = inputs, .input_count = 1, .stop_fd = -1 };
    struct ingest_record record;
    int count = 0;

    ca_buf_init(&text, (size_t)1 << 28);
    for (int i = 0; i < 200000; i++) ca_buf_printf(&text, "{\"id\":\"device-%d\"}\n", i);
    assert_int_equal(text.failed, CA_OK);
    put("many.ndjson", text.data, text.len);
    assert_int_equal(ring_open(f->want, 4, &ring, NULL), CA_OK);
    assert_int_equal(ingest_open(ring, &spec, &ingest, NULL), CA_OK);
    for (;; count++) {
        char expected[64];

        assert_int_equal(ingest_next(ingest, &record, NULL), CA_OK);
        if (record.kind == INGEST_END) break;
        (void)snprintf(expected, sizeof(expected), "{\"id\":\"device-%d\"}", count);
        if (!ca_bytes_equal(record.data, ca_bytes_str(expected))) fail_msg("line %d", count);
    }
    assert_int_equal(count, 200000);
    assert_int_equal(ingest_total(ingest), text.len);
    assert_int_equal(ingest_consumed(ingest), text.len);
    ingest_close(ingest);
    ring_close(ring);
    ca_buf_clear(&text);
}

static void a_large_file_without_any_record_is_refused_soon(void **state)
{
    const struct fixture *f = *state;
    struct timespec start, end;

    put_text("sparse", "");
    assert_int_equal(truncate("sparse", 64 << 20), 0);
    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    assert_refused(f, "sparse", "no PEM block");
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    assert_true(end.tv_sec - start.tv_sec < 10);
    put_text("sparse.jsonl", "");
    assert_int_equal(truncate("sparse.jsonl", 64 << 20), 0);
    {
        struct reading *r = read_input(f, "sparse.jsonl");

        assert_ok(r);       /* one line, of zeros */
        assert_int_equal(r->count, 1);
        assert_int_equal(r->kept[0].kind, INGEST_TOO_LONG);
        free_reading(r);
    }
}

static void inputs_that_hold_nothing_or_cannot_be_read_are_refused(void **state)
{
    const struct fixture *f = *state;
    struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "socket" };
    int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(server, (struct sockaddr *)&name, sizeof(name)), 0);
    assert_int_equal(mkdir("empty", 0700), 0);
    assert_int_equal(mkfifo("fifo", 0600), 0);
    assert_int_equal(symlink("nowhere", "dangling"), 0);
    put_text("nothing", "");
    put_text("text", "no block here\n");
    put_text("blank.jsonl", "\n \n\n");
    assert_refused(f, "missing", "missing: No such file");
    assert_refused(f, "dangling", "No such file");
    assert_refused(f, "empty", "empty: the directory is empty");
    assert_refused(f, "fifo", "fifo: neither a regular file nor a directory");
    assert_refused(f, "socket", "neither a regular file nor a directory");
    assert_refused(f, "/dev/null", "neither a regular file nor a directory");
    assert_refused(f, "nothing", "nothing: the file is empty");
    assert_refused(f, "text", "text: there is no PEM block in it");
    assert_refused(f, "blank.jsonl", "blank.jsonl: there is no line with text in it");
    (void)close(server);
}

/* Root may read anything: such a test process is somebody else for a while. */
static void an_unreadable_file_is_refused_by_name_and_a_record_in_a_directory(void **state)
{
    const struct fixture *f = *state;
    bool root = geteuid() == 0;
    struct reading *r;

    put_text("secret", A);
    assert_int_equal(mkdir("in", 0755), 0);
    put_text("in/a", A);
    put_text("in/b", A);
    assert_int_equal(chmod("secret", 0), 0);
    assert_int_equal(chmod("in/a", 0), 0);
    assert_int_equal(chmod(".", 0755), 0);
    if (root) assert_int_equal(seteuid(65534), 0);
    assert_refused(f, "secret", "secret: Permission denied");
    r = read_input(f, "in");
    if (root) assert_int_equal(seteuid(0), 0);
    assert_ok(r);
    assert_int_equal(r->count, 2);
    assert_int_equal(r->kept[0].kind, INGEST_UNREADABLE);
    assert_int_equal(r->kept[0].errnum, EACCES);
    assert_record(r, 1, INGEST_FILE, A);
    free_reading(r);
}

static void standard_input_may_be_named_once(void **state)
{
    const struct fixture *f = *state;
    struct reading *r = new_reading("-");

    r->inputs[r->input_count++] = "-";
    read_all(f, r);
    assert_int_equal(r->status, CA_REFUSED);
    assert_non_null(strstr(r->err.text, "twice"));
    free_reading(r);
}

static void the_files_of_a_directory_come_in_byte_order(void **state)
{
    static const char *const names[] = { "-rf", "A", "Z", "a", "a\nb", "a b", "b.pem",
                                         "\xc3\xa4", "\xff\xfe" };
    const struct fixture *f = *state;
    struct reading *r;

    assert_int_equal(mkdir("in", 0700), 0);
    for (size_t i = 0; i < 9; i++) {
        char path[300];

        (void)snprintf(path, sizeof(path), "in/%s", names[8 - i]);
        put_text(path, names[8 - i]);
    }
    r = read_input(f, "in");
    assert_ok(r);
    assert_int_equal(r->count, 9);
    for (size_t i = 0; i < 9; i++) {
        assert_record(r, i, INGEST_FILE, names[i]);
        assert_string_equal(r->kept[i].path, names[i]);
        assert_int_equal(r->kept[i].offset, i);
        assert_int_equal(r->kept[i].position.offset, i + 1);
    }
    assert_int_equal(r->total, 9);
    assert_int_equal(r->consumed, 9);
    free_reading(r);
}

static void only_regular_files_of_a_directory_are_read(void **state)
{
    const struct fixture *f = *state;
    struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "in/socket" };
    int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    static const struct {
        const char *path;
        enum ingest_kind kind;
    } expected[] = {
        { "a-file", INGEST_FILE },        { "b-link", INGEST_NOT_A_FILE },
        { "c-link-in", INGEST_NOT_A_FILE }, { "d-dir", INGEST_NOT_A_FILE },
        { "e-fifo", INGEST_NOT_A_FILE },  { "f-empty", INGEST_FILE },
        { "g-limit", INGEST_FILE },       { "h-over", INGEST_TOO_LONG },
        { "i-huge", INGEST_TOO_LONG },    { "j-under", INGEST_FILE },
        { "socket", INGEST_NOT_A_FILE },
    };
    struct reading *r;

    assert_int_equal(mkdir("in", 0700), 0);
    put_text("outside", "secret");
    put_text("in/a-file", A);
    assert_int_equal(symlink("../outside", "in/b-link"), 0);
    assert_int_equal(symlink("a-file", "in/c-link-in"), 0);
    assert_int_equal(mkdir("in/d-dir", 0700), 0);
    put_text("in/d-dir/inner", A);
    assert_int_equal(mkfifo("in/e-fifo", 0600), 0);
    put_text("in/f-empty", "");
    put_fill("in/g-limit", 'x', INGEST_RECORD_MAX);
    put_fill("in/h-over", 'x', INGEST_RECORD_MAX + 1);
    put_text("in/i-huge", "");
    assert_int_equal(truncate("in/i-huge", (off_t)1 << 30), 0);
    put_fill("in/j-under", 'x', INGEST_RECORD_MAX - 1);
    assert_int_equal(bind(server, (struct sockaddr *)&name, sizeof(name)), 0);
    r = read_input(f, "in");
    assert_ok(r);
    assert_int_equal(r->count, sizeof(expected) / sizeof(expected[0]));
    for (size_t i = 0; i < r->count; i++) {
        assert_string_equal(r->kept[i].path, expected[i].path);
        if (r->kept[i].kind != expected[i].kind) fail_msg("%s", expected[i].path);
        if (expected[i].kind != INGEST_FILE) assert_int_equal(r->kept[i].len, 0);
    }
    assert_string_equal(r->kept[0].data, A);
    assert_int_equal(r->kept[5].len, 0);
    assert_int_equal(r->kept[6].len, INGEST_RECORD_MAX);
    assert_int_equal(r->kept[9].len, INGEST_RECORD_MAX - 1);
    free_reading(r);
    (void)close(server);
}

static void make_many(int count)
{
    assert_int_equal(mkdir("in", 0700), 0);
    for (int i = 0; i < count; i++) {
        char path[64], text[3000];

        (void)snprintf(path, sizeof(path), "in/%05d", i);
        memset(text, 'a' + i % 26, sizeof(text));
        (void)snprintf(text, sizeof(text), "file %05d", i);
        put(path, text, (size_t)(10 + i * 4 % 2900));
    }
}

static void check_many(const struct fixture *f, int count)
{
    struct reading *r = read_input(f, "in");

    assert_ok(r);
    assert_int_equal(r->count, count);
    for (int i = 0; i < count; i++) {
        char expected[64];

        (void)snprintf(expected, sizeof(expected), "file %05d", i);
        assert_record(r, (size_t)i, INGEST_FILE, expected);
        assert_int_equal(r->kept[i].len, 10 + i * 4 % 2900);
    }
    free_reading(r);
}

static void a_directory_of_seven_hundred_files_is_read_whole(void **state)
{
    const struct fixture *f = *state;

    make_many(700);
    check_many(f, 700);
    arm("ring.read:5=short;ring.read:300=short;ring.open:7=EINTR;ring.stat:9=EAGAIN;"
        "ring.submit:2=EINTR");
    check_many(f, 700);
}

static void large_files_are_read_in_groups_that_fit(void **state)
{
    const struct fixture *f = *state;
    struct reading *r;

    assert_int_equal(mkdir("in", 0700), 0);
    for (int i = 0; i < 60; i++) {
        char path[64];

        (void)snprintf(path, sizeof(path), "in/%02d", i);
        put_fill(path, (char)('A' + i), (size_t)INGEST_RECORD_MAX - (size_t)i);
    }
    r = read_input(f, "in");
    assert_ok(r);
    assert_int_equal(r->count, 60);
    for (int i = 0; i < 60; i++) {
        assert_int_equal(r->kept[i].kind, INGEST_FILE);
        assert_int_equal(r->kept[i].len, INGEST_RECORD_MAX - i);
        for (size_t k = 0; k < r->kept[i].len; k++) assert_int_equal(r->kept[i].data[k], 'A' + i);
    }
    free_reading(r);
}

static void a_low_limit_on_descriptors_costs_no_file(void **state)
{
    const struct fixture *f = *state;
    struct rlimit old, low;

    make_many(300);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    low = old;
    low.rlim_cur = 100;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    check_many(f, 300);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
}

static void what_one_file_refuses_is_its_own_record(void **state)
{
    const struct fixture *f = *state;
    struct reading *r;

    make_many(4);
    arm("ring.open:1=EACCES;ring.stat:1=EIO;ring.read:1=EIO");
    r = read_input(f, "in");
    assert_ok(r);
    assert_int_equal(r->count, 4);
    for (size_t i = 0; i < 3; i++) {
        static const int errnums[] = { EACCES, EIO, EIO };

        assert_int_equal(r->kept[i].kind, INGEST_UNREADABLE);
        assert_int_equal(r->kept[i].errnum, errnums[i]);
        assert_int_equal(r->kept[i].len, 0);
    }
    assert_int_equal(r->kept[3].kind, INGEST_FILE);
    free_reading(r);
}

static void a_lack_of_descriptors_ends_the_run_instead_of_refusing_files(void **state)
{
    static const char *const plans[] = { "ring.open:3=EMFILE", "ring.open:1=ENFILE" };
    const struct fixture *f = *state;

    make_many(10);
    for (int i = 0; i < 2; i++) {
        struct reading *r;

        arm(plans[i]);
        r = read_input(f, "in");
        assert_int_equal(r->status, CA_IO);
        assert_int_equal(r->count, 0);
        assert_string_not_equal(r->err.hint, "");
        free_reading(r);
    }
}

static void *grow_files(void *arg)
{
    const struct timespec wait = { .tv_nsec = 100000000 };

    (void)arg;
    (void)nanosleep(&wait, NULL);
    put_fill("in/b", 'B', 5000);
    put_fill("in/d", 'D', INGEST_RECORD_MAX + 1);
    return NULL;
}

/* Between statx and read: the sleep lies there. */
static void a_file_that_grows_while_it_is_read_is_read_whole_or_refused(void **state)
{
    const struct fixture *f = *state;
    struct reading *r;
    pthread_t thread;

    assert_int_equal(mkdir("in", 0700), 0);
    put_text("in/a", "a");
    put_text("in/b", "b");
    put_text("in/c", "c");
    put_text("in/d", "d");
    put_text("in/e", "e");
    arm("ring.stat:5=sleep400");
    assert_int_equal(pthread_create(&thread, NULL, grow_files, NULL), 0);
    r = read_input(f, "in");
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_ok(r);
    assert_int_equal(r->count, 5);
    assert_record(r, 0, INGEST_FILE, "a");
    assert_int_equal(r->kept[1].kind, INGEST_FILE);
    assert_int_equal(r->kept[1].len, 5000);
    assert_int_equal(r->kept[1].data[4999], 'B');
    assert_record(r, 2, INGEST_FILE, "c");
    assert_int_equal(r->kept[3].kind, INGEST_TOO_LONG);
    assert_record(r, 4, INGEST_FILE, "e");
    free_reading(r);
}

static void *swap_for_a_link(void *arg)
{
    atomic_bool *stop = arg;

    while (!atomic_load(stop)) {
        (void)rename("link", "in/victim");
        (void)!symlink("../secret", "link");
        put_text("harmless", "harmless");
        (void)rename("harmless", "in/victim");
    }
    return NULL;
}

static void a_file_swapped_for_a_link_never_leads_out_of_the_directory(void **state)
{
    const struct fixture *f = *state;
    atomic_bool stop = false;
    pthread_t thread;

    assert_int_equal(mkdir("in", 0700), 0);
    put_text("secret", "secret");
    put_text("in/victim", "harmless");
    assert_int_equal(symlink("../secret", "link"), 0);
    assert_int_equal(pthread_create(&thread, NULL, swap_for_a_link, &stop), 0);
    for (int i = 0; i < 300; i++) {
        struct reading *r = read_input(f, "in");

        assert_ok(r);
        assert_int_equal(r->count, 1);
        assert_string_not_equal(r->kept[0].data, "secret");
        free_reading(r);
    }
    atomic_store(&stop, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static struct reading *three_inputs(void)
{
    struct reading *r = new_reading("bundle.pem");

    r->inputs[1] = "in";
    r->inputs[2] = "lines.jsonl";
    r->input_count = 3;
    r->read_octets = 37;
    return r;
}

static void make_three_inputs(void)
{
    put_text("bundle.pem", BUNDLE);
    assert_int_equal(mkdir("in", 0700), 0);
    put_text("in/x", A);
    put_text("in/y", B);
    put_text("lines.jsonl", "\n{}\n\n[]\n\n");
}

static void what_was_observed_ends_where_the_record_ends(void **state)
{
    const struct fixture *f = *state;
    static const char expected[] = BUNDLE "\0x\0y\0\0\n{}\n\n[]\n\n";
    struct reading *r = three_inputs();

    make_three_inputs();
    read_all(f, r);
    assert_ok(r);
    assert_int_equal(r->count, 8);
    assert_int_equal(r->observed.len, sizeof(expected) - 1);
    assert_memory_equal(r->observed.data, expected, sizeof(expected) - 1);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(r->kept[i].position.input, 0);
        assert_int_equal(r->kept[i].observed, r->kept[i].position.offset);
    }
    assert_int_equal(r->kept[0].observed, strlen("text\n" A "\n"));
    assert_int_equal(r->kept[4].observed, strlen(BUNDLE) + 3);
    assert_int_equal(r->kept[5].observed, strlen(BUNDLE) + 5);
    assert_int_equal(r->kept[6].observed, strlen(BUNDLE) + 6 + 4);
    assert_int_equal(r->kept[6].position.input, 2);
    assert_int_equal(r->kept[6].position.offset, 4);
    assert_int_equal(r->end.input, 2);
    assert_int_equal(r->end.offset, 9);
    assert_int_equal(r->total, strlen(BUNDLE) + 2 + 9);
    assert_int_equal(r->consumed, r->total);
    free_reading(r);
}

static void reading_goes_on_after_any_record_with_the_same_records_and_octets(void **state)
{
    const struct fixture *f = *state;
    struct reading *whole = three_inputs();

    make_three_inputs();
    read_all(f, whole);
    assert_ok(whole);
    for (size_t k = 0; k <= whole->count; k++) {
        struct reading *r = three_inputs();

        r->from = k == whole->count ? whole->end : whole->kept[k].position;
        read_all(f, r);
        assert_ok(r);
        assert_int_equal(r->count, k == whole->count ? 0 : whole->count - k - 1);
        for (size_t i = 0; i < r->count; i++) {
            assert_int_equal(r->kept[i].kind, whole->kept[k + 1 + i].kind);
            assert_string_equal(r->kept[i].data, whole->kept[k + 1 + i].data);
            assert_int_equal(r->kept[i].offset, whole->kept[k + 1 + i].offset);
            assert_int_equal(r->kept[i].observed, whole->kept[k + 1 + i].observed);
        }
        assert_int_equal(r->observed.len, whole->observed.len);
        assert_memory_equal(r->observed.data, whole->observed.data, whole->observed.len);
        assert_int_equal(r->consumed, whole->consumed);
        free_reading(r);
    }
    free_reading(whole);
}

static void inputs_that_became_shorter_are_noticed(void **state)
{
    const struct fixture *f = *state;
    static const struct ingest_position beyond[] = { { 0, 100000 }, { 1, 3 }, { 2, 10 }, { 3, 1 } };

    make_three_inputs();
    for (size_t i = 0; i < sizeof(beyond) / sizeof(beyond[0]); i++) {
        struct reading *r = three_inputs();

        r->from = beyond[i];
        read_all(f, r);
        assert_int_equal(r->status, CA_CORRUPT);
        assert_string_equal(ca_error_name(&r->err), "input-changed");
        free_reading(r);
    }
}

static void a_read_error_ends_the_run_for_good(void **state)
{
    const struct fixture *f = *state;
    struct ring *ring = NULL;
    struct ingest *ingest = NULL;
    const char *inputs[] = { "bundle.pem" };
    struct ingest_spec spec = { .inputs = inputs, .input_count = 1, .stop_fd = -1,
                                .read_octets = 100 };
    struct ingest_record record;
    struct ca_error err = { .text = "" };

    put_text("bundle.pem", BUNDLE);
    assert_int_equal(ring_open(f->want, 4, &ring, NULL), CA_OK);
    assert_int_equal(ingest_open(ring, &spec, &ingest, NULL), CA_OK);
    arm("ring.read:2=EIO");
    assert_int_equal(ingest_next(ingest, &record, NULL), CA_OK);
    assert_int_equal(ingest_next(ingest, &record, &err), CA_IO);
    assert_non_null(strstr(err.text, "cannot read bundle.pem"));
    assert_int_equal(ingest_next(ingest, &record, &err), CA_IO);
    assert_non_null(strstr(err.text, "cannot read bundle.pem"));
    ingest_close(ingest);
    ring_close(ring);
}

static void an_input_that_vanished_after_the_check_ends_the_run(void **state)
{
    const struct fixture *f = *state;
    struct ring *ring = NULL;
    const char *inputs[] = { "bundle.pem" };
    struct ingest_spec spec = { .inputs = inputs, .input_count = 1, .stop_fd = -1 };

    assert_int_equal(ring_open(f->want, 4, &ring, NULL), CA_OK);
    for (int fifo = 0; fifo < 2; fifo++) {
        struct ingest *ingest = NULL;
        struct ingest_record record;

        put_text("bundle.pem", BUNDLE);
        assert_int_equal(ingest_open(ring, &spec, &ingest, NULL), CA_OK);
        assert_int_equal(unlink("bundle.pem"), 0);
        if (fifo == 1) assert_int_equal(mkfifo("bundle.pem", 0600), 0);
        assert_int_equal(ingest_next(ingest, &record, NULL), CA_IO);
        ingest_close(ingest);
    }
    ring_close(ring);
}

static void a_ready_stop_descriptor_ends_waiting_for_any_input(void **state)
{
    const struct fixture *f = *state;
    static const char *const inputs[] = { "bundle.pem", "in", "-" };
    int stop[2], input[2];

    make_three_inputs();
    assert_int_equal(pipe(stop), 0);
    assert_int_equal(pipe(input), 0);       /* nothing comes, and its end does not either */
    assert_int_equal(dup2(input[0], STDIN_FILENO), STDIN_FILENO);
    assert_int_equal(write(stop[1], "x", 1), 1);
    for (int i = 0; i < 3; i++) {
        struct reading *r = new_reading(inputs[i]);

        r->stop_fd = stop[0];
        read_all(f, r);
        assert_int_equal(r->status, CA_AGAIN);
        assert_int_equal(r->count, 0);
        free_reading(r);
    }
    for (int i = 0; i < 2; i++) {
        (void)close(stop[i]);
        (void)close(input[i]);
    }
}

struct writer {
    int fd;
    const char *text;
    size_t step;
};

static void *write_slowly(void *arg)
{
    const struct writer *writer = arg;
    size_t len = strlen(writer->text);

    for (size_t at = 0; at < len; at += writer->step) {
        size_t step = len - at < writer->step ? len - at : writer->step;

        if (write(writer->fd, writer->text + at, step) != (ssize_t)step) break;
    }
    (void)close(writer->fd);
    return NULL;
}

static struct reading *read_piped(const struct fixture *f, const char *text, size_t step,
                                  size_t read_octets)
{
    struct reading *r = new_reading("-");
    struct writer writer = { .text = text, .step = step };
    pthread_t thread;
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    writer.fd = fds[1];
    assert_int_equal(dup2(fds[0], STDIN_FILENO), STDIN_FILENO);
    (void)close(fds[0]);
    r->read_octets = read_octets;
    assert_int_equal(pthread_create(&thread, NULL, write_slowly, &writer), 0);
    read_all(f, r);
    (void)close(STDIN_FILENO);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(open("/dev/null", O_RDONLY), STDIN_FILENO);
    return r;
}

static void standard_input_gives_what_a_file_gives(void **state)
{
    static const char *const texts[] = { BUNDLE, "\n {\"a\":1}\n\n{}\r\n[]", "\xef\xbb\xbf{}\n" };
    const struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct reading *file;

        put_text("same", texts[i]);
        file = read_input(f, "same");
        assert_ok(file);
        for (size_t step = 1; step < 200; step += 11) {
            struct reading *r;

            arm(step % 2 == 0 ? "ring.read:2=short;ring.read:3=EINTR;ring.read:4=EAGAIN" : NULL);
            r = read_piped(f, texts[i], step, step % 3 == 0 ? 16 : 0);
            assert_same_records(file, r);
            assert_int_equal(r->total, 0);
            free_reading(r);
        }
        free_reading(file);
    }
}

static void standard_input_without_any_record_is_refused(void **state)
{
    const struct fixture *f = *state;
    static const char *const texts[] = { "", "garbage\n" };

    for (int i = 0; i < 2; i++) {
        struct reading *r = read_piped(f, texts[i], 100, 0);

        assert_int_equal(r->status, CA_REFUSED);
        assert_string_equal(ca_error_name(&r->err), "input");
        assert_non_null(strstr(r->err.text, "standard input"));
        free_reading(r);
    }
}

static void a_read_error_on_standard_input_ends_the_run(void **state)
{
    const struct fixture *f = *state;
    struct reading *r;

    arm("ring.read:1=EIO");
    r = read_piped(f, BUNDLE, 10000, 0);
    assert_int_equal(r->status, CA_IO);
    assert_non_null(strstr(r->err.text, "cannot read standard input"));
    free_reading(r);
}

static void both_kinds_of_ring_give_the_same(void **state)
{
    struct fixture plain = *(struct fixture *)*state;
    const struct fixture *f = *state;
    static const char *const setups[] = { NULL, "ring.setup:1=ENOSYS", "ring.setup:1=EPERM" };
    struct reading *expected = three_inputs();

    make_three_inputs();
    plain.want = RING_PLAIN;
    read_all(&plain, expected);
    assert_ok(expected);
    for (int i = 0; i < 3; i++) {
        struct reading *r = three_inputs();

        arm(setups[i]);
        read_all(f, r);
        assert_same_records(expected, r);
        free_reading(r);
    }
    free_reading(expected);
}

static void a_broken_ring_ends_the_run(void **state)
{
    const struct fixture *f = *state;
    static const char *const inputs[] = { "bundle.pem", "in" };

    make_three_inputs();
    for (int i = 0; i < 2; i++) {
        struct ring *ring = NULL;
        struct reading *r = new_reading(inputs[i]);
        bool plain;

        assert_int_equal(ring_open(f->want, 4, &ring, NULL), CA_OK);
        plain = strcmp(ring_name(ring), "plain") == 0;
        ring_close(ring);
        arm("ring.submit:1=EIO");
        read_all(f, r);
        assert_int_equal(r->status, plain ? CA_OK : CA_IO);
        free_reading(r);
    }
}

#define ON_BOTH(test)                                                                              \
    { #test " (io_uring)", test, set_up_auto, tear_down, NULL },                                   \
    { #test " (plain)", test, set_up_plain, tear_down, NULL }

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(a_bundle_gives_its_blocks_however_it_is_read),
        ON_BOTH(lines_come_without_their_ends_however_they_are_read),
        ON_BOTH(the_form_is_told_by_the_name_or_the_first_octet),
        ON_BOTH(a_record_over_the_limit_is_reported_once_and_passed_over),
        ON_BOTH(two_hundred_thousand_lines_come_in_order),
        ON_BOTH(a_large_file_without_any_record_is_refused_soon),
        ON_BOTH(inputs_that_hold_nothing_or_cannot_be_read_are_refused),
        ON_BOTH(an_unreadable_file_is_refused_by_name_and_a_record_in_a_directory),
        ON_BOTH(standard_input_may_be_named_once),
        ON_BOTH(the_files_of_a_directory_come_in_byte_order),
        ON_BOTH(only_regular_files_of_a_directory_are_read),
        ON_BOTH(a_directory_of_seven_hundred_files_is_read_whole),
        ON_BOTH(large_files_are_read_in_groups_that_fit),
        ON_BOTH(a_low_limit_on_descriptors_costs_no_file),
        ON_BOTH(what_one_file_refuses_is_its_own_record),
        ON_BOTH(a_lack_of_descriptors_ends_the_run_instead_of_refusing_files),
        ON_BOTH(a_file_that_grows_while_it_is_read_is_read_whole_or_refused),
        ON_BOTH(a_file_swapped_for_a_link_never_leads_out_of_the_directory),
        ON_BOTH(what_was_observed_ends_where_the_record_ends),
        ON_BOTH(reading_goes_on_after_any_record_with_the_same_records_and_octets),
        ON_BOTH(inputs_that_became_shorter_are_noticed),
        ON_BOTH(a_read_error_ends_the_run_for_good),
        ON_BOTH(an_input_that_vanished_after_the_check_ends_the_run),
        ON_BOTH(a_ready_stop_descriptor_ends_waiting_for_any_input),
        ON_BOTH(standard_input_gives_what_a_file_gives),
        ON_BOTH(standard_input_without_any_record_is_refused),
        ON_BOTH(a_read_error_on_standard_input_ends_the_run),
        ON_BOTH(both_kinds_of_ring_give_the_same),
        ON_BOTH(a_broken_ring_ends_the_run),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
