/*
 * The benchmark harness. A benchmark answers one question by comparing a subject (our code) with a
 * reference (the least work that could answer the same question: a bare loop, a bare write) in the
 * same process, in alternating slices, so that a noisy machine disturbs both alike. It prints one
 * JSON line.
 *
 *   {"bench":"sign","params":{"key":"EC_prime256v1"},"commit":"...","compiler":"...","cpu":"...",
 *    "cores":2,"runs":7,
 *    "subject":{"name":"ca_signer_sign","ops":500,"checksum":"...",
 *               "cpu_us":{"median":..,"min":..,"max":..,"spread":..},"wall_us":{..},"rate":..},
 *    "reference":{...},
 *    "ratio_cpu":{"of_medians":..,"min":..,"max":..},"ratio_wall":{...},"extra":{...}}
 *
 * cpu_us and wall_us are microseconds per op; spread is (max - min) / median. A ratio is the
 * reference's time divided by the subject's: the share of the reference's speed that is left, 1.0
 * for no overhead at all. of_medians is the quotient of the two medians; min and max are over the
 * pairs of neighbouring slices.
 *
 * Thread: the main one. A side may use threads of its own (BENCH_CPU_PROCESS counts them all).
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include "engine/bytes.h"

#define BENCH_RUNS_DEFAULT 7
#define BENCH_RUNS_MIN 5            /* fewer say nothing about spread; --tiny is held to it too */
#define BENCH_RUNS_MAX 101
#define BENCH_LINE_MAX (1u << 20)   /* octets of one JSON line */

struct bench_options {
    bool tiny;              /* --tiny: the least work that still runs every path, for ctest */
    unsigned runs;          /* --runs N: slices of each side */
    const char *dir;        /* --dir D: where files are made; NULL: $TMPDIR, else /tmp */
    int argc;               /* what the harness did not take, the program's name first */
    char **argv;
};

/* Takes --tiny, --runs and --dir out of argv. False after a sentence on standard error: the program
 * should end with 2. */
bool bench_options_parse(int argc, char **argv, struct bench_options *out);

/* CPU time, user and system, in seconds. */
enum bench_cpu {
    BENCH_CPU_PROCESS,      /* of all threads of this process */
    BENCH_CPU_THREAD,       /* of the calling thread */
};
double bench_cpu_s(enum bench_cpu which);
double bench_wall_s(void);

/* What one slice did. A side that times itself (because set-up must not count) sets cpu_s and
 * wall_s; where both stay 0 the harness times the whole call. */
struct bench_slice {
    uint64_t ops;           /* at least 1 */
    uint64_t checksum;      /* of the work's result; the same in every run of the program */
    double cpu_s, wall_s;
};

/* slice counts from 0. A failed slice ends the benchmark. */
struct bench_side {
    const char *name;
    enum ca_status (*run)(void *ctx, unsigned slice, struct bench_slice *out, struct ca_error *err);
    void *ctx;
};

struct bench_stat { double median, min, max; };

struct bench_side_result {
    uint64_t ops;           /* of all slices together */
    uint64_t checksum;      /* over those of its slices, in order */
    struct bench_stat cpu_us, wall_us;      /* per op */
};

struct bench_ratio { double of_medians, min, max; };

struct bench_result {
    unsigned runs;
    bool has_reference;
    struct bench_side_result subject, reference;
    struct bench_ratio cpu, wall;
};

/* Runs the sides alternately: one slice of each that does not count, to warm both, then runs slices
 * of each; the side that begins changes from pair to pair. reference NULL: the subject alone. */
CA_MUST_CHECK enum ca_status bench_compare(const struct bench_options *options,
                                           enum bench_cpu which, const struct bench_side *subject,
                                           const struct bench_side *reference,
                                           struct bench_result *out, struct ca_error *err);

/* Prints the line. params and extra are the inside of a JSON object ("\"rows\":4096"), "" for
 * none. */
CA_MUST_CHECK enum ca_status bench_print(const char *bench, const char *params,
                                         const struct bench_side *subject,
                                         const struct bench_side *reference,
                                         const struct bench_result *result, const char *extra,
                                         struct ca_error *err);

/* Adds octets to a checksum (FNV-1a, 64 bits); begin with BENCH_CHECKSUM_INIT. */
#define BENCH_CHECKSUM_INIT UINT64_C(0xcbf29ce484222325)
uint64_t bench_checksum(uint64_t sum, struct ca_bytes octets);

/* Pseudo-random octets from a seed, the same on every machine. */
uint64_t bench_random(uint64_t *state);
void bench_random_fill(uint64_t *state, uint8_t *out, size_t len);

/* A new directory beneath options->dir; path holds size characters. bench_dir_remove empties and
 * removes it, two levels of directories deep. */
CA_MUST_CHECK enum ca_status bench_dir_make(const struct bench_options *options, char *path,
                                            size_t size, struct ca_error *err);
void bench_dir_remove(const char *path);

/* "name: sentence (hint)" on standard error; returns 1, for main. */
int bench_explain(const char *bench, const struct ca_error *err);

#endif
