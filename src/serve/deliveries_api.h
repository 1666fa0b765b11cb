/* SPDX-License-Identifier: MIT */
/*
 * serve/deliveries_api.h: deliveries as clients read them.
 *
 * Dead letters and what is pending have indexes, and can be listed as they are; all else is found
 * by a time range alone, for a further index would cost every outcome.
 */
#ifndef POSTRIDER_SERVE_DELIVERIES_API_H
#define POSTRIDER_SERVE_DELIVERIES_API_H

#include "serve/route.h"

#define DELIVERIES_API_RANGE  "deliveries_range"
#define DELIVERIES_API_VALUES 12 /* without the status, which is $13 of that text alone */

/* In the order of the values of the texts. "postrider deliveries list" has them as options. */
extern const struct parameter deliveries_api_parameters[];

/* The text of src/db/queries for a status, NULL: any. DELIVERIES_API_RANGE needs a since. */
const char *deliveries_api_text(const char *status, bool is_of_customer);

route_handle deliveries_api_list;

/* How many a change would touch, up to 100,000. */
extern const struct parameter deliveries_api_count_parameters[];
route_handle deliveries_api_count;

/* With the sentence of explain/explanation.h. */
route_handle deliveries_api_show;

#endif
