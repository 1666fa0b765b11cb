/* SPDX-License-Identifier: MIT */
#include "config/client_certificates.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "config/files.h"
#include "core/permit.h"

#define SUFFIX ".pem"

/* A file that belongs to root is given to the service by its group; one that is the service's own
 * needs nobody else. */
static bool is_exposed(const char *path)
{
    struct stat status;

    if (stat(path, &status) != 0)
        return false;
    return (status.st_mode & S_IROTH) != 0 ||
           ((status.st_mode & S_IRGRP) != 0 && status.st_uid == geteuid() && geteuid() != 0);
}

static bool read_file(const char *path, const char *name, struct client_certificate *certificate,
                      struct error *error)
{
    size_t length;
    char *text = files_read(path, FILES_SECRET_MAX_BYTES, &length, error);
    bool is_good;

    if (text == NULL)
        return false;
    is_good = client_certificate_read(name, text, length, certificate, error);
    if (is_good)
        certificate->is_exposed = is_exposed(path);
    explicit_bzero(text, FILES_SECRET_MAX_BYTES + 1);
    free(text);
    return is_good;
}

static void load_one(struct reading *reading, const struct config_option *option,
                     const char *directory, const char *file)
{
    struct config *config = reading->config;
    struct place place = reading->places[option_index(option)];
    char *path = memory_format("%s/%s", directory, file);
    char *name = memory_copy(file, strlen(file) - strlen(SUFFIX));
    struct client_certificate certificate;
    struct error error;

    if (!permit_is_name(name))
        reading_refuse(
            reading, option, place,
            "%s has a name that no endpoint can give: at most %d letters, digits, \"_\", "
            "\"-\" and \".\"",
            path, PERMIT_NAME_MAX);
    else if (config->network.certificates.count == CLIENT_CERTIFICATES_MAX)
        reading_refuse(reading, option, place, "%s has more than %d certificates", directory,
                       CLIENT_CERTIFICATES_MAX);
    else if (!read_file(path, name, &certificate, &error))
        reading_refuse(reading, option, place, "%s %s", path, error.message);
    else
        client_certificates_add(&config->network.certificates, &certificate);
    free(name);
    free(path);
}

static int is_certificate(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);

    return entry->d_name[0] != '.' && length > strlen(SUFFIX) &&
           strcmp(entry->d_name + length - strlen(SUFFIX), SUFFIX) == 0;
}

void client_certificates_load(struct reading *reading, const struct config_option *option)
{
    struct config *config = reading->config;
    struct dirent **entries;
    char *path;
    int count;

    if (*config->network.client_certificates == '\0')
        return;
    path = files_resolve(config->file, config->network.client_certificates);
    free(config->network.client_certificates);
    config->network.client_certificates = path;
    count = scandir(path, &entries, is_certificate, alphasort);
    if (count < 0) {
        reading_refuse(reading, option, reading->places[option_index(option)],
                       "%s cannot be read: %s", path, strerrordesc_np(errno));
        return;
    }
    for (int i = 0; i < count; i++) {
        load_one(reading, option, path, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
}
