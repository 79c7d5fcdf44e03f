#include "io/fault_testing.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define POINT_ALLOC FAULT_POINT_COUNT   /* the one point that is no passage of fault_hit */
#define ACTION_KILL INT_MAX
#define SLEEP_MS_MAX 600000
#define ERRNO_LAST 4095                 /* the kernel's own bound (MAX_ERRNO) */

struct rule {
    unsigned point;     /* enum fault_point or POINT_ALLOC */
    bool onwards;       /* this passage and all later ones */
    uint64_t passage;   /* from 1 */
    int action;         /* an errno, FAULT_SHORT, ACTION_KILL; 0 when it only sleeps */
    uint32_t sleep_ms;
};

struct plan {
    size_t rule_count;
    struct rule rules[FAULT_RULES_MAX];
};

struct point {
    const char *name;
    const char *what;
};

static const struct point points[FAULT_POINT_COUNT + 1] = {
#define POINT_ROW(id, text, meaning) { text, meaning },
    FAULT_POINTS(POINT_ROW)
#undef POINT_ROW
    { "alloc", "an allocation by our own objects returns NULL" },
};

/* State of the process, against the habit of the house, because the seam has no object to hang it
 * on: fault_hit takes a point alone, so that the code under test looks the same in both programs.
 * The plan is written once, before threads start; the counters are relaxed: a passage needs a
 * number of its own and no order with anything else. */
static struct plan armed;
static atomic_uint_least64_t passages[FAULT_POINT_COUNT + 1];

static bool rule_matches(const struct rule *rule, unsigned point, uint64_t passage)
{
    if (rule->point != point) return false;
    return rule->onwards ? passage >= rule->passage : passage == rule->passage;
}

static void sleep_ms(uint32_t ms)
{
    struct timespec left = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

    while (nanosleep(&left, &left) == -1 && errno == EINTR) continue;
}

static void kill_self(void)
{
    (void)kill(getpid(), SIGKILL);
    for (;;) (void)pause();     /* nothing runs past the point, on this thread either */
}

static int act(const struct rule *rule)
{
    if (rule->sleep_ms > 0) sleep_ms(rule->sleep_ms);
    if (rule->action == ACTION_KILL) kill_self();
    return rule->action;
}

int fault_hit(enum fault_point point)
{
    uint64_t passage = 1 + atomic_fetch_add_explicit(&passages[point], 1, memory_order_relaxed);
    int action = 0;

    for (size_t i = 0; i < armed.rule_count && action == 0; i++) {
        if (rule_matches(&armed.rules[i], (unsigned)point, passage)) action = act(&armed.rules[i]);
    }
    return action;
}

uint64_t fault_testing_passages(enum fault_point point)
{
    return atomic_load_explicit(&passages[point], memory_order_relaxed);
}

uint64_t fault_testing_allocations(void)
{
    return atomic_load_explicit(&passages[POINT_ALLOC], memory_order_relaxed);
}

void fault_testing_list(struct ca_buf *out)
{
    for (size_t i = 0; i <= POINT_ALLOC; i++) {
        ca_buf_printf(out, "%-16s %s\n", points[i].name, points[i].what);
    }
}

/* Allocation. The linker sends our objects' calls here and gives the true functions the __real_
 * names. Weak, because a program that is linked without --wrap has no such names and calls none of
 * this. */
void *__real_malloc(size_t size) __attribute__((weak));
void *__real_calloc(size_t count, size_t size) __attribute__((weak));
void *__real_realloc(void *old, size_t size) __attribute__((weak));
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

static bool alloc_fails(void)
{
    uint64_t passage = 1 + atomic_fetch_add_explicit(&passages[POINT_ALLOC], 1,
                                                     memory_order_relaxed);

    for (size_t i = 0; i < armed.rule_count; i++) {
        if (rule_matches(&armed.rules[i], POINT_ALLOC, passage)) {
            errno = ENOMEM;
            return true;
        }
    }
    return false;
}

void *__wrap_malloc(size_t size)
{
    return alloc_fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return alloc_fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return alloc_fails() ? NULL : __real_realloc(old, size);
}

/* "ring.{setup,submit,...} ... chunk": all the names in the length of one hint. */
static void append_point_names(struct ca_buf *out)
{
    size_t group = 0;       /* length of the part before the dot, of the group that is open */

    for (size_t i = 0; i <= POINT_ALLOC; i++) {
        const char *name = points[i].name;
        const char *dot = strchr(name, '.');
        size_t prefix = dot == NULL ? 0 : (size_t)(dot - name) + 1;

        if (group > 0 && prefix == group && strncmp(name, points[i - 1].name, group) == 0) {
            ca_buf_printf(out, ",%s", name + prefix);
            continue;
        }
        ca_buf_append_str(out, group > 0 ? "} " : i > 0 ? " " : "");
        if (prefix > 0) ca_buf_printf(out, "%.*s{%s", (int)prefix, name, name + prefix);
        else ca_buf_append_str(out, name);
        group = prefix;
    }
}

static enum ca_status fail_rule(const char *what, struct ca_bytes text, struct ca_error *err)
{
    struct ca_buf names;

    (void)ca_fail(err, CA_MALFORMED, "%s in \"%.*s\"", what, (int)(text.len > 100 ? 100 : text.len),
                  (const char *)text.data);
    ca_buf_init(&names, 1024);
    append_point_names(&names);
    if (names.failed == CA_OK) ca_hint(err, "points: %.*s", (int)names.len, (char *)names.data);
    ca_buf_clear(&names);
    return CA_MALFORMED;
}

static bool text_is(struct ca_bytes text, const char *what)
{
    return ca_bytes_equal(text, ca_bytes_str(what));
}

static bool find_point(struct ca_bytes name, unsigned *out)
{
    for (unsigned i = 0; i <= POINT_ALLOC; i++) {
        if (text_is(name, points[i].name)) {
            *out = i;
            return true;
        }
    }
    return false;
}

/* Decimal without sign; false for none, for anything else in it and past max. */
static bool parse_number(struct ca_bytes text, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;

    for (size_t i = 0; i < text.len; i++) {
        uint64_t digit = (uint64_t)(text.data[i] - '0');

        if (text.data[i] < '0' || digit > 9 || value > (max - digit) / 10) return false;
        value = value * 10 + digit;
    }
    *out = value;
    return text.len > 0;
}

static bool parse_action(struct ca_bytes text, struct rule *rule)
{
    uint64_t ms;

    if (text_is(text, "short")) {
        rule->action = FAULT_SHORT;
        return true;
    }
    if (text.len > 5 && memcmp(text.data, "sleep", 5) == 0) {
        if (!parse_number(ca_bytes_slice(text, 5, text.len - 5), SLEEP_MS_MAX, &ms)) return false;
        rule->sleep_ms = (uint32_t)ms;
        return true;
    }
    for (int e = 1; e <= ERRNO_LAST; e++) {
        const char *name = strerrorname_np(e);

        if (name != NULL && text_is(text, name)) {
            rule->action = e;
            return true;
        }
    }
    return false;
}

/* POINT:N[+][=ACTION]; a kill and an allocation have no action, everything else must have one. */
static enum ca_status parse_rule(struct ca_bytes text, bool is_kill, struct rule *rule,
                                 struct ca_error *err)
{
    const uint8_t *colon = text.len == 0 ? NULL : memchr(text.data, ':', text.len);
    struct ca_bytes number, action = { 0 };
    const uint8_t *equals;
    size_t at;

    *rule = (struct rule){ .action = is_kill ? ACTION_KILL : 0 };
    if (colon == NULL) return fail_rule("no POINT:N", text, err);
    at = (size_t)(colon - text.data);
    if (!find_point(ca_bytes_slice(text, 0, at), &rule->point)) {
        return fail_rule("unknown point", text, err);
    }
    number = ca_bytes_slice(text, at + 1, text.len - at - 1);
    equals = number.len == 0 ? NULL : memchr(number.data, '=', number.len);
    if (equals != NULL) {
        at = (size_t)(equals - number.data);
        action = ca_bytes_slice(number, at + 1, number.len - at - 1);
        number.len = at;
    }
    if (number.len > 0 && number.data[number.len - 1] == '+') {
        rule->onwards = true;
        number.len--;
    }
    if (!parse_number(number, UINT64_MAX, &rule->passage) || rule->passage == 0) {
        return fail_rule("no passage number from 1", text, err);
    }
    if (is_kill && rule->point == POINT_ALLOC) return fail_rule("no kill at alloc", text, err);
    if (is_kill || rule->point == POINT_ALLOC) {
        return equals == NULL ? CA_OK : fail_rule("no action belongs", text, err);
    }
    if (!parse_action(action, rule)) return fail_rule("unknown errno name or action", text, err);
    return CA_OK;
}

static enum ca_status parse_plan(const char *text, bool is_kill, struct plan *plan,
                                 struct ca_error *err)
{
    while (text != NULL && *text != '\0') {
        size_t len = strcspn(text, ";");
        enum ca_status st = CA_OK;

        if (plan->rule_count == FAULT_RULES_MAX) {
            return ca_fail(err, CA_MALFORMED, "more than %d fault rules", FAULT_RULES_MAX);
        }
        if (len > 0) {
            st = parse_rule(ca_bytes_of(text, len), is_kill, &plan->rules[plan->rule_count++], err);
        }
        if (st != CA_OK) return st;
        text += len + (text[len] == ';');
    }
    return CA_OK;
}

enum ca_status fault_testing_setup(const char *fault, const char *kill, struct ca_error *err)
{
    struct plan plan = { 0 };
    enum ca_status st;

    armed.rule_count = 0;
    st = parse_plan(fault, false, &plan, err);
    if (st == CA_OK) st = parse_plan(kill, true, &plan, err);
    for (size_t i = 0; i <= POINT_ALLOC; i++) {
        atomic_store_explicit(&passages[i], 0, memory_order_relaxed);
    }
    if (st == CA_OK) armed = plan;
    return st;
}
