/* SPDX-License-Identifier: MIT */
/*
 * serve/database.h: the links to the database, and whether it is there and of our schema.
 *
 * Three links: requests share transactions on one, those with an ordering key have another, for
 * they may wait for each other, and the third is for all else.
 */
#ifndef POSTRIDER_SERVE_DATABASE_H
#define POSTRIDER_SERVE_DATABASE_H

#include <stdbool.h>

#include "db/link.h"
#include "serve/context.h"

void database_init(struct serve *serve);

/* Answers what is outstanding with DB_LOST. */
void database_free(struct serve *serve);

/* All links are up, and the schema fits. */
bool database_is_ready(const struct serve *serve);

/* Delivers answers. */
void database_collect(struct serve *serve);

/* Looks at the schema's version when the links have come up. */
void database_step(struct serve *serve);
int64_t database_next_us(const struct serve *serve);

/* An error line for what an operator has to mend, at most one a minute for each message. */
void database_log_refusal(struct serve *serve, const char *message, const struct db_answer *answer);

#endif
