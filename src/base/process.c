/* SPDX-License-Identifier: MIT */
#include "base/process.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

bool process_hide_memory(struct error *error)
{
    struct rlimit limit;

    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return error_set(error, "this process can't be made undumpable: %s", strerror(errno));
    /* A system call filter may forbid to set what a service manager has set already. */
    if (getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_cur == 0 && limit.rlim_max == 0)
        return true;
    limit = (struct rlimit){0, 0};
    return setrlimit(RLIMIT_CORE, &limit) == 0 ||
           error_set(error, "core dumps can't be forbidden: %s", strerror(errno));
}
