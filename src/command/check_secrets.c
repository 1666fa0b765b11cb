/* SPDX-License-Identifier: MIT */
#include "command/check_secrets.h"

#include <openssl/crypto.h>
#include <stdio.h>

#include "db/secrets.h"

#define NAMES_MAX ((size_t)CHECK_SECRETS_NAMED_MAX * 4096)

static void note_row(struct secrets_found *found, const struct sealing_keys *keys,
                     const struct secret_row *row)
{
    struct secret_scope scope = {row->customer_id, row->url};
    char secret[SECRET_TEXT_SIZE];
    struct error error;
    enum sealed_state state = sealed_secret_open(keys, &scope, row->secret, secret, &error);

    OPENSSL_cleanse(secret, sizeof(secret));
    found->counts[state]++;
    if (state != SEALED_UNREADABLE || found->named == CHECK_SECRETS_NAMED_MAX)
        return;
    found->named++;
    buffer_append_format(&found->names, "customer %s, %.200s: %s\n", row->customer_id,
                         row->url[0] != '\0' ? row->url : "all endpoints", error.message);
}

bool check_secrets_find(struct db_session *session, const struct sealing_keys *keys,
                        struct secrets_found *ret_found, struct error *error)
{
    char last[SECRET_ID_SIZE] = "";
    bool has_more = true;

    *ret_found = (struct secrets_found){.named = 0};
    buffer_init(&ret_found->names, NAMES_MAX);
    while (has_more) {
        struct secret_list list;

        if (!secrets_walk(session, last[0] != '\0' ? last : NULL, false, &list, error))
            return false;
        for (size_t i = 0; i < list.count; i++)
            note_row(ret_found, keys, &list.rows[i]);
        has_more = list.count > 0;
        if (has_more)
            snprintf(last, sizeof(last), "%s", list.rows[list.count - 1].id);
        secrets_list_free(&list);
    }
    return true;
}
