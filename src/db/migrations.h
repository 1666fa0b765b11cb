/* SPDX-License-Identifier: MIT */
/*
 * db/migrations.h: the files of migrations/, carried by the binary.
 */
#ifndef POSTRIDER_DB_MIGRATIONS_H
#define POSTRIDER_DB_MIGRATIONS_H

#include "base/embedded.h"

/* In the order of their names. */
extern const struct embedded_text embedded_sql_files[];

/* The text of a file by its name; one that is not there is a bug. */
const char *embedded_sql_find(const char *name);

#endif
