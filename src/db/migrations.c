/* SPDX-License-Identifier: MIT */
#include "db/migrations.h"

#include <string.h>

#include "base/compiler.h"

const char *embedded_sql_find(const char *name)
{
    const struct embedded_text *file = embedded_sql_files;

    while (file->name != NULL && strcmp(file->name, name) != 0)
        file++;
    if (file->name == NULL)
        bug("migrations/%s.sql is not in the binary", name);
    return file->text;
}
