/* SPDX-License-Identifier: MIT */
#include "core/idempotency_key.h"

#include <string.h>

#include "unit.h"

static void test_keys(void **state)
{
    static const struct {
        const char *value;
        const char *key; /* NULL: refused */
    } cases[] = {
        {"a", "a"},
        {"8e03978e-40d5-43dd-bc93-6894a57f9324", "8e03978e-40d5-43dd-bc93-6894a57f9324"},
        {"order:1/paid=yes", "order:1/paid=yes"},
        {"\"a\"", "a"},
        {"\"a b;c,d\"", "a b;c,d"},
        {"\"a\\\"b\\\\c\"", "a\"b\\c"},
        {"", NULL},
        {"\"\"", NULL},
        {"\"", NULL},
        {"\"a", NULL},
        {"\"a\\\"", NULL},
        {"\"a\\", NULL},
        {"\"a\\b\"", NULL},
        {"\"a\"b", NULL},
        {"\"a\" ", NULL},
        {"\"a\";b", NULL},
        {"a\"", NULL},
        {"a b", NULL},
        {"a,b", NULL},
        {"a;b", NULL},
        {"a\\", NULL},
        {"a\tb", NULL},
        {"\"a\tb\"", NULL},
        {"caf\xc3\xa9", NULL},
        {"\"\x7f\"", NULL},
    };
    char key[IDEMPOTENCY_KEY_MAX + 1];
    const char *reason;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        bool ok = idempotency_key_read(cases[i].value, strlen(cases[i].value), key, &reason);

        check_case(ok == (cases[i].key != NULL) && (!ok || strcmp(key, cases[i].key) == 0), "%s",
                   cases[i].value);
    }
}

static void test_length(void **state)
{
    char value[IDEMPOTENCY_KEY_MAX + 3], key[IDEMPOTENCY_KEY_MAX + 1];
    const char *reason;

    (void)state;
    memset(value, 'k', sizeof(value));
    assert_true(idempotency_key_read(value, IDEMPOTENCY_KEY_MAX, key, &reason));
    assert_int_equal(strlen(key), IDEMPOTENCY_KEY_MAX);
    assert_false(idempotency_key_read(value, IDEMPOTENCY_KEY_MAX + 1, key, &reason));
    value[0] = value[IDEMPOTENCY_KEY_MAX + 1] = '"';
    assert_true(idempotency_key_read(value, IDEMPOTENCY_KEY_MAX + 2, key, &reason));
    assert_false(idempotency_key_read("a\0b", 3, key, &reason));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
