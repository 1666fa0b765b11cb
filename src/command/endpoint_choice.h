/* SPDX-License-Identifier: MIT */
/*
 * command/endpoint_choice.h: the one endpoint that an ID or a URL means, and the change of it, in
 * the texts of the JSON API.
 */
#ifndef POSTRIDER_COMMAND_ENDPOINT_CHOICE_H
#define POSTRIDER_COMMAND_ENDPOINT_CHOICE_H

#include <jansson.h>

#include "command/database.h"
#include "db/asking.h"
#include "db/subscriptions.h"

/* COMMAND_OK with one row in the list, which is freed in any case; or an exit status with the
 * message said. customer NULL: any. */
int endpoint_choose(const struct database *database, const char *id_or_url, const char *customer,
                    struct subscription_list *ret_list) MUST_USE;

/* A text that answers with a status and JSON, or why not; in the caller's transaction. NULL with
 * error. The caller's. */
json_t *endpoint_ask(const struct database *database, const struct asking *asking,
                     struct error *error) MUST_USE;

/* A transaction of one such text. */
json_t *endpoint_ask_alone(const struct database *database, const struct asking *asking,
                           struct error *error) MUST_USE;

#endif
