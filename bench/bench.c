#include "bench/bench.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#ifndef BENCH_COMMIT
#define BENCH_COMMIT "unknown"
#endif

#if defined(__clang__)
#define BENCH_COMPILER "clang " __clang_version__
#else
#define BENCH_COMPILER "gcc " __VERSION__
#endif

bool bench_options_parse(int argc, char **argv, struct bench_options *out)
{
    int kept = 1;

    *out = (struct bench_options){ .runs = BENCH_RUNS_DEFAULT, .argv = argv };
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--tiny") == 0) {
            out->tiny = true;
        } else if (strcmp(argv[i], "--runs") == 0 && i + 1 < argc) {
            char *end = NULL;
            unsigned long runs = strtoul(argv[++i], &end, 10);

            if (*end != '\0' || runs < BENCH_RUNS_MIN || runs > BENCH_RUNS_MAX) {
                fprintf(stderr, "%s: --runs takes %d to %d\n", argv[0], BENCH_RUNS_MIN,
                        BENCH_RUNS_MAX);
                return false;
            }
            out->runs = (unsigned)runs;
        } else if (strcmp(argv[i], "--dir") == 0 && i + 1 < argc) {
            out->dir = argv[++i];
        } else {
            argv[kept++] = argv[i];
        }
    }
    out->argc = kept;
    if (out->tiny) out->runs = BENCH_RUNS_MIN;
    return true;
}

double bench_cpu_s(enum bench_cpu which)
{
    bool thread = which == BENCH_CPU_THREAD;
    struct timespec now = { 0 };

    (void)clock_gettime(thread ? CLOCK_THREAD_CPUTIME_ID : CLOCK_PROCESS_CPUTIME_ID,
                        &now);                     /* cannot fail on Linux */
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

double bench_wall_s(void)
{
    struct timespec now = { 0 };

    (void)clock_gettime(CLOCK_MONOTONIC, &now);                 /* cannot fail on Linux */
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static enum ca_status slice_run(enum bench_cpu which, const struct bench_side *side,
                                unsigned slice, struct bench_slice *out, struct ca_error *err)
{
    double cpu_s = bench_cpu_s(which);
    double wall_s = bench_wall_s();
    enum ca_status st;

    *out = (struct bench_slice){ 0 };
    st = side->run(side->ctx, slice, out, err);
    if (st != CA_OK) return st;
    if (out->cpu_s == 0 && out->wall_s == 0) {
        out->wall_s = bench_wall_s() - wall_s;
        out->cpu_s = bench_cpu_s(which) - cpu_s;
    }
    assert(out->ops > 0);
    /* A slice of a tiny run may lie below the clock's grain; a ratio divides by it. */
    if (out->cpu_s < 1e-9) out->cpu_s = 1e-9;
    if (out->wall_s < 1e-9) out->wall_s = 1e-9;
    return CA_OK;
}

static int compare_doubles(const void *a, const void *b)
{
    const double *x = a;
    const double *y = b;

    return (*x > *y) - (*x < *y);
}

static struct bench_stat stat_of(const double *values, unsigned count)
{
    double sorted[BENCH_RUNS_MAX];
    struct bench_stat stat;

    memcpy(sorted, values, count * sizeof(*values));
    qsort(sorted, count, sizeof(*sorted), compare_doubles);
    stat.min = sorted[0];
    stat.max = sorted[count - 1];
    stat.median = count % 2 == 1 ? sorted[count / 2]
                                 : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
    return stat;
}

/* Microseconds per op of each slice. */
struct side_times {
    double cpu_us[BENCH_RUNS_MAX];
    double wall_us[BENCH_RUNS_MAX];
};

static void slice_note(struct bench_side_result *result, struct side_times *times, unsigned run,
                       const struct bench_slice *slice)
{
    uint8_t sum[8];

    times->cpu_us[run] = slice->cpu_s * 1e6 / (double)slice->ops;
    times->wall_us[run] = slice->wall_s * 1e6 / (double)slice->ops;
    ca_put_u64(sum, slice->checksum);
    result->checksum = bench_checksum(run == 0 ? BENCH_CHECKSUM_INIT : result->checksum,
                                      ca_bytes_of(sum, sizeof(sum)));
    result->ops += slice->ops;
}

static struct bench_ratio ratio_of(const double *reference, const double *subject, unsigned runs)
{
    double pairs[BENCH_RUNS_MAX];
    struct bench_stat stat;

    for (unsigned i = 0; i < runs; i++) {
        pairs[i] = reference[i] / subject[i];
    }
    stat = stat_of(pairs, runs);
    return (struct bench_ratio){
        .of_medians = stat_of(reference, runs).median / stat_of(subject, runs).median,
        .min = stat.min,
        .max = stat.max,
    };
}

enum ca_status bench_compare(const struct bench_options *options, enum bench_cpu which,
                             const struct bench_side *subject, const struct bench_side *reference,
                             struct bench_result *out, struct ca_error *err)
{
    const struct bench_side *sides[2] = { subject, reference };
    struct bench_side_result *results[2] = { &out->subject, &out->reference };
    struct side_times times[2];
    unsigned side_count = reference == NULL ? 1 : 2;
    struct bench_slice slice;
    enum ca_status st;

    assert(options->runs >= 1 && options->runs <= BENCH_RUNS_MAX);
    *out = (struct bench_result){ .runs = options->runs, .has_reference = reference != NULL };
    for (unsigned s = 0; s < side_count; s++) {
        st = slice_run(which, sides[s], 0, &slice, err);
        if (st != CA_OK) return st;
    }
    for (unsigned run = 0; run < options->runs; run++) {
        for (unsigned k = 0; k < side_count; k++) {
            unsigned s = (k + run) % side_count;

            st = slice_run(which, sides[s], run + 1, &slice, err);
            if (st != CA_OK) return st;
            slice_note(results[s], &times[s], run, &slice);
        }
    }
    for (unsigned s = 0; s < side_count; s++) {
        results[s]->cpu_us = stat_of(times[s].cpu_us, options->runs);
        results[s]->wall_us = stat_of(times[s].wall_us, options->runs);
    }
    if (reference != NULL) {
        out->cpu = ratio_of(times[1].cpu_us, times[0].cpu_us, options->runs);
        out->wall = ratio_of(times[1].wall_us, times[0].wall_us, options->runs);
    }
    return CA_OK;
}

/* "model name" is what x86 has, "Hardware" and "CPU part" some ARM kernels. */
static void cpu_model(char *out, size_t size)
{
    static const char *const keys[] = { "model name", "Hardware", "CPU part" };
    FILE *file = fopen("/proc/cpuinfo", "re");
    char line[512];
    bool known = false;

    (void)snprintf(out, size, "unknown");
    if (file == NULL) return;
    while (!known && fgets(line, sizeof(line), file) != NULL) {
        char *colon = strchr(line, ':');

        if (colon == NULL) continue;
        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
            if (strncmp(line, keys[i], strlen(keys[i])) != 0) continue;
            line[strcspn(line, "\n")] = '\0';
            (void)snprintf(out, size, "%s", colon[1] == ' ' ? colon + 2 : colon + 1);
            known = true;
            break;
        }
    }
    (void)fclose(file);
}

static void stat_append(struct ca_buf *line, const char *name, struct bench_stat stat)
{
    ca_buf_printf(line, "\"%s\":{\"median\":%.4f,\"min\":%.4f,\"max\":%.4f,\"spread\":%.3f}", name,
                  stat.median, stat.min, stat.max, (stat.max - stat.min) / stat.median);
}

static void side_append(struct ca_buf *line, const char *role, const struct bench_side *side,
                        const struct bench_side_result *result)
{
    ca_buf_printf(line, ",\"%s\":{\"name\":", role);
    ca_json_append_string(line, ca_bytes_str(side->name));
    ca_buf_printf(line, ",\"ops\":%llu,\"checksum\":\"%016llx\",",
                  (unsigned long long)result->ops, (unsigned long long)result->checksum);
    stat_append(line, "cpu_us", result->cpu_us);
    ca_buf_append_str(line, ",");
    stat_append(line, "wall_us", result->wall_us);
    ca_buf_printf(line, ",\"rate\":%.1f}", 1e6 / result->wall_us.median);
}

static void ratio_append(struct ca_buf *line, const char *name, struct bench_ratio ratio)
{
    ca_buf_printf(line, ",\"%s\":{\"of_medians\":%.4f,\"min\":%.4f,\"max\":%.4f}", name,
                  ratio.of_medians, ratio.min, ratio.max);
}

enum ca_status bench_print(const char *bench, const char *params, const struct bench_side *subject,
                           const struct bench_side *reference, const struct bench_result *result,
                           const char *extra, struct ca_error *err)
{
    char cpu[256];
    struct ca_buf line;
    enum ca_status st;

    cpu_model(cpu, sizeof(cpu));
    ca_buf_init(&line, BENCH_LINE_MAX);
    ca_buf_append_str(&line, "{\"bench\":");
    ca_json_append_string(&line, ca_bytes_str(bench));
    ca_buf_append_str(&line, ",\"params\":{");
    ca_buf_append_str(&line, params);
    ca_buf_append_str(&line, "},\"commit\":");
    ca_json_append_string(&line, ca_bytes_str(BENCH_COMMIT));
    ca_buf_append_str(&line, ",\"compiler\":");
    ca_json_append_string(&line, ca_bytes_str(BENCH_COMPILER));
    ca_buf_append_str(&line, ",\"cpu\":");
    ca_json_append_string(&line, ca_bytes_str(cpu));
    ca_buf_printf(&line, ",\"cores\":%ld,\"runs\":%u", sysconf(_SC_NPROCESSORS_ONLN), result->runs);
    side_append(&line, "subject", subject, &result->subject);
    if (reference != NULL) {
        side_append(&line, "reference", reference, &result->reference);
        ratio_append(&line, "ratio_cpu", result->cpu);
        ratio_append(&line, "ratio_wall", result->wall);
    }
    ca_buf_append_str(&line, ",\"extra\":{");
    ca_buf_append_str(&line, extra);
    ca_buf_append_str(&line, "}}\n");
    st = ca_buf_status(&line, "a benchmark's line", err);
    if (st == CA_OK &&
        (fwrite(line.data, 1, line.len, stdout) != line.len || fflush(stdout) != 0)) {
        st = ca_fail_errno(err, errno, "cannot print the line");
    }
    ca_buf_clear(&line);
    return st;
}

uint64_t bench_checksum(uint64_t sum, struct ca_bytes octets)
{
    for (size_t i = 0; i < octets.len; i++) {
        sum = (sum ^ octets.data[i]) * UINT64_C(0x100000001b3);
    }
    return sum;
}

/* SplitMix64 (Steele, Lea, Flood 2014). */
uint64_t bench_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void bench_random_fill(uint64_t *state, uint8_t *out, size_t len)
{
    uint8_t word[8];

    while (len > 0) {
        size_t take = len < sizeof(word) ? len : sizeof(word);

        ca_put_u64(word, bench_random(state));
        memcpy(out, word, take);
        out += take;
        len -= take;
    }
}

enum ca_status bench_dir_make(const struct bench_options *options, char *path, size_t size,
                              struct ca_error *err)
{
    const char *base = options->dir != NULL ? options->dir : getenv("TMPDIR");
    int written;

    if (base == NULL || base[0] == '\0') base = "/tmp";
    written = snprintf(path, size, "%s/certmill-bench-XXXXXX", base);
    if (written < 0 || (size_t)written >= size) {
        return ca_fail(err, CA_REFUSED, "the directory's name %s is too long", base);
    }
    if (mkdtemp(path) == NULL) return ca_fail_errno(err, errno, "cannot make %s", path);
    return CA_OK;
}

/* Unlinks what lies in the directory; depth levels of directories beneath it are emptied first.
 * Nothing is reported: left-overs in a temporary directory are no result of a benchmark. */
static void dir_empty(int parent_fd, const char *name, int depth)
{
    int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;

    if (dir == NULL) {
        if (fd >= 0) (void)close(fd);
        return;
    }
    while ((entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        if (unlinkat(fd, entry->d_name, 0) == 0) continue;
        if (depth > 0) dir_empty(fd, entry->d_name, depth - 1);
        (void)unlinkat(fd, entry->d_name, AT_REMOVEDIR);
    }
    (void)closedir(dir);
}

void bench_dir_remove(const char *path)
{
    dir_empty(AT_FDCWD, path, 2);
    (void)rmdir(path);
}

int bench_explain(const char *bench, const struct ca_error *err)
{
    fprintf(stderr, "%s: %s%s%s%s\n", bench, err->text, err->hint[0] != '\0' ? " (" : "", err->hint,
            err->hint[0] != '\0' ? ")" : "");
    return 1;
}
