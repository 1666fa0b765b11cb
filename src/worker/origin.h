/* SPDX-License-Identifier: MIT */
/*
 * worker/origin.h: the origins (scheme, host and port) of the endpoints that are known here.
 *
 * An origin lives as long as an endpoint has it. What it may take is core/scheduler.h's decision;
 * this is where its state is found again by name. URLs that can't be parsed share one origin: no
 * request is ever made for them.
 */
#ifndef POSTRIDER_WORKER_ORIGIN_H
#define POSTRIDER_WORKER_ORIGIN_H

#include <stddef.h>
#include <uthash.h>

#include "core/scheduler.h"

struct origin {
    UT_hash_handle by_name;
    struct scheduler_origin scheduled;
    size_t endpoints;
    char *name; /* "https://shop.example:443" */
};

/* Finds or makes the origin of url in the table, for one more endpoint. */
struct origin *origin_take(struct origin **table, struct scheduler *scheduler, const char *url);

/* One endpoint less; freed with the last one. */
void origin_give_back(struct origin **table, struct scheduler *scheduler, struct origin *origin);

#endif
