/* SPDX-License-Identifier: MIT */
/*
 * db/migrations.h: the files of migrations/, carried by the binary (made by
 * cmake/embed_migrations).
 */
#ifndef POSTRIDER_DB_MIGRATIONS_H
#define POSTRIDER_DB_MIGRATIONS_H

struct embedded_sql {
    const char *name; /* the file's name without .sql; NULL ends the list */
    const char *text;
};

/* In the order of their names. */
extern const struct embedded_sql embedded_sql_files[];

/* The text of a file by its name; one that is not there is a bug. */
const char *embedded_sql_find(const char *name);

#endif
