/* SPDX-License-Identifier: MIT */
#include "worker/descriptors.h"

#include <sys/resource.h>

#define IDLE_MAX 16384

/* Kept open even when few requests run at a time: they may go to many receivers in turn. */
#define IDLE_TLS_MIN 1024

/* What a process is taken to have whose limit isn't known, and one without a limit. */
#define LIMIT_MIN 1024
#define LIMIT_MAX 1048576

static size_t raise_limit(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return LIMIT_MIN;
    if (files.rlim_cur < files.rlim_max) {
        rlim_t soft = files.rlim_cur;

        files.rlim_cur = files.rlim_max < LIMIT_MAX ? files.rlim_max : LIMIT_MAX;
        if (files.rlim_cur < soft || setrlimit(RLIMIT_NOFILE, &files) != 0)
            files.rlim_cur = soft;
    }
    return files.rlim_cur < LIMIT_MAX ? (size_t)files.rlim_cur : LIMIT_MAX;
}

static size_t at_most(size_t wish, size_t share)
{
    if (wish <= share)
        return wish;
    return share > 0 ? share : 1;
}

struct descriptor_share descriptors_share(int64_t max_in_flight)
{
    size_t limit = raise_limit();
    size_t wish = (size_t)max_in_flight;

    return (struct descriptor_share){
        .in_flight = at_most(wish, limit / 3),
        .idle = at_most(IDLE_MAX, limit / 3),
        .idle_tls = at_most(wish > IDLE_TLS_MIN ? wish : IDLE_TLS_MIN, limit / 3),
        .limit = limit,
    };
}
