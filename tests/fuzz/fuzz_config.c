/* SPDX-License-Identifier: MIT */
/*
 * fuzz_config.c: the configuration from any bytes.
 *
 * Either it is taken or there is a mistake to show, as one line. What is shown of one that was
 * taken is taken again, but for one where a password was masked: libpq may find no URL in the rest.
 */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config/load.h"
#include "config/show.h"
#include "fuzz.h"

static struct config *load(const void *bytes, size_t size, struct config_mistakes *mistakes)
{
    char path[64];
    int fd = memfd_create("config", MFD_CLOEXEC);
    struct config *config;

    demand(fd >= 0 && write(fd, bytes, size) == (ssize_t)size, "no memory file");
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    config = config_load(path, mistakes);
    close(fd);
    return config;
}

static void check_mistakes(struct config_mistakes *mistakes)
{
    demand(mistakes->count > 0, "refused without a word");
    for (size_t i = 0; i < mistakes->count; i++)
        demand(strchr(mistakes->lines[i], '\n') == NULL, "a mistake of several lines");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config_mistakes mistakes;
    struct config *config = load(data, size, &mistakes);
    struct buffer shown;

    if (config == NULL)
        check_mistakes(&mistakes);
    config_mistakes_free(&mistakes);
    if (config == NULL)
        return 0;
    buffer_init(&shown, SHOW_MAX_BYTES);
    show_append_json(config, &shown);
    buffer_clear(&shown);
    show_append_yaml(config, &shown);
    config_free(config);
    config = load(buffer_string(&shown), shown.length, &mistakes);
    demand(config != NULL || strstr(buffer_string(&shown), "***") != NULL,
           "what was shown is refused");
    config_mistakes_free(&mistakes);
    config_free(config);
    buffer_free(&shown);
    return 0;
}
