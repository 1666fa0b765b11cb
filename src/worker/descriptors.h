/* SPDX-License-Identifier: MIT */
/*
 * worker/descriptors.h: how many connections the process may have open at a time.
 *
 * A request that finds no free file descriptor fails as if the receiver could not be reached, and
 * costs its delivery an attempt. So the limit is known before the first one: the soft limit of open
 * files (1,024 in most shells) is raised to the hard one, and shared out. One third is for requests
 * in flight, one for connections kept open while idle, and one for what resolving names takes (a
 * socket pair and a socket to the name server for each) and for everything else. With TLS a
 * connection holds some tens of kB: of those no more are kept than requests may be in flight, or
 * 1,024.
 */
#ifndef POSTRIDER_WORKER_DESCRIPTORS_H
#define POSTRIDER_WORKER_DESCRIPTORS_H

#include <stddef.h>
#include <stdint.h>

struct descriptor_share {
    size_t in_flight; /* requests at a time; less than wished for when files are few */
    size_t idle;      /* connections kept open */
    size_t idle_tls;  /* of them with TLS */
    size_t limit;     /* of open files */
};

struct descriptor_share descriptors_share(int64_t max_in_flight);

#endif
