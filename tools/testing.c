#include "tools/testing.h"

#include "io/fault_testing.h"
#include "tools/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static enum ca_status read_now(struct testing *testing, const char *text, struct ca_error *err)
{
    int64_t now_s;

    if (text == NULL) return CA_OK;
    if (ca_time_parse(text, &now_s, err) != CA_OK) {
        return ca_fail_named(err, CA_MALFORMED, "test-hook", "CERTMILL_TEST_NOW: no RFC 3339 time");
    }
    testing->fixed_ms = now_s * 1000;
    testing->clock = clock_fixed(&testing->fixed_ms);
    return CA_OK;
}

static enum ca_status read_seed(struct testing *testing, const char *text, struct ca_error *err)
{
    char *end;

    if (text == NULL) return CA_OK;
    errno = 0;
    testing->seed = strtoull(text, &end, 0);
    if (errno != 0 || end == text || *end != '\0') {
        return ca_fail_named(err, CA_MALFORMED, "test-hook", "CERTMILL_TEST_SEED: no number");
    }
    testing->has_seed = true;
    return CA_OK;
}

enum ca_status testing_setup(struct testing *testing, struct ca_error *err)
{
    enum ca_status st;

    *testing = (struct testing){ .clock = clock_system() };
    st = read_now(testing, getenv("CERTMILL_TEST_NOW"), err);
    if (st == CA_OK) st = read_seed(testing, getenv("CERTMILL_TEST_SEED"), err);
    if (st == CA_OK) {
        st = fault_testing_setup(getenv("CERTMILL_TEST_FAULT"), getenv("CERTMILL_TEST_KILL"), err);
    }
    return st;
}

void testing_protect_memory(void)
{
    /* Sanitizers and the tests that search memory for keys attach here. */
}

bool testing_list_faults(int argc, char **argv, struct ca_buf *out)
{
    if (argc != 2 || strcmp(argv[1], "--faults") != 0) return false;
    fault_testing_list(out);
    return true;
}
