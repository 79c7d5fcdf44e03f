#include "tools/testing.h"

#include "tools/clock.h"

#include <sys/prctl.h>
#include <sys/resource.h>

enum ca_status testing_setup(struct testing *testing, struct ca_error *err)
{
    (void)err;
    *testing = (struct testing){ .clock = clock_system() };
    return CA_OK;
}

void testing_protect_memory(void)
{
    const struct rlimit none = { .rlim_cur = 0, .rlim_max = 0 };

    /* A kernel that refuses either has other guards, or none that we could add. */
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

bool testing_list_faults(int argc, char **argv, struct ca_buf *out)
{
    (void)argc;
    (void)argv;
    (void)out;
    return false;
}
