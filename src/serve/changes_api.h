/* SPDX-License-Identifier: MIT */
/*
 * serve/changes_api.h: what clients have changed: endpoints, and replays.
 *
 * A change's text gets, in this order, as far as the route says that it does: the id in the path,
 * the body, who asks, and whose token that is. It answers with a row: a status, the JSON or what a
 * problem's detail is, and for 201 the path of what was made. No row: there is nothing of this id.
 */
#ifndef POSTRIDER_SERVE_CHANGES_API_H
#define POSTRIDER_SERVE_CHANGES_API_H

#include "serve/route.h"

/* Without a body, or with one that says nothing. */
route_handle changes_api_ask;

/* An endpoint whole (POST, PUT), or some members of it (PATCH). */
route_handle changes_api_write_endpoint, changes_api_patch_endpoint;

/* With a body, which need not be there: recover_since. */
route_handle changes_api_enable_endpoint;

route_handle changes_api_make_replay;

#endif
