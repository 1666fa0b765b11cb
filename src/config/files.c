/* SPDX-License-Identifier: MIT */
#include "config/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/units.h"

/* Reads until the end or until size bytes; -1 with errno. */
static ssize_t read_fully(int fd, char *bytes, size_t size)
{
    size_t length = 0;

    while (length < size) {
        ssize_t got = read(fd, bytes + length, size - length);

        if (got == 0)
            break;
        if (got < 0 && errno != EINTR)
            return -1;
        if (got > 0)
            length += (size_t)got;
    }
    return (ssize_t)length;
}

/* One piece of memory from the start: growing would leave copies of secrets behind. */
static char *read_open_file(int fd, size_t max_bytes, size_t *ret_length, struct error *error)
{
    struct stat status;
    char *bytes;
    ssize_t length;

    if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) {
        error_set(error, "is a directory");
        return NULL;
    }
    bytes = memory_new(1, max_bytes + 1);
    length = read_fully(fd, bytes, max_bytes + 1);
    if (length >= 0 && (size_t)length <= max_bytes) {
        bytes[length] = '\0';
        *ret_length = (size_t)length;
        return bytes;
    }
    if (length < 0) {
        error_set(error, "cannot be read: %s", strerror(errno));
    } else {
        char limit[UNITS_TEXT_SIZE];

        error_set(error, "is larger than %s", units_format_size_bytes((int64_t)max_bytes, limit));
    }
    explicit_bzero(bytes, max_bytes + 1);
    free(bytes);
    return NULL;
}

char *files_read(const char *path, size_t max_bytes, size_t *ret_length, struct error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    char *bytes;

    if (fd < 0) {
        error_set(error, "cannot be read: %s", strerror(errno));
        return NULL;
    }
    bytes = read_open_file(fd, max_bytes, ret_length, error);
    close(fd);
    return bytes;
}

char *files_resolve(const char *config_file, const char *name)
{
    const char *credentials = getenv("CREDENTIALS_DIRECTORY");
    const char *slash = strrchr(config_file, '/');

    if (*name == '/')
        return memory_copy_string(name);
    if (credentials != NULL && *credentials != '\0') {
        char *path = memory_format("%s/%s", credentials, name);

        if (access(path, F_OK) == 0)
            return path;
        free(path);
    }
    if (slash == NULL)
        return memory_copy_string(name);
    return memory_format("%.*s/%s", (int)(slash - config_file), config_file, name);
}
