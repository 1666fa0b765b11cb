/* SPDX-License-Identifier: MIT */
#include "config/named_files.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "config/client_certificates.h"
#include "config/files.h"
#include "config/revocations.h"

typedef bool secret_parser(const char *text, struct config *config, struct error *error);

static bool has_same_secrets(const struct secret_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        for (size_t j = 0; j < i; j++) {
            const struct secret *a = &set->secrets[i];
            const struct secret *b = &set->secrets[j];

            if (a->kind == b->kind && a->length == b->length &&
                CRYPTO_memcmp(a->key, b->key, a->length) == 0)
                return true;
        }
    return false;
}

static bool parse_secrets(const char *text, struct config *config, struct error *error)
{
    struct secret_set *secrets = &config->signing.secrets;

    if (!secret_set_parse(text, secrets, error))
        return false;
    return !has_same_secrets(secrets) || error_set(error, "it holds the same secret twice");
}

static bool parse_keys(const char *text, struct config *config, struct error *error)
{
    return sealing_keys_parse(text, &config->signing.keys, error);
}

/* Reads the file that the option names, if it names one. */
static void load_secret(struct reading *reading, const struct config_option *option,
                        secret_parser *parse)
{
    struct config *config = reading->config;
    const char *name = *(char **)option_field(config, option);
    struct place place = reading->places[option_index(option)];
    struct error error;
    size_t length;
    char *path;
    char *text;

    if (*name == '\0')
        return;
    path = files_resolve(config->file, name);
    text = files_read(path, FILES_SECRET_MAX_BYTES, &length, &error);
    if (text == NULL) {
        reading_refuse(reading, option, place, "%s %s", path, error.message);
    } else {
        if (strlen(text) != length)
            reading_refuse(reading, option, place, "%s: it holds a NUL byte", path);
        else if (!parse(text, config, &error))
            reading_refuse(reading, option, place, "%s: %s", path, error.message);
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
        reading_refuse(reading, option, reading->places[option_index(option)], "%s %s", path,
                       error.message);
    free(config->network.ca_file);
    config->network.ca_file = path;
}

void named_files_load(struct reading *reading)
{
    load_secret(reading, option_find("signing.secret_file"), parse_secrets);
    load_secret(reading, option_find("signing.key_file"), parse_keys);
    find_ca_file(reading, option_find("network.ca_file"));
    revocations_load(reading, option_find("network.crl_file"));
    client_certificates_load(reading, option_find("network.client_certificates"));
}
