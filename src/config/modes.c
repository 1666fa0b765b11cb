/* SPDX-License-Identifier: MIT */
#include "config/modes.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "config/files.h"
#include "config/redact.h"
#include "core/header.h"

static void warn(struct config_mistakes *warnings, const char *what, const char *path, mode_t mode)
{
    bool is_read = (mode & S_IROTH) != 0;
    bool is_written = (mode & S_IWOTH) != 0;

    if (warnings->count == CONFIG_MISTAKES_MAX)
        return;
    warnings->lines[warnings->count++] =
        memory_format("%s %s has mode %04o: everyone on this machine can %s%s%s it; chmod o= %s",
                      what, path, (unsigned)mode & 07777, is_read ? "read" : "",
                      is_read && is_written ? " and " : "", is_written ? "change" : "", path);
}

/* forbidden: S_IROTH, S_IWOTH or both. What is no file of a disk is no matter of modes. */
static void check(struct config_mistakes *warnings, const char *what, const char *path,
                  mode_t forbidden)
{
    struct stat status;

    if (stat(path, &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & forbidden) != 0)
        warn(warnings, what, path, status.st_mode);
}

static void check_named(const struct config *config, struct config_mistakes *warnings,
                        const char *what, const char *name)
{
    char *path;

    if (*name == '\0')
        return;
    path = files_resolve(config->file, name);
    check(warnings, what, path, S_IROTH | S_IWOTH);
    free(path);
}

static bool has_credential(const struct config_headers *headers)
{
    for (size_t i = 0; i < headers->count; i++)
        if (header_is_credential(headers->list[i].name, strlen(headers->list[i].name)))
            return true;
    return false;
}

static bool holds_credential(const struct config *config)
{
    return has_credential(&config->delivery.headers) || has_credential(&config->tracing.headers) ||
           redact_has_password(config->database.url) || redact_has_password(config->network.proxy);
}

void modes_warnings(const struct config *config, struct config_mistakes *warnings)
{
    if (holds_credential(config))
        check(warnings, "the configuration holds a password or token, and", config->file,
              S_IROTH | S_IWOTH);
    check_named(config, warnings, "signing.secret_file:", config->signing.secret_file);
    check_named(config, warnings, "signing.key_file:", config->signing.key_file);
    /* Whoever can change them says whom to trust. */
    check(warnings, "network.ca_file:", config->network.ca_file, S_IWOTH);
    check(warnings, "network.crl_file:", config->network.crl_file, S_IWOTH);
}
