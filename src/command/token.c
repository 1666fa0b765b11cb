/* SPDX-License-Identifier: MIT */
#include "command/token.h"

static const char help_text[] =
    "usage: postrider token new|rotate|list|revoke [OPTION]...\n"
    "\n"
    "Makes and keeps the tokens that clients of \"postrider serve\" show. Only hashes are stored.\n"
    "\n"
    "  postrider token new --name NAME --scope publish   a new one, shown once\n"
    "  postrider token rotate NAME                       a new one of the same name\n"
    "  postrider token list                              which there are, and until when\n"
    "  postrider token revoke NAME                       ends one now\n"
    "\n"
    "\"postrider token new --help\" and so on show the options.\n";

static const struct command *const nested[] = {
    &command_token_new, &command_token_rotate, &command_token_list, &command_token_revoke, NULL,
};

const struct command command_token = {
    .name = "token",
    .summary = "make, rotate, list and revoke tokens for the HTTP API",
    .help = help_text,
    .nested = nested,
};
