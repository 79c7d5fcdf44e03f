#include "io/fault.h"

/* The shipped program has no faults but real ones. */
int fault_hit(enum fault_point point)
{
    (void)point;
    return 0;
}
