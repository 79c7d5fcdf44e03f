#include "io/ingest.h"
#include "io/folder.h"
#include "io/jsonl.h"
#include "io/pem.h"
#include "io/source.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SNIFF_MAX 4096      /* octets looked through for the first that is no white space */

static_assert(INGEST_RECORD_MAX == SPLIT_RECORD_MAX, "the splitters' limit is ingest's");
static_assert(SNIFF_MAX <= SPLIT_CARRY_MAX, "what was sniffed at stays in the window");

enum input_kind { INPUT_STREAM, INPUT_FILE, INPUT_FOLDER };

/* What a file or stream is made of. */
enum form { FORM_PEM, FORM_LINES, FORM_WHOLE };

struct input {
    const char *name;           /* for sentences too */
    enum input_kind kind;
    uint64_t total;             /* octets or files; 0 for a stream */
};

struct ingest {
    struct ring *ring;
    struct ingest_spec spec;
    struct input *inputs;               /* spec.input_count of them */
    uint32_t current;                   /* the input that is read, or comes next */
    bool open;                          /* it is open */
    bool any_record;                    /* it had a record */
    enum form form;
    struct source *source;              /* for all files and streams */
    struct folder *folder;              /* the current directory; NULL */
    struct split split;
    struct ingest_position at;          /* what is consumed */
    struct ingest_position given;       /* the same, when the last record was given */
    uint64_t done;                      /* octets and files of the inputs before the current one */
    bool failed;
    struct ca_error failure;            /* the first for good; returned ever after */
};

static enum ca_status fail_input(struct ca_error *err, const char *what, const char *name)
{
    return ca_fail_named(err, CA_REFUSED, "input", "%s: %s", name, what);
}

static enum ca_status check_folder(struct input *input, struct ca_error *err)
{
    struct ca_error why;

    if (folder_count_entries(input->name, &input->total, &why) != CA_OK) {
        return ca_fail_named(err, CA_REFUSED, "input", "%s", why.text);
    }
    if (input->total == 0) return fail_input(err, "the directory is empty", input->name);
    input->kind = INPUT_FOLDER;
    return CA_OK;
}

static enum ca_status check_file(struct input *input, uint64_t size, struct ca_error *err)
{
    int fd = open(input->name, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);

    if (fd == -1) return fail_input(err, strerrordesc_np(errno), input->name);
    (void)close(fd);
    if (size == 0) return fail_input(err, "the file is empty", input->name);
    input->kind = INPUT_FILE;
    input->total = size;
    return CA_OK;
}

static enum ca_status check_input(struct input *input, struct ca_error *err)
{
    struct stat info;

    if (strcmp(input->name, "-") == 0) {
        input->kind = INPUT_STREAM;
        input->name = "standard input";
        return CA_OK;
    }
    if (stat(input->name, &info) == -1) {
        return fail_input(err, strerrordesc_np(errno), input->name);
    }
    if (S_ISDIR(info.st_mode)) return check_folder(input, err);
    if (!S_ISREG(info.st_mode)) {
        return fail_input(err, "neither a regular file nor a directory", input->name);
    }
    return check_file(input, (uint64_t)info.st_size, err);
}

static enum ca_status check_inputs(struct ingest *ingest, struct ca_error *err)
{
    bool has_stream = false;

    for (size_t i = 0; i < ingest->spec.input_count; i++) {
        struct input *input = &ingest->inputs[i];
        enum ca_status st;

        input->name = ingest->spec.inputs[i];
        st = check_input(input, err);
        if (st != CA_OK) return st;
        if (input->kind != INPUT_STREAM) continue;
        if (has_stream) return fail_input(err, "named twice", input->name);
        has_stream = true;
    }
    return CA_OK;
}

enum ca_status ingest_open(struct ring *ring, const struct ingest_spec *spec, struct ingest **out,
                           struct ca_error *err)
{
    struct ingest *ingest = calloc(1, sizeof(*ingest));
    size_t octets = spec->read_octets == 0 ? INGEST_READ_OCTETS : spec->read_octets;
    enum ca_status st;

    assert(spec->input_count <= UINT32_MAX);
    if (ingest == NULL) return ca_fail(err, CA_NOMEM, "no memory for the inputs");
    ingest->ring = ring;
    ingest->spec = *spec;
    ingest->inputs = calloc(spec->input_count + 1, sizeof(*ingest->inputs));
    if (ingest->inputs == NULL) {
        st = ca_fail(err, CA_NOMEM, "no memory for the inputs");
        goto out;
    }
    st = check_inputs(ingest, err);
    if (st != CA_OK) goto out;
    st = source_new(ring, octets, spec->stop_fd, &ingest->source, err);
    if (st != CA_OK) goto out;
    *out = ingest;
    ingest = NULL;
out:
    ingest_close(ingest);
    return st;
}

void ingest_close(struct ingest *ingest)
{
    if (ingest == NULL) return;
    source_free(ingest->source);
    folder_close(ingest->folder);
    free(ingest->inputs);
    free(ingest);
}

static void observe(const struct ingest *ingest, struct ca_bytes octets)
{
    if (ingest->spec.observe != NULL && octets.len > 0) {
        ingest->spec.observe(ingest->spec.observe_ctx, octets);
    }
}

/* The first octets of the window are behind us. */
static void consume(struct ingest *ingest, size_t octets)
{
    observe(ingest, ca_bytes_slice(source_window(ingest->source), 0, octets));
    source_drop(ingest->source, octets);
    ingest->at.offset += octets;
}

static void consume_file(struct ingest *ingest)
{
    struct ca_bytes name = folder_name(ingest->folder, ingest->at.offset);

    /* The zero behind the name too: it ends it, so that two names never read as one. */
    observe(ingest, ca_bytes_of(name.data, name.len + 1));
    ingest->at.offset++;
}

static bool ends_with(const char *name, const char *ending)
{
    size_t len = strlen(name), ending_len = strlen(ending);

    return len >= ending_len && strcmp(name + len - ending_len, ending) == 0;
}

static size_t mark_len(struct ca_bytes text)
{
    static const uint8_t mark[] = { 0xef, 0xbb, 0xbf };

    if (text.len < sizeof(mark) || memcmp(text.data, mark, sizeof(mark)) != 0) return 0;
    return sizeof(mark);
}

/* The first octet that is no white space, -1 while there is none. At most SNIFF_MAX octets are
 * looked at, however many were read, so that the answer does not depend on the reads. */
static int first_octet(struct ca_bytes text)
{
    if (text.len > SNIFF_MAX) text.len = SNIFF_MAX;
    for (size_t i = mark_len(text); i < text.len; i++) {
        if (memchr(" \t\r\n", text.data[i], 4) == NULL) return text.data[i];
    }
    return -1;
}

static enum ca_status sniff(struct ingest *ingest, struct ca_error *err)
{
    const char *name = ingest->spec.inputs[ingest->current];
    int octet;

    for (;;) {
        struct ca_bytes window = source_window(ingest->source);
        enum ca_status st;

        octet = first_octet(window);
        /* Three octets at least, so that a byte order mark is never taken for something else. */
        if ((octet != -1 && window.len >= 3) || window.len >= SNIFF_MAX
            || source_at_end(ingest->source)) {
            break;
        }
        st = source_more(ingest->source, err);
        if (st != CA_OK) return st;
    }
    ingest->form = FORM_PEM;
    if (octet == 0x30 && source_window(ingest->source).data[0] == 0x30) ingest->form = FORM_WHOLE;
    if (octet == '{') ingest->form = FORM_LINES;
    if (ends_with(name, ".ndjson") || ends_with(name, ".jsonl")) ingest->form = FORM_LINES;
    return CA_OK;
}

/* Between the check and now the name may have come to mean something else: what counts is what the
 * descriptor is. */
static enum ca_status open_file(const char *name, int *out, struct ca_error *err)
{
    int fd = open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    struct stat info;
    int failed = 0;

    if (fd == -1) return ca_fail_errno(err, errno, "cannot open %s", name);
    if (fstat(fd, &info) == -1) failed = errno;
    else if (!S_ISREG(info.st_mode)) failed = EINVAL;
    if (failed != 0) {
        (void)close(fd);
        return ca_fail_errno(err, failed, "%s is no regular file any more", name);
    }
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);       /* advice only */
    *out = fd;
    return CA_OK;
}

/* Opens the current input; once only, also when the first octets keep us waiting. */
static enum ca_status open_input(struct ingest *ingest, struct ca_error *err)
{
    const struct input *input = &ingest->inputs[ingest->current];
    int fd = STDIN_FILENO;
    enum ca_status st = CA_OK;

    if (input->kind == INPUT_FOLDER) {
        st = folder_open(ingest->ring, input->name, ingest->spec.stop_fd, &ingest->folder, err);
        ingest->open = st == CA_OK;
        return st;
    }
    if (input->kind == INPUT_FILE) st = open_file(input->name, &fd, err);
    if (st != CA_OK) return st;
    ingest->open = true;
    return source_begin(ingest->source, fd, input->kind == INPUT_FILE, input->name, err);
}

static enum ca_status prepare_input(struct ingest *ingest, struct ca_error *err)
{
    enum ca_status st = ingest->open ? CA_OK : open_input(ingest, err);
    bool untouched = ingest->at.offset == 0;

    if (st != CA_OK || !untouched || ingest->folder != NULL) return st;
    return sniff(ingest, err);
}

static void close_input(struct ingest *ingest)
{
    source_end(ingest->source);
    folder_close(ingest->folder);
    ingest->folder = NULL;
    ingest->open = false;
    ingest->any_record = false;
    ingest->split = (struct split){ 0 };
}

static const char *missing_record(const struct ingest *ingest)
{
    if (ingest->at.offset == 0) return "there is nothing in it";
    return ingest->form == FORM_LINES ? "there is no line with text in it"
                                      : "there is no PEM block in it";
}

/* The current input is consumed to its end; *more says whether another one follows. */
static enum ca_status next_input(struct ingest *ingest, bool *more, struct ca_error *err)
{
    const struct input *input = &ingest->inputs[ingest->current];
    static const uint8_t separator = 0;

    if (!ingest->any_record) return fail_input(err, missing_record(ingest), input->name);
    close_input(ingest);
    ingest->done += ingest->at.offset;
    ingest->current++;
    *more = ingest->current < ingest->spec.input_count;
    if (!*more) return CA_OK;
    observe(ingest, ca_bytes_of(&separator, 1));
    ingest->at = (struct ingest_position){ .input = ingest->current };
    return CA_OK;
}

static enum ca_status next_of_folder(struct ingest *ingest, struct ingest_record *out, bool *got,
                                     struct ca_error *err)
{
    struct folder_file file;
    enum ca_status st;

    *got = ingest->at.offset < folder_count(ingest->folder);
    if (!*got) return CA_OK;
    st = folder_next(ingest->folder, &file, err);
    if (st != CA_OK) return st;
    *out = (struct ingest_record){ .kind = file.kind, .data = file.data, .path = file.name,
                                   .errnum = file.errnum, .input = ingest->current,
                                   .offset = ingest->at.offset };
    consume_file(ingest);
    return CA_OK;
}

/* A file that is one request as a whole. */
static void whole_split(struct split *state, struct ca_bytes window, bool at_end,
                        struct split_out *out)
{
    if (at_end && (window.len > 0 || state->too_long)) {
        split_finish(state, SPLIT_RECORD, 0, window.len, window.len, out);
    } else {
        split_want_more(state, 0, window.len, out);
    }
}

static void split_window(struct ingest *ingest, struct ca_bytes window, bool at_end,
                         struct split_out *out)
{
    switch (ingest->form) {
    case FORM_PEM: pem_split(&ingest->split, window, at_end, out); break;
    case FORM_LINES: jsonl_split(&ingest->split, window, at_end, out); break;
    case FORM_WHOLE: whole_split(&ingest->split, window, at_end, out); break;
    }
}

static enum ingest_kind kind_of(const struct ingest *ingest, enum split_kind kind)
{
    if (kind == SPLIT_TRUNCATED) return INGEST_TRUNCATED;
    if (kind == SPLIT_TOO_LONG) return INGEST_TOO_LONG;
    switch (ingest->form) {
    case FORM_PEM: return INGEST_PEM;
    case FORM_LINES: return INGEST_LINE;
    case FORM_WHOLE: break;
    }
    return INGEST_FILE;
}

/* A byte order mark is no part of the first line. */
static void skip_mark(struct ingest *ingest)
{
    size_t len = ingest->at.offset == 0 ? mark_len(source_window(ingest->source)) : 0;

    consume(ingest, len);
    ingest->split.base += len;
}

static enum ca_status next_of_source(struct ingest *ingest, struct ingest_record *out, bool *got,
                                     struct ca_error *err)
{
    struct source *source = ingest->source;
    struct ca_bytes window;
    struct split_out found;

    skip_mark(ingest);
    for (;;) {
        bool at_end = source_at_end(source);
        enum ca_status st;

        window = source_window(source);
        split_window(ingest, window, at_end, &found);
        consume(ingest, found.consumed);
        if (found.kind != SPLIT_MORE) break;
        *got = false;
        if (at_end) return CA_OK;
        st = source_more(source, err);
        if (st != CA_OK) return st;
    }
    *got = true;
    *out = (struct ingest_record){ .kind = kind_of(ingest, found.kind), .input = ingest->current,
                                   .offset = found.offset };
    if (found.kind != SPLIT_TOO_LONG) out->data = ca_bytes_slice(window, found.start, found.len);
    return CA_OK;
}

static enum ca_status advance(struct ingest *ingest, struct ingest_record *out,
                              struct ca_error *err)
{
    while (ingest->current < ingest->spec.input_count) {
        enum ca_status st = prepare_input(ingest, err);
        bool got, more;

        if (st != CA_OK) return st;
        if (ingest->folder != NULL) st = next_of_folder(ingest, out, &got, err);
        else st = next_of_source(ingest, out, &got, err);
        if (st != CA_OK) return st;
        if (got) {
            ingest->any_record = true;
            return CA_OK;
        }
        st = next_input(ingest, &more, err);
        if (st != CA_OK) return st;
    }
    *out = (struct ingest_record){ .kind = INGEST_END };
    return CA_OK;
}

/* Stopping is no failure: the caller may come again. Everything else ends the run, and a second
 * call must not go on behind the gap. */
static enum ca_status remember(struct ingest *ingest, enum ca_status st,
                               const struct ca_error *failure, struct ca_error *err)
{
    if (st == CA_OK) return st;
    if (err != NULL) *err = *failure;
    if (st == CA_AGAIN) return st;
    ingest->failed = true;
    ingest->failure = *failure;
    return st;
}

enum ca_status ingest_next(struct ingest *ingest, struct ingest_record *out, struct ca_error *err)
{
    struct ca_error failure;
    enum ca_status st;

    if (ingest->failed) return remember(ingest, ingest->failure.status, &ingest->failure, err);
    st = advance(ingest, out, &failure);
    if (st == CA_OK) ingest->given = ingest->at;
    return remember(ingest, st, &failure, err);
}

void ingest_position(const struct ingest *ingest, struct ingest_position *out)
{
    *out = ingest->given;
}

/* Consumes the current input up to this offset, or to its end when that comes first. */
static enum ca_status skip_to(struct ingest *ingest, uint64_t offset, struct ca_error *err)
{
    enum ca_status st = prepare_input(ingest, err);

    if (st != CA_OK) return st;
    while (ingest->folder != NULL && ingest->at.offset < offset
           && ingest->at.offset < folder_count(ingest->folder)) {
        consume_file(ingest);
    }
    if (ingest->folder != NULL) {
        folder_seek(ingest->folder, ingest->at.offset);
        return CA_OK;
    }
    while (ingest->at.offset < offset) {
        uint64_t left = offset - ingest->at.offset;
        size_t len = source_window(ingest->source).len;

        consume(ingest, left < len ? (size_t)left : len);
        if (left <= len || source_at_end(ingest->source)) break;
        st = source_more(ingest->source, err);
        if (st != CA_OK) return st;
    }
    ingest->split.base = ingest->at.offset;
    return CA_OK;
}

static enum ca_status skip(struct ingest *ingest, const struct ingest_position *position,
                           struct ca_error *err)
{
    while (ingest->current < ingest->spec.input_count) {
        bool last = ingest->current == position->input;
        bool more;
        enum ca_status st;

        if (last && position->offset == 0) return CA_OK;
        st = skip_to(ingest, last ? position->offset : UINT64_MAX, err);
        if (st != CA_OK) return st;
        ingest->any_record = true;      /* or there would be no such position */
        if (last && ingest->at.offset == position->offset) return CA_OK;
        if (last) break;
        st = next_input(ingest, &more, err);
        if (st != CA_OK) return st;
    }
    return ca_fail_named(err, CA_CORRUPT, "input-changed",
                         "the inputs end before the place where the job stopped");
}

enum ca_status ingest_skip(struct ingest *ingest, const struct ingest_position *position,
                           struct ca_error *err)
{
    struct ca_error failure;
    enum ca_status st;

    assert(!ingest->open && ingest->current == 0);
    st = skip(ingest, position, &failure);
    if (st == CA_OK) ingest->given = ingest->at;
    return remember(ingest, st, &failure, err);
}

uint64_t ingest_total(const struct ingest *ingest)
{
    uint64_t total = 0;

    for (size_t i = 0; i < ingest->spec.input_count; i++) {
        if (ingest->inputs[i].kind == INPUT_STREAM) return 0;
        total += ingest->inputs[i].total;
    }
    return total;
}

uint64_t ingest_consumed(const struct ingest *ingest)
{
    bool at_end = ingest->current == ingest->spec.input_count;

    return ingest->done + (at_end ? 0 : ingest->at.offset);
}
