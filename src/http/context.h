/* SPDX-License-Identifier: MIT */
/*
 * http/context.h: what the parts of an engine share. Only files of http/ include it.
 *
 *     engine.c         the calls of engine.h
 *     conversation.c   a transfer on its way: waiting for a connection, writing, reading, over
 *     transfer.c       one request and its answer
 *     request_writer.c, answer_reader.c    HTTP/1.1
 *     connection.c, pool.c, pool_origin.c, stream.c    connections that are ours
 *     dialer.c, handle.c, shard.c, watch.c, guard.c, trust.c, inspection.c    making them, with
 *                      libcurl
 *     target.c, url.c  what a URL means
 */
#ifndef POSTRIDER_HTTP_CONTEXT_H
#define POSTRIDER_HTTP_CONTEXT_H

#include <event2/event_struct.h>
#include <sys/queue.h>

#include "http/connection.h"
#include "http/dialer.h"
#include "http/pool.h"
#include "http/request.h"
#include "http/settings.h"
#include "http/target.h"

#define ENGINE_INPUT_BYTES ((size_t)64 * 1024)

struct transfer;

TAILQ_HEAD(transfer_list, transfer);

struct http_engine {
    struct event_base *base;
    struct settings settings;
    http_finished *on_finished;

    struct target_table targets;
    struct pool pool;
    struct connection_common connections;
    struct dialer dialer;

    /* A transfer is in exactly one of these. */
    struct transfer_list active;
    struct transfer_list ended; /* waiting for their callback */
    struct transfer_list spare;
    size_t in_flight;         /* active and ended */
    struct event ended_event; /* ends the loop's turn when something has ended */

    char input[ENGINE_INPUT_BYTES]; /* what is being read, of any connection */
};

#endif
