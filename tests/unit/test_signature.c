/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <stdlib.h>

#include "base/memory.h"
#include "core/signature.h"

#define WHSEC "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define WHSEC_LONGEST                                                        \
    "whsec_paWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWl" \
    "paWlpaWlpaWlpaWlpaWlpQ=="
#define WHSK                                                                        \
    "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ" \
    "6p9lMicMFs6Kvg=="
/* RFC 8032, 7.1, test 1; a seed alone. */
#define WHSK_SEED "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="

#define EXAMPLE_ID "msg_p5jXN8AQM9LWM0D4loKWxJek"
#define EXAMPLE_S  1614265330
#define EXAMPLE    "{\"test\": 2432232314}"

#define EXAMPLE_V1 "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
#define EXAMPLE_V1A                                                                      \
    "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8E" \
    "M+m7TBAg=="

static struct signer *new_signer(const char *secrets)
{
    struct secret_set set;
    struct signer *signer;
    struct error error;

    check_case(secret_set_parse(secrets, &set, &error), "%s", error.message);
    signer = signer_new(&set, &error);
    check_case(signer != NULL, "%s", error.message);
    secret_set_wipe(&set); /* a signer must not need it any more */
    return signer;
}

static void check_bytes(struct signer *signer, const char *id, int64_t timestamp_s,
                        const void *body, size_t length, const char *expected)
{
    struct buffer out;
    struct error error;

    buffer_init(&out, 4096);
    check_case(signer_sign(signer, id, timestamp_s, body, length, &out, &error), "%s",
               error.message);
    assert_string_equal(buffer_string(&out), expected);
    buffer_free(&out);
}

static void check(struct signer *signer, const char *id, int64_t timestamp_s, const char *body,
                  const char *expected)
{
    check_bytes(signer, id, timestamp_s, body, strlen(body), expected);
}

/* The values come from other implementations: npm's standardwebhooks for v1, @noble/ed25519 for
 * v1a. */
static void test_reference_values(void **state)
{
    static const struct {
        const char *secret, *id;
        int64_t timestamp_s;
        const char *body, *header;
    } cases[] = {
        {WHSEC, EXAMPLE_ID, EXAMPLE_S, EXAMPLE, EXAMPLE_V1},
        {WHSEC, "", 0, "", "v1,VzQ28JIFJf+0udpQ8sGkwkIaWjCGsXxrtnallQa/U+k="},
        {WHSEC, "é", INT64_C(4102444800), "{\"😀\":\"ü\"}",
         "v1,ReJt0xzPNqEfoUuJ/NBwgq9VCbMwyBsrCAYsBRtnolk="},
        {WHSEC_LONGEST, "0f8fad5b-d9cd-469f-a165-70867728950e", 1700000000, "{}",
         "v1,a/Xy2UegEVOAW0VPchXtqzqU+NybsrJ9+prj/W7ZJkY="},
        {WHSK, EXAMPLE_ID, EXAMPLE_S, EXAMPLE, EXAMPLE_V1A},
        {WHSK, "", -1, "",
         "v1a,7mUC1f0Vh+Ih1VlTlSc+3tXVbXlP25AOXJEztQs3gFKYf3UdBWpvmu6fRcLQphGQFDPzS29o1tQYH1Aoi2yD"
         "Bw=="},
        {WHSK_SEED, "a", 1, "",
         "v1a,wlquekGZwQtiWx/HOaMdQgYMOwhkbMNUdQnt83SFAxkAcj+/Z7zMt6CwT5cZ2A5N6g/pwC2G4qSt+T/cd2Ao"
         "Aw=="},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct signer *signer = new_signer(cases[i].secret);

        /* Nothing of a message may stay behind in the contexts. */
        check(signer, cases[i].id, cases[i].timestamp_s, cases[i].body, cases[i].header);
        check(signer, cases[i].id, cases[i].timestamp_s, cases[i].body, cases[i].header);
        signer_free(signer);
    }
}

/* Rotation: one signature a secret, in the set's order, each as if it were alone. */
static void test_several_secrets(void **state)
{
    struct signer *signer = new_signer(WHSK "\n" WHSEC);
    struct signer *reversed = new_signer(WHSEC "\n" WHSK);

    (void)state;
    check(signer, EXAMPLE_ID, EXAMPLE_S, EXAMPLE, EXAMPLE_V1A " " EXAMPLE_V1);
    check(reversed, EXAMPLE_ID, EXAMPLE_S, EXAMPLE, EXAMPLE_V1 " " EXAMPLE_V1A);
    signer_free(signer);
    signer_free(reversed);
}

static void test_messages_do_not_touch_each_other(void **state)
{
    struct signer *signer = new_signer(WHSEC "\n" WHSK);

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct buffer other;
        struct error error;

        buffer_init(&other, 4096);
        assert_true(signer_sign(signer, "other", i, "body", 4, &other, &error));
        check(signer, EXAMPLE_ID, EXAMPLE_S, EXAMPLE, EXAMPLE_V1 " " EXAMPLE_V1A);
        buffer_free(&other);
    }
    signer_free(signer);
}

/* The body is bytes with a length: a NUL in it is signed, no body is an empty one. */
static void test_bodies_are_bytes(void **state)
{
    struct signer *signer = new_signer(WHSEC "\n" WHSK);
    struct buffer with_nul, cut;
    struct error error;

    (void)state;
    buffer_init(&with_nul, 4096);
    buffer_init(&cut, 4096);
    assert_true(signer_sign(signer, "id", 1, "a\0b", 3, &with_nul, &error));
    assert_true(signer_sign(signer, "id", 1, "a", 1, &cut, &error));
    assert_string_not_equal(buffer_string(&with_nul), buffer_string(&cut));
    buffer_clear(&cut);
    assert_true(signer_sign(signer, "id", 1, NULL, 0, &cut, &error));
    check(signer, "id", 1, "", buffer_string(&cut));
    buffer_free(&with_nul);
    buffer_free(&cut);
    signer_free(signer);
}

static void test_a_full_set_fits(void **state)
{
    struct buffer secrets, out;
    struct signer *signer;
    struct error error;
    size_t length = (size_t)1 << 20;
    char *body = memory_new(length, 1);

    (void)state;
    buffer_init(&secrets, 4096);
    buffer_init(&out, SECRET_SET_MAX * (size_t)96);
    for (int i = 0; i < SECRET_SET_MAX; i++)
        buffer_append_string(&secrets, WHSK "\n");
    signer = new_signer(buffer_string(&secrets));
    memset(body, 'x', length);
    assert_true(signer_sign(signer, "id", INT64_MAX, body, length, &out, &error));
    /* 4 + 88 characters for each, and the spaces between. */
    assert_int_equal(out.length, SECRET_SET_MAX * 93 - 1);
    signer_free(signer);
    buffer_free(&secrets);
    buffer_free(&out);
    free(body);
}

static void test_a_header_that_does_not_fit_is_not_begun(void **state)
{
    struct signer *signer = new_signer(WHSEC "\n" WHSEC);
    struct buffer out;
    struct error error;

    (void)state;
    buffer_init(&out, 50);
    buffer_append_string(&out, "before");
    assert_false(signer_sign(signer, "id", 1, "{}", 2, &out, &error));
    assert_string_equal(buffer_string(&out), "before");
    assert_string_equal(error.message, "the signatures do not fit into the header");
    signer_free(signer);
    buffer_free(&out);
}

static void test_sets_that_cannot_sign(void **state)
{
    struct secret_set set = {0};
    struct error error;

    (void)state;
    assert_null(signer_new(&set, &error));
    assert_string_equal(error.message, "there is no secret to sign with");

    /* secret_parse() never makes such a key; what comes after it must not trust that. */
    assert_true(secret_set_parse(WHSEC "\n" WHSK, &set, &error));
    set.secrets[1].length = 31;
    assert_null(signer_new(&set, &error));
    assert_string_equal(error.message, "OpenSSL refuses secret 2 of 2");
    signer_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference_values),
        cmocka_unit_test(test_several_secrets),
        cmocka_unit_test(test_messages_do_not_touch_each_other),
        cmocka_unit_test(test_bodies_are_bytes),
        cmocka_unit_test(test_a_full_set_fits),
        cmocka_unit_test(test_a_header_that_does_not_fit_is_not_begun),
        cmocka_unit_test(test_sets_that_cannot_sign),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
