#include "config/named_files.h"

#include <stdlib.h>
#include <string.h>

#include "config/files.h"

static bool has_same_secrets(const struct secret_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        for (size_t j = 0; j < i; j++) {
            const struct secret *a = &set->secrets[i];
            const struct secret *b = &set->secrets[j];

            if (a->kind == b->kind && a->length == b->length &&
                memcmp(a->key, b->key, a->length) == 0)
                return true;
        }
    return false;
}

static bool parse_secrets(const char *text, size_t length, struct secret_set *secrets,
                          struct error *error)
{
    if (strlen(text) != length)
        return error_set(error, "it holds a NUL byte");
    if (!secret_set_parse(text, secrets, error))
        return false;
    return !has_same_secrets(secrets) || error_set(error, "it holds the same secret twice");
}

static void load_secrets(struct reading *reading, const struct config_option *option)
{
    struct config *config = reading->config;
    struct place place = reading->places[option_index(option)];
    struct error error;
    size_t length;
    char *path;
    char *text;

    if (*config->signing.secret_file == '\0')
        return;
    path = files_resolve(config->file, config->signing.secret_file);
    text = files_read(path, FILES_SECRET_MAX_BYTES, &length, &error);
    if (text == NULL) {
        value_refuse(reading, option, place, "%s %s", path, error.message);
    } else {
        if (!parse_secrets(text, length, &config->signing.secrets, &error))
            value_refuse(reading, option, place, "%s: %s", path, error.message);
        explicit_bzero(text, FILES_SECRET_MAX_BYTES + 1);
    }
    free(text);
    free(path);
}

static bool is_certificate_file(const char *path, struct error *error)
{
    size_t length;
    char *text = files_read(path, FILES_CA_MAX_BYTES, &length, error);
    bool has = text != NULL && (strstr(text, "-----BEGIN CERTIFICATE-----") != NULL ||
                                strstr(text, "-----BEGIN TRUSTED CERTIFICATE-----") != NULL);

    if (text != NULL && !has)
        error_set(error, "holds no PEM certificate");
    free(text);
    return has;
}

/* The path is kept as found: whoever opens it need not know where this file was. */
static void find_ca_file(struct reading *reading, const struct config_option *option)
{
    struct config *config = reading->config;
    struct error error;
    char *path;

    if (*config->network.ca_file == '\0')
        return;
    path = files_resolve(config->file, config->network.ca_file);
    if (!is_certificate_file(path, &error))
        value_refuse(reading, option, reading->places[option_index(option)], "%s %s", path,
                     error.message);
    free(config->network.ca_file);
    config->network.ca_file = path;
}

void named_files_load(struct reading *reading)
{
    load_secrets(reading, option_find("signing.secret_file"));
    find_ca_file(reading, option_find("network.ca_file"));
}
