/* SPDX-License-Identifier: MIT */
#include "config/load.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/files.h"
#include "config/named_files.h"
#include "config/options.h"
#include "config/rules.h"
#include "config/tree.h"
#include "config/values.h"

/* The table's defaults as one YAML text, read like any other. */
static void append_defaults(struct buffer *out)
{
    const char *section = "";
    size_t section_length = 0;

    for (size_t i = 0; i < option_count; i++) {
        const struct config_option *option = &option_table[i];
        size_t length = option_section_length(option);

        if (length > 0 && (length != section_length || strncmp(option->key, section, length) != 0))
            buffer_append_format(out, "%.*s:\n", (int)length, option->key);
        section = option->key;
        section_length = length;
        buffer_append_format(out, "%s%s: %s\n", length > 0 ? "  " : "", option_name(option),
                             option->default_text);
    }
}

struct config *config_new_default(void)
{
    struct config *config = memory_new(1, sizeof(*config));
    struct mistakes mistakes = {.file = ""};
    struct reading reading = {.config = config, .mistakes = &mistakes};
    struct buffer text;

    config->file = memory_copy_string("");
    buffer_init(&text, CONFIG_FILE_MAX_BYTES);
    append_defaults(&text);
    tree_read(&reading, buffer_string(&text), text.length);
    buffer_free(&text);
    if (mistakes.count > 0)
        bug("a default is wrong: %s", mistakes.items[0].text);
    memset(config->is_set, 0, sizeof(config->is_set));
    return config;
}

void config_free(struct config *config)
{
    if (config == NULL)
        return;
    for (size_t i = 0; i < option_count; i++)
        value_free(config, &option_table[i]);
    secret_set_wipe(&config->signing.secrets);
    sealing_keys_wipe(&config->signing.keys);
    client_certificates_free(&config->network.certificates);
    revocation_lists_free(&config->network.revocations);
    free(config->file);
    free(config);
}

static void read_file(struct reading *reading, const char *file)
{
    struct error error;
    size_t length;
    char *text = files_read(file, CONFIG_FILE_MAX_BYTES, &length, &error);

    if (text == NULL) {
        mistakes_add(reading->mistakes, (struct place){0, 0}, NULL, "%s; -c FILE names another one",
                     error.message);
        return;
    }
    tree_read(reading, text, length);
    explicit_bzero(text, length); /* it may hold a password */
    free(text);
    named_files_load(reading);
    rules_apply(reading);
}

struct config *config_load(const char *file, struct config_mistakes *ret_mistakes)
{
    struct config *config = config_new_default();
    struct mistakes mistakes = {.file = file};
    struct reading reading = {.config = config, .mistakes = &mistakes};

    free(config->file);
    config->file = memory_copy_string(file);
    read_file(&reading, file);
    mistakes_move(&mistakes, ret_mistakes);
    if (ret_mistakes->count == 0)
        return config;
    config_free(config);
    return NULL;
}
