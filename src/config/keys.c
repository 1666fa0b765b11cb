/* SPDX-License-Identifier: MIT */
#include "config/keys.h"

#include <stdio.h>
#include <string.h>

#include "base/suggest.h"
#include "base/text.h"
#include "config/options.h"

static bool is_in_section(const struct config_option *option, const char *section)
{
    return option_section_length(option) == strlen(section) &&
           text_begins_with(option->key, section);
}

/* The name by which an option is reached from a level: its own, or its section's from the top. */
static bool key_word(const struct config_option *option, const char *section, char word[KEY_SIZE])
{
    size_t length = option_section_length(option);

    if (*section == '\0' && length > 0) {
        snprintf(word, KEY_SIZE, "%.*s", (int)length, option->key);
        return true;
    }
    snprintf(word, KEY_SIZE, "%s", option_name(option));
    return is_in_section(option, section);
}

/* "database, worker, …"; options of one section stand together in the table. */
void key_append_names(const char *section, struct buffer *out)
{
    char last[KEY_SIZE] = "";
    char word[KEY_SIZE];

    for (size_t i = 0; i < option_count; i++) {
        if (!key_word(&option_table[i], section, word) || strcmp(word, last) == 0)
            continue;
        buffer_append_format(out, "%s%s", out->length > 0 ? ", " : "", word);
        memcpy(last, word, sizeof(last));
    }
}

static const char *suggest_near(const char *section, const char *name, char word[KEY_SIZE])
{
    struct suggestion best = {NULL, 0};
    char candidate[KEY_SIZE];

    for (size_t i = 0; i < option_count; i++) {
        struct suggestion before = best;

        if (!key_word(&option_table[i], section, candidate))
            continue;
        suggest_consider(&best, name, candidate);
        if (best.distance != before.distance || before.word == NULL)
            snprintf(word, KEY_SIZE, "%s", candidate);
    }
    return best.word != NULL ? word : NULL;
}

/* The key of this name in another section, or with this section before its dot. */
static const struct config_option *find_misplaced(const char *name)
{
    const struct config_option *option = option_find(name);

    for (size_t i = 0; option == NULL && i < option_count; i++)
        if (strcmp(option_name(&option_table[i]), name) == 0)
            option = &option_table[i];
    return option;
}

void key_refuse_unknown(struct mistakes *mistakes, struct place place, const char *section,
                        const char *name, const char *key)
{
    const struct config_option *misplaced = find_misplaced(name);
    struct buffer words;
    char word[KEY_SIZE];

    if (suggest_near(section, name, word) != NULL) {
        mistakes_add(mistakes, place, key, "unknown key; did you mean %s%s%s?", section,
                     *section != '\0' ? "." : "", word);
        return;
    }
    if (misplaced != NULL) {
        size_t length = option_section_length(misplaced);

        mistakes_add(mistakes, place, key, "unknown key; did you mean %s, %s%.*s?",
                     option_name(misplaced), length > 0 ? "below " : "at the top level",
                     (int)length, misplaced->key);
        return;
    }
    buffer_init(&words, 1024);
    key_append_names(section, &words);
    if (words.length > 0)
        mistakes_add(mistakes, place, key, "unknown key; allowed: %s", buffer_string(&words));
    else
        mistakes_add(mistakes, place, key, "unknown key, in a section that is not in this version");
    buffer_free(&words);
}
