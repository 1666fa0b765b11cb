/* SPDX-License-Identifier: MIT */
/* hint.h: what a message names can be pasted. */
#include "base/hint.h"

#include <stdlib.h>

#include "unit.h"

static void check_quoted(const char *text, const char *expected)
{
    char *word = hint_quoted(text);

    assert_string_equal(word, expected);
    free(word);
}

static void test_words_of_a_shell(void **state)
{
    (void)state;
    check_quoted("/etc/postrider/config.yaml", "/etc/postrider/config.yaml");
    check_quoted("", "''");
    check_quoted("my files/a.yaml", "'my files/a.yaml'");
    check_quoted("it's", "'it'\\''s'");
    check_quoted("''", "''\\'''\\'''");
    check_quoted("$HOME/`x`;*", "'$HOME/`x`;*'");
    check_quoted("~root", "'~root'");
    check_quoted("größe", "'größe'");
}

static void test_options(void **state)
{
    (void)state;
    assert_string_equal(hint_options(), "");
    hint_set_config("my files/a.yaml");
    assert_string_equal(hint_options(), " -c 'my files/a.yaml'");
    hint_set_config("b.yaml");
    assert_string_equal(hint_options(), " -c b.yaml");
    hint_set_config(NULL);
    assert_string_equal(hint_options(), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_of_a_shell),
        cmocka_unit_test(test_options),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
