/* SPDX-License-Identifier: MIT */
#include "db/advice.h"

#include <string.h>

#include "base/compiler.h"

/* PostgreSQL's appendix "Error Codes". */
static const struct {
    const char *sqlstate, *advice;
} advices[] = {
    {SQLSTATE_READ_ONLY, "database.url must lead to the primary: with several hosts add "
                         "target_session_attrs=read-write; if it does, somebody has set "
                         "default_transaction_read_only for the role or the database"},
    {"53100", "make room on the disk of the database's server; nothing is lost meanwhile, what "
              "waits goes on then"},
    {"53200",
     "the database's server has no memory left for it: look what else it runs, and at its log"},
    {"53400", "a limit of the database's server is too small for it: its message names which "
              "(temp_file_limit, max_locks_per_transaction …)"},
};

const char *db_advice(const char *sqlstate)
{
    for (size_t i = 0; i < ARRAY_LENGTH(advices); i++)
        if (strcmp(sqlstate, advices[i].sqlstate) == 0)
            return advices[i].advice;
    return NULL;
}
