/* SPDX-License-Identifier: MIT */
#include "config/revocations.h"

#include <stdlib.h>
#include <time.h>

#include "base/memory.h"
#include "config/files.h"

void revocations_load(struct reading *reading, const struct config_option *option)
{
    struct config *config = reading->config;
    struct error error;
    size_t length;
    char *path;
    char *text;

    if (*config->network.crl_file == '\0')
        return;
    path = files_resolve(config->file, config->network.crl_file);
    free(config->network.crl_file);
    config->network.crl_file = path;
    text = files_read(path, FILES_CRL_MAX_BYTES, &length, &error);
    if (text == NULL || !revocation_lists_read(text, length, &config->network.revocations, &error))
        reading_refuse(reading, option, reading->places[option_index(option)], "%s %s", path,
                       error.message);
    free(text);
}

static char *describe(const char *path, const struct revocation_list *list, bool has_ended)
{
    time_t time = (time_t)(has_ended ? list->ends_s : list->starts_s);
    struct tm parts;
    char date[32] = "";

    if (gmtime_r(&time, &parts) != NULL)
        strftime(date, sizeof(date), "%Y-%m-%d %H:%M UTC", &parts);
    return memory_format("network.crl_file: the CRL of %s in %s %s %s: receivers with certificates "
                         "of that authority are refused unless a current one is there too",
                         list->issuer, path, has_ended ? "has ended on" : "begins only on", date);
}

void revocations_warnings(const struct config *config, int64_t now_s,
                          struct config_mistakes *warnings)
{
    const struct revocation_lists *lists = &config->network.revocations;

    for (size_t i = 0; i < lists->count && warnings->count < CONFIG_MISTAKES_MAX; i++) {
        const struct revocation_list *list = &lists->list[i];

        if (list->ends_s < now_s || list->starts_s > now_s)
            warnings->lines[warnings->count++] =
                describe(config->network.crl_file, list, list->ends_s < now_s);
    }
}
