/* SPDX-License-Identifier: MIT */
#include "command/secret.h"

static const char help_text[] =
    "usage: postrider secret new|rotate|list|revoke|rekey [OPTION]...\n"
    "\n"
    "Makes and keeps the secrets that sign requests. Of the valid secrets the endpoint's own "
    "sign,\n"
    "else those of its customer, else those of signing.secret_file.\n"
    "\n"
    "  postrider secret new --customer UUID      the first secret of a customer\n"
    "  postrider secret rotate --customer UUID   a new one, and an end for the old ones\n"
    "  postrider secret list                     which there are, and until when\n"
    "  postrider secret revoke ID                ends one now\n"
    "  postrider secret rekey                    seals all with the current key\n"
    "\n"
    "\"postrider secret new --help\" and so on show the options.\n";

static const struct command *const nested[] = {
    &command_secret_new,    &command_secret_rotate, &command_secret_list,
    &command_secret_revoke, &command_secret_rekey,  NULL,
};

const struct command command_secret = {
    .name = "secret",
    .summary = "make, rotate, list, revoke and seal signing secrets",
    .help = help_text,
    .nested = nested,
};
