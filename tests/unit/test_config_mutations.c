/* SPDX-License-Identifier: MIT */
/*
 * Configurations with random changes, from a fixed seed: whatever the bytes are, there is a
 * configuration or there are mistakes, each of them one clean line. The sanitizers watch.
 */
#include "config_file.h"

#include "config/show.h"
#include "dice.h"

#define ROUNDS    800
#define TEXT_SIZE 8192

static struct dice dice;

static size_t below(size_t limit)
{
    return (size_t)dice_below(&dice, (int64_t)limit);
}

struct text {
    size_t length;
    char bytes[TEXT_SIZE];
};

/* A file of all options that are not the default, to be broken. */
static const char small_text[] =
    "database: {url: 'postgresql://u:p@h/d?password=q', schema: \"a\\u00e9\"}\n"
    "delivery: {headers: {X-A: b, X-C: 'd'}, timeout: 3s}\n"
    "retry:\n  schedule: [5s, 5m]\n  retry_statuses:\n  - 429\n  - 404\n  jitter: 0.5\n"
    "network: {allow: [10.0.0.0/8, 'fd00::/8'], https_only: true, proxy: 'http://u:p@[::1]:1'}\n"
    "retention: {delivered: 0, failed: 1d}\nattempt_log: all\nlog: {level: debug}\n";

static const char *const pieces[] = {
    "&a ",
    "*a",
    "!!str ",
    "[",
    "]",
    "{",
    "}",
    ": ",
    "- ",
    "? ",
    "\n",
    "\t",
    "\"",
    "'",
    "#",
    "|\n ",
    ">-\n",
    "---\n",
    "...\n",
    "%TAG ",
    "<<: ",
    "\\x00",
    "\\u2028",
    "\xEF\xBB\xBF",
    "\xC2",
    "\xC2\x9B",
    "\xF4\x90\x80\x80",
    "~",
    "null",
    "-1",
    "1e999",
    "99999999999999999999",
    "0x7f",
    ".inf",
    "retry",
    "headers: {A: b}",
    ", ",
    "10.0.0.0/8",
    "database: {url: x}\n",
    "410",
    "\r\n",
    "\v",
    "$",
    "whsec_",
    "%%",
    "%s%n",
};

static void replace(struct text *text, size_t at, size_t removed, const char *bytes, size_t added)
{
    size_t rest = text->length - at - removed;

    if (text->length - removed + added > TEXT_SIZE)
        return;
    memmove(text->bytes + at + added, text->bytes + at + removed, rest);
    memcpy(text->bytes + at, bytes, added);
    text->length = text->length - removed + added;
}

static void mutate(struct text *text)
{
    size_t at = below(text->length + 1);
    size_t left = text->length - at;
    size_t some = left > 0 ? below(left < 40 ? left : 40) : 0;
    const char *piece = pieces[below(ARRAY_LENGTH(pieces))];
    char byte = (char)below(256);
    char copy[40];

    memcpy(copy, text->bytes + at, some);
    switch (below(5)) {
    case 0: /* a byte */
        replace(text, at, left > 0, &byte, 1);
        break;
    case 1: /* something that means something */
        replace(text, at, 0, piece, strlen(piece));
        break;
    case 2: /* instead of something */
        replace(text, at, some, piece, strlen(piece));
        break;
    case 3: /* nothing */
        replace(text, at, some, "", 0);
        break;
    case 4: /* the same again, elsewhere */
        replace(text, below(text->length + 1), 0, copy, some);
        break;
    }
}

static void check_lines(const struct config_mistakes *mistakes)
{
    assert_in_range(mistakes->count, 1, CONFIG_MISTAKES_MAX);
    for (size_t i = 0; i < mistakes->count; i++) {
        assert_ptr_equal(strstr(mistakes->lines[i], "c.yaml:"), mistakes->lines[i]);
        for (const char *c = mistakes->lines[i]; *c != '\0'; c++)
            assert_true((unsigned char)*c >= ' ' && *c != 0x7f);
    }
}

/* What was accepted can be shown, and what is shown is accepted. */
static void check_config(const struct config *config)
{
    struct buffer shown;

    buffer_init(&shown, SHOW_MAX_BYTES);
    show_append_json(config, &shown);
    buffer_clear(&shown);
    show_append_yaml(config, &shown);
    config_free(load_text(buffer_string(&shown)));
    buffer_free(&shown);
}

static void check_text(const struct text *text)
{
    struct config_mistakes mistakes;
    struct config *config;

    write_bytes("c.yaml", text->bytes, text->length);
    config = config_load("c.yaml", &mistakes);
    if (config == NULL) {
        check_lines(&mistakes);
    } else {
        assert_int_equal(mistakes.count, 0);
        check_config(config);
    }
    config_mistakes_free(&mistakes);
    config_free(config);
}

static void read_sample(struct text *text)
{
    FILE *in = fopen(TEST_SOURCE_DIR "/config.yaml", "re");

    assert_non_null(in);
    text->length = fread(text->bytes, 1, TEXT_SIZE, in);
    assert_true(text->length > 0 && text->length < TEXT_SIZE);
    assert_int_equal(fclose(in), 0);
}

static void test_mutations(void **state)
{
    static struct text sample, small, text;

    (void)state;
    dice.state = 20260824;
    read_sample(&sample);
    small.length = strlen(small_text);
    memcpy(small.bytes, small_text, small.length);
    check_text(&sample);
    check_text(&small);
    for (int round = 0; round < ROUNDS; round++) {
        text = round % 4 == 0 ? sample : small;
        for (size_t i = below(6); i < 6; i++)
            mutate(&text);
        check_text(&text);
    }
}

/* Nothing but noise, with and without NULs. */
static void test_noise(void **state)
{
    static struct text text;

    (void)state;
    dice.state = 4242;
    for (int round = 0; round < 100; round++) {
        text.length = 1 + below(200);
        for (size_t i = 0; i < text.length; i++)
            text.bytes[i] = (char)(round % 2 == 0 ? below(256) : ' ' + below(95));
        check_text(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mutations),
        cmocka_unit_test(test_noise),
    };

    return cmocka_run_group_tests(tests, enter_directory, leave_directory);
}
