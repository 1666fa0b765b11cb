/* SPDX-License-Identifier: MIT */
/* test_revocation.c: lists of revoked certificates are read whole, or refused with the reason. */
#include "crl.h"

#include <stdlib.h>
#include <time.h>

#include "core/revocation.h"

static void check_refused(const char *name, const char *text, size_t length, const char *message)
{
    struct revocation_lists lists = {0};
    struct error error = {0};

    check_case(!revocation_lists_read(text, length, &lists, &error), "%s", name);
    check_case(strcmp(error.message, message) == 0, "%s: \"%s\"", name, error.message);
    assert_int_equal(lists.count, 0);
}

static void test_several(void **state)
{
    static const char certificate[] =
        "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
    char *first = crl_text("One", CRL_DAY_S, 0, NULL);
    char *second = crl_text("Zw\u00f6lf \x1b[31m", -60, 0, NULL);
    char *both = memory_format("of one\n%s%s# another\n%s\n", first, certificate, second);
    struct revocation_lists lists = {0};
    struct error error;
    int64_t now_s = time(NULL);

    (void)state;
    assert_true(revocation_lists_read(both, strlen(both), &lists, &error));
    assert_int_equal(lists.count, 2);
    assert_string_equal(lists.list[0].issuer, "CN=One");
    assert_string_equal(lists.list[1].issuer, "CN=Zw\\C3\\B6lf \\1B[31m");
    assert_in_range(lists.list[0].ends_s, now_s + CRL_DAY_S - 600, now_s + CRL_DAY_S);
    assert_in_range(lists.list[0].starts_s, now_s - CRL_DAY_S - 600, now_s - CRL_DAY_S);
    assert_in_range(lists.list[1].ends_s, now_s - 660, now_s - 60);
    revocation_lists_free(&lists);
    assert_int_equal(lists.count, 0);
    free(first);
    free(second);
    free(both);
}

static void test_list_without_an_end(void **state)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *starts = X509_gmtime_adj(NULL, 0);
    struct revocation_lists lists = {0};
    struct error error;
    char *text;

    (void)state;
    assert_true(X509_CRL_set1_lastUpdate(crl, starts));
    text = crl_finish(crl, key);
    assert_true(revocation_lists_read(text, strlen(text), &lists, &error));
    assert_true(lists.list[0].ends_s == INT64_MAX);
    assert_string_equal(lists.list[0].issuer, "");
    revocation_lists_free(&lists);
    ASN1_TIME_free(starts);
    EVP_PKEY_free(key);
    free(text);
}

static void test_what_is_no_list(void **state)
{
    char *good = crl_text("One", CRL_DAY_S, 0, NULL);
    size_t length = strlen(good);
    char *cut = memory_format("%s%.*s\n-----END X509 CRL-----\n", good, (int)length / 2, good);
    char *open = memory_format("%.*s", (int)length - 30, good);
    char *changed = memory_format("%s%s", good, good);

    (void)state;
    memcpy(strstr(changed + length, "CRL-----\n") + 9, "!!!!", 4);
    check_refused("empty", "", 0, "holds no CRL in PEM");
    check_refused("text", "hello\n", 6, "holds no CRL in PEM");
    check_refused("cut", cut, strlen(cut), "holds a CRL that can't be read, as number 2");
    check_refused("open", open, strlen(open), "holds a CRL that can't be read, as number 1");
    check_refused("changed", changed, strlen(changed),
                  "holds a CRL that can't be read, as number 2");
    free(good);
    free(cut);
    free(open);
    free(changed);
}

static void test_der(void **state)
{
    char *text = crl_text("One", CRL_DAY_S, 0, NULL);
    BIO *memory = BIO_new_mem_buf(text, -1);
    X509_CRL *crl = PEM_read_bio_X509_CRL(memory, NULL, NULL, NULL);
    unsigned char *der = NULL;
    int length = i2d_X509_CRL(crl, &der);

    (void)state;
    assert_true(length > 0);
    check_refused("DER", (const char *)der, (size_t)length,
                  "holds a CRL in DER, not in PEM: convert it with \"openssl crl -inform DER\"");
    check_refused("cut DER", (const char *)der, (size_t)length - 1, "holds no CRL in PEM");
    OPENSSL_free(der);
    X509_CRL_free(crl);
    BIO_free(memory);
    free(text);
}

/* OpenSSL would pass over them, and trust what they revoke. */
static void test_lists_that_are_not_complete(void **state)
{
    static const struct {
        int nid;
        const char *value;
        const char *limit; /* NULL: it is taken */
    } cases[] = {
        {NID_issuing_distribution_point, "critical,indirectCRL:TRUE", "an indirect CRL"},
        {NID_issuing_distribution_point, "critical,onlysomereasons:keyCompromise",
         "a CRL for some reasons alone"},
        {NID_issuing_distribution_point, "critical,onlyAA:TRUE", "a CRL of attribute certificates"},
        {NID_issuing_distribution_point, "critical,DER:0500",
         "a CRL whose issuing distribution point can't be read"},
        {NID_issuing_distribution_point, "critical,fullname:URI:http://localhost/1.crl", NULL},
        {NID_issuing_distribution_point, "critical,onlyuser:TRUE", NULL},
        {NID_issuing_distribution_point, "critical,onlyCA:TRUE", NULL},
        {NID_delta_crl, "critical,DER:020101", "a delta CRL"},
        {NID_crl_number, "DER:020101", NULL},
        {NID_crl_number, "critical,DER:020101", "a CRL with an unknown critical extension"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char *text = crl_text("One", CRL_DAY_S, cases[i].nid, cases[i].value);
        struct revocation_lists lists = {0};
        struct error error;
        char *message;

        if (cases[i].limit == NULL) {
            check_case(revocation_lists_read(text, strlen(text), &lists, &error), "%s: %s",
                       cases[i].value, error.message);
            revocation_lists_free(&lists);
        } else {
            message = memory_format("holds %s as number 1 (CN=One); only complete ones count",
                                    cases[i].limit);
            check_refused(cases[i].value, text, strlen(text), message);
            free(message);
        }
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_several),
        cmocka_unit_test(test_list_without_an_end),
        cmocka_unit_test(test_what_is_no_list),
        cmocka_unit_test(test_der),
        cmocka_unit_test(test_lists_that_are_not_complete),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
