/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include "base/suggest.h"

static const char *const words[] = {"run",    "migrate", "check",  "config", "status", "dead",
                                    "replay", "explain", "secret", "send",   "help",   "version"};

static const char *suggested(const char *typed)
{
    struct suggestion best = {NULL, 0};

    for (size_t i = 0; i < ARRAY_LENGTH(words); i++)
        suggest_consider(&best, typed, words[i]);
    return best.word != NULL ? best.word : "";
}

static void test_typing_mistakes(void **state)
{
    static const struct {
        const char *typed, *word;
    } cases[] = {
        {"status", "status"},   {"rnu", "run"},         {"urn", "run"},
        {"hlpe", "help"},       {"dexx", "dead"},       {"statis", "status"},
        {"sttaus", "status"},   {"statuss", "status"},  {"tatus", "status"},
        {"stat", "status"},     {"st", "status"},       {"migrat", "migrate"},
        {"mgirate", "migrate"}, {"mirgate", "migrate"}, {"verison", "version"},
        {"dea", "dead"},        {"daed", "dead"},       {"hepl", "help"},
        {"sned", "send"},       {"chekc", "check"},     {"sectret", "secret"},
        {"explane", "explain"}, {"runn", "run"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        check_case(strcmp(suggested(cases[i].typed), cases[i].word) == 0, "%s: %s", cases[i].typed,
                   suggested(cases[i].typed));
}

static void test_nothing_near(void **state)
{
    static const char *const cases[] = {"",
                                        "x",
                                        "delete",
                                        "rxx",
                                        "dxxx",
                                        "statxyz",
                                        "explxyz",
                                        "nur",
                                        "abc",
                                        "xyz",
                                        "r",
                                        "statusstatusstatus",
                                        "a word that is much longer than any could ever be"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        check_case(suggested(cases[i])[0] == '\0', "%s: %s", cases[i], suggested(cases[i]));
}

static void test_the_longest_words(void **state)
{
    char longest[SUGGEST_WORD_MAX + 2] = {0};
    struct suggestion best = {NULL, 0};

    (void)state;
    memset(longest, 'w', SUGGEST_WORD_MAX);
    suggest_consider(&best, longest, longest);
    assert_ptr_equal(best.word, longest);
    longest[SUGGEST_WORD_MAX] = 'w';
    best.word = NULL;
    suggest_consider(&best, longest, "w");
    suggest_consider(&best, "w", longest);
    assert_null(best.word);
}

/* Of two that are equally near, the first one stays. */
static void test_the_nearest_wins(void **state)
{
    struct suggestion best = {NULL, 0};

    (void)state;
    suggest_consider(&best, "send", "sendxx");
    suggest_consider(&best, "send", "sent");
    assert_string_equal(best.word, "sendxx");
    suggest_consider(&best, "send", "send");
    assert_string_equal(best.word, "send");
    assert_int_equal(best.distance, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_typing_mistakes),
        cmocka_unit_test(test_nothing_near),
        cmocka_unit_test(test_the_longest_words),
        cmocka_unit_test(test_the_nearest_wins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
