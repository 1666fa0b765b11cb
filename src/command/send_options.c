/* SPDX-License-Identifier: MIT */
#include "command/send_options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "command/send_payload.h"
#include "config/checks.h"
#include "config/load.h"
#include "core/header.h"
#include "worker/exchange.h"

#define SECRET_FILE_MAX_BYTES 16384

/* "Name: value"; blanks around the value are dropped. */
static bool read_header(const char *text, struct config_header *ret_header, struct error *error)
{
    const char *colon = strchr(text, ':');
    const char *value;
    size_t length;

    if (colon == NULL)
        return error_set(error, "--header \"%.100s\" has no colon; write 'Name: value'", text);
    value = colon + 1 + strspn(colon + 1, " \t");
    length = strlen(value);
    while (length > 0 && strchr(" \t", value[length - 1]) != NULL)
        length--;
    ret_header->name = memory_copy(text, (size_t)(colon - text));
    ret_header->value = memory_copy(value, length);
    return header_check(ret_header->name, ret_header->value, error) ||
           error_prefix(error, "--header");
}

static bool read_headers(const struct send_options *options, struct send_values *values,
                         struct error *error)
{
    for (size_t i = 0; i < options->headers.count; i++)
        if (!read_header(options->headers.values[i], &values->headers[values->headers_count++],
                         error))
            return false;
    return true;
}

static bool read_allow(const struct send_options *options, struct config *config,
                       struct error *error)
{
    size_t count = config->network.allow_count;

    config->network.allow = memory_resize(config->network.allow, count + options->allow.count + 1,
                                          sizeof(*config->network.allow));
    for (size_t i = 0; i < options->allow.count; i++) {
        if (!address_range_parse(options->allow.values[i], &config->network.allow[count + i],
                                 error))
            return error_prefix(error, "--allow");
        config->network.allow_count++;
    }
    return true;
}

static bool read_secret_stream(FILE *file, struct secret_set *set, struct error *error)
{
    char text[SECRET_FILE_MAX_BYTES + 1];
    size_t length;
    bool is_good;

    setvbuf(file, NULL, _IONBF, 0); /* no second copy of the secrets */
    length = fread(text, 1, sizeof(text), file);
    if (ferror(file) != 0)
        is_good = error_set(error, "cannot be read: %s", strerrordesc_np(errno));
    else if (length == sizeof(text))
        is_good = error_set(error, "has more than %d bytes", SECRET_FILE_MAX_BYTES);
    else if (memchr(text, '\0', length) != NULL)
        is_good = error_set(error, "has a NUL character");
    else {
        text[length] = '\0';
        is_good = secret_set_parse(text, set, error);
    }
    explicit_bzero(text, sizeof(text));
    return is_good;
}

/* There is no option that takes a secret itself: everybody can see the arguments of a process. */
static bool check_file_name(const struct send_options *options, struct error *error)
{
    if (!check_secret_file(options->secret_file, error))
        return error_set(error, "--secret-file takes the name of a file, or - for standard input, "
                                "not the secret: everybody can see a process's arguments");
    if (strcmp(options->secret_file, "-") != 0 || options->data == NULL ||
        strcmp(options->data, "-") != 0)
        return true;
    return error_set(error, "--secret-file and --data can't both be standard input");
}

static bool read_secret_file(const struct send_options *options, struct secret_set *set,
                             struct error *error)
{
    const char *name = options->secret_file;
    bool is_stdin = name != NULL && strcmp(name, "-") == 0;
    bool is_good;
    FILE *file;

    if (name == NULL)
        return true;
    if (!check_file_name(options, error))
        return false;
    file = is_stdin ? stdin : fopen(name, "re");
    if (file == NULL)
        return error_set(error, "--secret-file: cannot open %s: %s", name, strerrordesc_np(errno));
    is_good = read_secret_stream(file, set, error);
    if (!is_stdin)
        fclose(file);
    return is_good || error_prefix(error, "--secret-file %s", name);
}

/* Testing a receiver needs no installed Postrider. */
static struct config *load_config(const char *file)
{
    if (strcmp(file, COMMAND_DEFAULT_CONFIG) == 0 && access(file, F_OK) != 0 && errno == ENOENT)
        return config_new_default();
    return command_load_config(file);
}

static int read_payload(const struct command *self, const struct send_options *options,
                        const struct config *config, struct buffer *payload)
{
    struct error error = {0};

    if (options->data != NULL && options->event_type != NULL)
        return command_usage_error(self, "--event-type is for the test body: with --data, write "
                                         "the type there");
    if (options->data == NULL) {
        exchange_make_payload(options->event_type != NULL ? options->event_type : SEND_EVENT_TYPE,
                              payload);
        return COMMAND_OK;
    }
    if (send_payload_read(options->data, (size_t)config->delivery.max_payload_bytes, payload,
                          &error))
        return COMMAND_OK;
    return command_fail(COMMAND_USAGE, &error);
}

int send_values_read(const struct command *self, const struct send_options *options,
                     const char *config_file, struct send_values *values)
{
    struct error error = {0};

    *values = (struct send_values){.config = NULL};
    values->config = load_config(config_file);
    if (values->config == NULL)
        return COMMAND_CONFIG;
    if (!read_headers(options, values, &error) || !read_allow(options, values->config, &error) ||
        !read_secret_file(options, &values->secrets, &error))
        return command_usage_error(self, "%s", error.message);
    return read_payload(self, options, values->config, &values->payload);
}

void send_values_free(struct send_values *values)
{
    for (size_t i = 0; i < values->headers_count; i++) {
        free(values->headers[i].name);
        memory_free_secret(values->headers[i].value);
    }
    secret_set_wipe(&values->secrets);
    config_free(values->config);
    buffer_free(&values->payload);
}
