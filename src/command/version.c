/* SPDX-License-Identifier: MIT */
#include <curl/curl.h>
#include <event2/event.h>
#include <jansson.h>
#include <libpq-fe.h>
#include <openssl/crypto.h>
#include <stdio.h>

#include "command/arguments.h"
#include "command/command.h"

static const char help_text[] =
    "usage: postrider version [--json]\n"
    "\n"
    "Shows the version of Postrider and of the libraries it runs with.\n"
    "\n"
    "      --json   for programs\n";

/* 150018 is 15.18 (libpq numbers versions as the server does). */
static void format_libpq_version(char *text, size_t size)
{
    int version = PQlibVersion();

    snprintf(text, size, "%d.%d", version / 10000, version % 10000);
}

static void print_json(const char *libpq)
{
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:s, s:s}", "postrider", POSTRIDER_VERSION, "libcurl",
                  curl_version_info(CURLVERSION_NOW)->version, "libpq", libpq, "libevent",
                  event_get_version(), "openssl", OpenSSL_version(OPENSSL_VERSION_STRING));

    json_dumpf(object, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(object);
}

static int run_version(const struct command *self, int argc, char **argv)
{
    bool json = false;
    const struct argument options[] = {{.name = "json", .flag = &json}, {0}};
    struct arguments arguments = {.options = options};
    int status = arguments_parse(self, argc, argv, &arguments);
    char libpq[32];

    if (status != ARGUMENTS_OK)
        return status;
    format_libpq_version(libpq, sizeof(libpq));
    if (json)
        print_json(libpq);
    else
        printf("postrider %s (libcurl %s, libpq %s, libevent %s, OpenSSL %s)\n", POSTRIDER_VERSION,
               curl_version_info(CURLVERSION_NOW)->version, libpq, event_get_version(),
               OpenSSL_version(OPENSSL_VERSION_STRING));
    return COMMAND_OK;
}

const struct command command_version = {
    .name = "version",
    .summary = "show the version of Postrider and its libraries",
    .help = help_text,
    .run = run_version,
};
