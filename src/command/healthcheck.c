/* SPDX-License-Identifier: MIT */
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/hint.h"
#include "base/text.h"
#include "command/arguments.h"
#include "command/command.h"
#include "config/load.h"

#define UNIX_PREFIX "unix:"
#define TIMEOUT_MS  5000L
#define ANSWER_MAX  1000
#define URL_SIZE    160

static const char help_text[] =
    "usage: postrider healthcheck [--alive] [--serve]\n"
    "\n"
    "Asks the worker of this configuration whether it delivers (metrics.listen): exit status 0\n"
    "or 1, and a line that says why. For containers, and scripts that wait for it.\n"
    "\n"
    "      --alive         asks whether it is alive, whatever becomes of the database\n"
    "      --serve         asks \"postrider serve\" instead (http.listen)\n"
    "  -c, --config FILE   default " COMMAND_DEFAULT_CONFIG "\n";

static size_t on_body(char *bytes, size_t size, size_t count, void *owner)
{
    (void)size;
    /* What is more than a line was not said by us, and is left. */
    buffer_append(owner, bytes, count);
    return count;
}

/* Who listens at all addresses is asked at this machine's own. */
static void format_url(const char *listen, const char *path, char url[URL_SIZE])
{
    const char *port = strrchr(listen, ':');

    if (text_begins_with(listen, UNIX_PREFIX))
        snprintf(url, URL_SIZE, "http://localhost%s", path);
    else if (text_begins_with(listen, "0.0.0.0:"))
        snprintf(url, URL_SIZE, "http://127.0.0.1%s%s", port, path);
    else if (text_begins_with(listen, "[::]:"))
        snprintf(url, URL_SIZE, "http://[::1]%s%s", port, path);
    else
        snprintf(url, URL_SIZE, "http://%s%s", listen, path);
}

/* NULL: it was answered, with *ret_status. */
static const char *ask(const char *listen, const char *path, struct buffer *body, long *ret_status)
{
    char url[URL_SIZE];
    CURL *easy = curl_easy_init();
    CURLcode result = CURLE_FAILED_INIT;

    if (easy == NULL)
        return curl_easy_strerror(result);
    format_url(listen, path, url);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, body);
    if (text_begins_with(listen, UNIX_PREFIX))
        curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, listen + strlen(UNIX_PREFIX));
    result = curl_easy_perform(easy);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, ret_status);
    curl_easy_cleanup(easy);
    return result == CURLE_OK ? NULL : curl_easy_strerror(result);
}

static int check(const char *listen, const char *path)
{
    struct buffer body, clean;
    long status = 0;
    const char *problem;

    buffer_init(&body, ANSWER_MAX);
    buffer_init(&clean, ANSWER_MAX);
    problem = ask(listen, path, &body, &status);
    text_append_clean(&clean, body.data, strcspn(buffer_string(&body), "\n"));
    if (problem != NULL)
        printf("%s does not answer: %s\n", listen, problem);
    else if (status != 200)
        printf("%s answers %ld: %s\n", listen, status, buffer_string(&clean));
    else
        printf("%s\n", buffer_string(&clean));
    buffer_free(&body);
    buffer_free(&clean);
    return problem == NULL && status == 200 ? COMMAND_OK : COMMAND_FAILED;
}

static int run_healthcheck(const struct command *self, int argc, char **argv)
{
    bool is_alive = false, is_serve = false;
    const struct argument options[] = {
        {.name = "alive", .flag = &is_alive}, {.name = "serve", .flag = &is_serve}, {0}};
    struct arguments arguments = {.options = options};
    int status = arguments_parse(self, argc, argv, &arguments);
    struct config *config;
    struct error error = {0};
    const char *listen;

    if (status != ARGUMENTS_OK)
        return status;
    config = command_load_config(arguments.config_file);
    if (config == NULL)
        return COMMAND_CONFIG;
    listen = is_serve ? config->http.listen : config->metrics.listen;
    if (listen[0] != '\0') {
        status = check(listen, is_alive ? "/healthz" : "/readyz");
    } else {
        error_set(&error, "%s: %s is not set", config->file,
                  is_serve ? "http.listen" : "metrics.listen");
        error_hint(&error, "name an address and a port, or unix:/PATH, and restart it");
        status = command_fail(COMMAND_CONFIG, &error);
    }
    config_free(config);
    return status;
}

const struct command command_healthcheck = {
    .name = "healthcheck",
    .summary = "ask a running worker whether it delivers",
    .help = help_text,
    .run = run_healthcheck,
};
