/* SPDX-License-Identifier: MIT */
#include "capture.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/memory.h"
#include "core/outcome.h"

/* Read by the sanitizer: an allocation that fails returns NULL, as it does without it. */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static char said[8192];

/* Runs bad in a child, leaves its last words in said, and returns the signal that ended it. */
static int signal_of(void (*bad)(void))
{
    struct capture capture = capture_begin();
    pid_t child = fork();
    int status = 0;

    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        signal(SIGABRT, SIG_DFL);
        bad();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    capture_end(capture, said, sizeof(said));
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void say_why(void)
{
    bug("state %d of %s", 7, "a lane");
}

static void name_no_result(void)
{
    attempt_result_name((enum attempt_result)ATTEMPT_RESULTS);
}

static void use_up_the_memory(void)
{
    free(memory_new((size_t)1 << 61, 16)); /* the product does not fit into a size_t */
}

static void test_a_bug_says_where_and_aborts(void **state)
{
    char *expected = memory_format("postrider: BUG at %s:", __FILE__);

    (void)state;
    assert_int_equal(signal_of(say_why), SIGABRT);
    assert_ptr_equal(strstr(said, expected), said);
    assert_non_null(strstr(said, ": state 7 of a lane\n"));
    free(expected);
}

static void test_no_such_enumerator(void **state)
{
    (void)state;
    assert_int_equal(signal_of(name_no_result), SIGABRT);
    assert_non_null(strstr(said, "no such attempt result: 7"));
}

static void test_no_memory(void **state)
{
    (void)state;
    assert_int_equal(signal_of(use_up_the_memory), SIGABRT);
    assert_non_null(strstr(said, "out of memory\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_bug_says_where_and_aborts),
        cmocka_unit_test(test_no_such_enumerator),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
