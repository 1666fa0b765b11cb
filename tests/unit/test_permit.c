/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <stdlib.h>

#include "core/permit.h"

static struct permit *permit(const char *allow, const char *certificate)
{
    struct permit *made = NULL;
    struct error error = {0};

    check_case(permit_make(allow, certificate, &made, &error), "%s: %s", allow, error.message);
    return made;
}

static void test_nothing_is_no_permit(void **state)
{
    (void)state;
    assert_null(permit(NULL, NULL));
    assert_null(permit("", NULL));
    permit_free(NULL);
}

static void test_ranges_are_read(void **state)
{
    struct permit *made = permit("10.1.0.0/16\n[fd00::1]:8080\n127.0.0.1:9", NULL);

    (void)state;
    assert_int_equal(made->allow_count, 3);
    assert_null(made->client_certificate);
    for (size_t i = 0; i < made->allow_count; i++)
        assert_int_equal(made->allow[i].port, i == 0                           ? 0
                                              : made->allow[i].address.is_ipv6 ? 8080
                                                                               : 9);
    permit_free(made);
}

/* Equal permits may share connections; no others may. */
static void test_keys(void **state)
{
    static const struct {
        const char *allow, *certificate;
        int group; /* of equal ones */
    } cases[] = {
        {"10.0.0.0/8", NULL, 1},
        {"10.0.0.0/8:80", NULL, 2},
        {"10.0.0.0/9", NULL, 3},
        {"10.0.0.0/8\nfd00::/8", NULL, 4},
        {"fd00::/8\n10.0.0.0/8", NULL, 4},
        {"fd00:0::/8\n10.0.0.0/8", NULL, 4},
        {"10.0.0.0/8", "acme", 5},
        {NULL, "acme", 6},
        {"", "acme", 6},
        {NULL, "acme.2", 7},
        {"::ffff:10.0.0.0/104", NULL, 8},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        for (size_t j = 0; j < ARRAY_LENGTH(cases); j++) {
            struct permit *a = permit(cases[i].allow, cases[i].certificate);
            struct permit *b = permit(cases[j].allow, cases[j].certificate);

            check_case((strcmp(a->key, b->key) == 0) == (cases[i].group == cases[j].group),
                       "%zu \"%s\" and %zu \"%s\"", i, a->key, j, b->key);
            permit_free(a);
            permit_free(b);
        }
}

static void test_what_is_wrong_is_said_and_permits_nothing(void **state)
{
    static const struct {
        const char *allow, *certificate, *error;
    } cases[] = {
        {"10.0.0.0/33", NULL, "allow: \"10.0.0.0/33\" needs a prefix of 0 to 32"},
        {"10.0.0.0/8\n\n", NULL, "allow: \"\" is not an IP address"},
        {"10.0.0.1/8", NULL, "allow: \"10.0.0.1/8\" has bits below its prefix"},
        {"0.0.0.0/0\nlocalhost", NULL, "allow: \"localhost\" is not an IP address"},
        {"10.0.0.0/8, 11.0.0.0/8", NULL, "needs a prefix"},
        {"10.0.0.0/8:0", NULL, "needs a port of 1 to 65535"},
        {NULL, "", "client_certificate \"\" is not the name of one"},
        {NULL, "../server", "client_certificate \"../server\""},
        {NULL, ".hidden", "client_certificate \".hidden\""},
        {NULL, "a/b", "client_certificate \"a/b\""},
        {NULL, "a b", "client_certificate \"a b\""},
        {"10.0.0.0/8", "-c", "client_certificate \"-c\""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct permit *made = (struct permit *)(void *)cases;
        struct error error = {0};

        check_case(!permit_make(cases[i].allow, cases[i].certificate, &made, &error), "%zu", i);
        check_case(strstr(error.message, cases[i].error) != NULL, "%zu: %s", i, error.message);
        assert_null(made);
    }
}

static void test_limits(void **state)
{
    char allow[PERMIT_RANGES_MAX * 16 + 64] = "";
    char name[PERMIT_NAME_MAX + 2];
    struct permit *made;
    struct error error;

    (void)state;
    for (int i = 0; i < PERMIT_RANGES_MAX; i++)
        snprintf(strchr(allow, '\0'), 16, "%s10.0.0.%d", i > 0 ? "\n" : "", i);
    made = permit(allow, NULL);
    assert_int_equal(made->allow_count, PERMIT_RANGES_MAX);
    permit_free(made);
    snprintf(strchr(allow, '\0'), 16, "\n10.0.1.1");
    assert_false(permit_make(allow, NULL, &made, &error));
    for (int length = 1; length < 512; length++) { /* of a line */
        memset(allow, '1', (size_t)length);
        allow[length] = '\0';
        assert_false(permit_make(allow, NULL, &made, &error));
    }
    memset(allow, '1', sizeof(allow) - 1);
    allow[sizeof(allow) - 1] = '\0';
    assert_false(permit_make(allow, NULL, &made, &error));

    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_false(permit_is_name(name));
    name[PERMIT_NAME_MAX] = '\0';
    assert_true(permit_is_name(name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_no_permit),
        cmocka_unit_test(test_ranges_are_read),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_what_is_wrong_is_said_and_permits_nothing),
        cmocka_unit_test(test_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
