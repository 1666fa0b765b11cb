/* SPDX-License-Identifier: MIT */
#include "command/waiting.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "command/interruption.h"
#include "command/terminal.h"
#include "db/older_transactions.h"

#define POLL_FIRST_US 20000
#define POLL_LAST_US  1000000
#define SAY_AFTER_US  500000 /* what ends sooner is nobody's business */
#define SAY_AGAIN     60     /* polls */
#define SHOWN_MAX     5

static void say(const struct older_transactions *left)
{
    fprintf(stderr,
            "Waiting for %zu transaction%s that began before the endpoint was seen, and may still "
            "publish without it:\n",
            left->count, text_plural((int64_t)left->count, "", "s"));
    for (size_t i = 0; i < left->count && i < SHOWN_MAX; i++) {
        char *who = terminal_clean(older_transactions_who(left, i));

        fprintf(stderr, "  %s\n", who);
        free(who);
    }
    if (left->count > SHOWN_MAX)
        fprintf(stderr, "  and %zu more\n", left->count - SHOWN_MAX);
    fflush(stderr);
}

/* Until none of those that were noted is left. */
static bool wait_for(const struct database *database, enum older_transactions_kind kind,
                     const struct older_transactions *noted, struct error *error)
{
    int64_t pause_us = POLL_FIRST_US;
    int64_t waited_us = 0;
    int polls = 0;

    while (interruption_name() == NULL) {
        struct older_transactions left;
        size_t count;

        if (!older_transactions_list(database->session, kind, noted, &left, error))
            return false;
        count = left.count;
        if (count > 0 && waited_us >= SAY_AFTER_US && polls++ % SAY_AGAIN == 0)
            say(&left);
        older_transactions_free(&left);
        if (count == 0)
            break;
        interruption_sleep(pause_us);
        waited_us += pause_us;
        pause_us = pause_us * 2 < POLL_LAST_US ? pause_us * 2 : POLL_LAST_US;
    }
    return true;
}

/* Notes those there are and waits for them; *ret_any: there were some. */
static bool note_and_wait(const struct database *database, enum older_transactions_kind kind,
                          bool *ret_any, struct error *error)
{
    struct older_transactions noted;
    bool ok;

    if (!older_transactions_list(database->session, kind, NULL, &noted, error))
        return false;
    *ret_any = noted.count > 0;
    ok = !*ret_any || wait_for(database, kind, &noted, error);
    older_transactions_free(&noted);
    return ok;
}

/* The second round: while an older one ran, another could begin with its snapshot (SET TRANSACTION
 * SNAPSHOT), as parallel pg_dump does. */
bool waiting_for_older(const struct database *database, struct error *error)
{
    bool is_any;

    if (!note_and_wait(database, OLDER_TRANSACTIONS_VIRTUAL, &is_any, error))
        return false;
    if (is_any && !note_and_wait(database, OLDER_TRANSACTIONS_VIRTUAL, &is_any, error))
        return false;
    return note_and_wait(database, OLDER_TRANSACTIONS_PREPARED, &is_any, error);
}
