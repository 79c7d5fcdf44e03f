/*
 * What does it cost to turn inputs into records? A PEM bundle and a directory of PEM files through
 * io/ingest, over io_uring and over plain system calls. Reference: the same files read by read(2)
 * alone, without looking for records. Page cache warm, so that it is our work that is measured.
 */
#include "bench/bench.h"
#include "io/ingest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUNDLE_RECORDS 20000
#define FOLDER_RECORDS 2000
#define TINY_RECORDS 64
#define BODY_LINES 10           /* of 64 characters: a P-256 request with one name has 8 or 9 */
#define READ_OCTETS 65536
#define RING_DEPTH 256
#define PATH_OCTETS 512

struct input {
    char path[PATH_OCTETS];
    bool is_folder;
    unsigned records;
};

struct subject {
    const struct input *input;
    enum ring_want want;
};

/* ---- inputs ---- */

static void append_record(uint64_t *seed, struct ca_buf *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    ca_buf_append_str(out, "-----BEGIN CERTIFICATE REQUEST-----\n");
    for (unsigned line = 0; line < BODY_LINES; line++) {
        for (unsigned i = 0; i < 64; i++) {
            ca_buf_append_u8(out, (uint8_t)digits[bench_random(seed) % 64]);
        }
        ca_buf_append_u8(out, '\n');
    }
    ca_buf_append_str(out, "-----END CERTIFICATE REQUEST-----\n");
}

static enum ca_status write_file(const char *path, const struct ca_buf *text, struct ca_error *err)
{
    FILE *file;
    bool good;
    enum ca_status st = ca_buf_status(text, "an input", err);

    if (st != CA_OK) return st;
    file = fopen(path, "wxe");
    if (file == NULL) return ca_fail_errno(err, errno, "cannot make %s", path);
    good = fwrite(text->data, 1, text->len, file) == text->len;
    if (fclose(file) != 0) good = false;
    return good ? CA_OK : ca_fail_errno(err, errno, "cannot write %s", path);
}

static enum ca_status make_bundle(struct input *input, const char *dir, unsigned records,
                                  struct ca_error *err)
{
    struct ca_buf text;
    uint64_t seed = 1;
    enum ca_status st;

    *input = (struct input){ .records = records };
    (void)snprintf(input->path, sizeof(input->path), "%s/bundle.pem", dir);
    ca_buf_init(&text, (size_t)records * 1024);
    for (unsigned i = 0; i < records; i++) {
        append_record(&seed, &text);
    }
    st = write_file(input->path, &text, err);
    ca_buf_clear(&text);
    return st;
}

static enum ca_status make_folder(struct input *input, const char *dir, unsigned records,
                                  struct ca_error *err)
{
    struct ca_buf text;
    char path[PATH_OCTETS + 32];
    uint64_t seed = 2;
    enum ca_status st = CA_OK;

    *input = (struct input){ .is_folder = true, .records = records };
    (void)snprintf(input->path, sizeof(input->path), "%s/requests", dir);
    if (mkdir(input->path, 0700) != 0) {
        return ca_fail_errno(err, errno, "cannot make %s", input->path);
    }
    ca_buf_init(&text, 4096);
    for (unsigned i = 0; st == CA_OK && i < records; i++) {
        ca_buf_reset(&text);
        append_record(&seed, &text);
        (void)snprintf(path, sizeof(path), "%s/%06u.pem", input->path, i);
        st = write_file(path, &text, err);
    }
    ca_buf_clear(&text);
    return st;
}

/* ---- ours ---- */

static enum ca_status take_records(struct ingest *ingest, struct bench_slice *out,
                                   struct ca_error *err)
{
    struct ingest_record record;
    enum ca_status st = ingest_next(ingest, &record, err);

    while (st == CA_OK && record.kind != INGEST_END) {
        if (record.kind != INGEST_PEM && record.kind != INGEST_FILE)
            return ca_fail(err, CA_CORRUPT, "a record of kind %d came out", (int)record.kind);
        out->ops++;
        /* Each record's length and one octet of content; more would be part of what is measured. */
        out->checksum = out->checksum * 31 + record.data.len + record.data.data[36];
        st = ingest_next(ingest, &record, err);
    }
    return st;
}

static enum ca_status run_subject(void *ctx, unsigned slice, struct bench_slice *out,
                                  struct ca_error *err)
{
    const struct subject *s = ctx;
    const char *inputs[1] = { s->input->path };
    const struct ingest_spec spec = { .inputs = inputs, .input_count = 1, .stop_fd = -1 };
    struct ring *ring = NULL;
    struct ingest *ingest = NULL;
    double cpu_s, wall_s;
    enum ca_status st = ring_open(s->want, RING_DEPTH, &ring, err);

    (void)slice;
    if (st != CA_OK) return st;
    cpu_s = bench_cpu_s(BENCH_CPU_PROCESS);
    wall_s = bench_wall_s();
    st = ingest_open(ring, &spec, &ingest, err);
    if (st == CA_OK) st = take_records(ingest, out, err);
    ingest_close(ingest);
    out->wall_s = bench_wall_s() - wall_s;
    out->cpu_s = bench_cpu_s(BENCH_CPU_PROCESS) - cpu_s;
    ring_close(ring);
    if (st == CA_OK && out->ops != s->input->records)
        st = ca_fail(err, CA_CORRUPT, "%llu records came out instead of %u",
                     (unsigned long long)out->ops, s->input->records);
    return st;
}

/* ---- bare ---- */

static enum ca_status read_whole(int dir_fd, const char *path, uint64_t *octets,
                                 struct ca_error *err)
{
    static uint8_t buffer[READ_OCTETS];     /* a benchmark has one thread */
    int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n;

    if (fd < 0) return ca_fail_errno(err, errno, "cannot open %s", path);
    while ((n = read(fd, buffer, sizeof(buffer))) > 0) {
        *octets += (uint64_t)n;
    }
    (void)close(fd);
    return n == 0 ? CA_OK : ca_fail_errno(err, errno, "cannot read %s", path);
}

static enum ca_status read_folder(const char *path, uint64_t *octets, struct ca_error *err)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    enum ca_status st = CA_OK;

    if (dir == NULL) return ca_fail_errno(err, errno, "cannot open %s", path);
    while (st == CA_OK && (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.') st = read_whole(dirfd(dir), entry->d_name, octets, err);
    }
    (void)closedir(dir);
    return st;
}

static enum ca_status run_reference(void *ctx, unsigned slice, struct bench_slice *out,
                                    struct ca_error *err)
{
    const struct input *input = ctx;

    (void)slice;
    out->ops = input->records;
    return input->is_folder ? read_folder(input->path, &out->checksum, err)
                            : read_whole(AT_FDCWD, input->path, &out->checksum, err);
}

/* ---- both ---- */

static enum ca_status measure(const struct bench_options *options, struct input *input,
                              enum ring_want want, struct ca_error *err)
{
    struct subject ours = { .input = input, .want = want };
    const struct bench_side subject = { "io/ingest", run_subject, &ours };
    const struct bench_side reference = { "read", run_reference, input };
    struct bench_result result;
    struct ring *ring = NULL;
    char params[160], extra[128];
    enum ca_status st = ring_open(want, RING_DEPTH, &ring, err);

    if (st != CA_OK) return st;
    /* What it really was: a container may refuse io_uring. */
    (void)snprintf(params, sizeof(params), "\"input\":\"%s\",\"records\":%u,\"io\":\"%s\"",
                   input->is_folder ? "directory" : "bundle", input->records, ring_name(ring));
    ring_close(ring);
    st = bench_compare(options, BENCH_CPU_PROCESS, &subject, &reference, &result, err);
    if (st != CA_OK) return st;
    (void)snprintf(extra, sizeof(extra), "\"ns_per_record\":%.1f,\"reference_ns_per_record\":%.1f",
                   result.subject.cpu_us.median * 1000, result.reference.cpu_us.median * 1000);
    return bench_print("ingest", params, &subject, &reference, &result, extra, err);
}

static enum ca_status run(const struct bench_options *options, const char *dir,
                          struct ca_error *err)
{
    struct input inputs[2];
    enum ca_status st = make_bundle(&inputs[0], dir, options->tiny ? TINY_RECORDS : BUNDLE_RECORDS,
                                    err);

    if (st == CA_OK)
        st = make_folder(&inputs[1], dir, options->tiny ? TINY_RECORDS : FOLDER_RECORDS, err);
    for (size_t i = 0; st == CA_OK && i < 2; i++) {
        st = measure(options, &inputs[i], RING_AUTO, err);
        if (st == CA_OK) st = measure(options, &inputs[i], RING_PLAIN, err);
    }
    return st;
}

int main(int argc, char **argv)
{
    struct bench_options options;
    struct ca_error err;
    char dir[400];
    enum ca_status st;

    if (!bench_options_parse(argc, argv, &options)) return 2;
    if (options.argc != 1) {
        fprintf(stderr, "usage: %s [--tiny] [--runs N] [--dir D]\n", argv[0]);
        return 2;
    }
    st = bench_dir_make(&options, dir, sizeof(dir), &err);
    if (st != CA_OK) return bench_explain("bench_ingest", &err);
    st = run(&options, dir, &err);
    bench_dir_remove(dir);
    return st == CA_OK ? 0 : bench_explain("bench_ingest", &err);
}
