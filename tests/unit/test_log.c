/* SPDX-License-Identifier: MIT */
#include "capture.h"

#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/log.h"
#include "base/memory.h"

#define LINE_MAX_BYTES 8192
#define STAMP_BYTES    24 /* 2024-05-01T12:34:56.789Z */

/* Stands in for libsystemd's: the journal is what it was given last. */
static struct buffer journal;
static int journal_calls;
static int journal_answer;

int sd_journal_sendv(const struct iovec *parts, int count);

int sd_journal_sendv(const struct iovec *parts, int count)
{
    journal_calls++;
    buffer_clear(&journal);
    for (int i = 0; i < count; i++) {
        buffer_append(&journal, parts[i].iov_base, parts[i].iov_len);
        buffer_append(&journal, "\n", 1);
    }
    return journal_answer;
}

static char written[4 * LINE_MAX_BYTES];

/* Logs one line, leaves it in written, and returns a logfmt line from behind the time. */
static const char *logged(enum log_level level, const char *message, const struct log_field *fields)
{
    struct capture capture = capture_begin();

    log_fields(level, message, fields);
    capture_end(capture, written, sizeof(written));
    return strncmp(written, "time=", 5) == 0 ? written + 5 + STAMP_BYTES : written;
}

#define LOGGED(level, message, ...) \
    logged((level), (message),      \
           (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){NULL, NULL, 0}})

static void check_stamp(const char *stamp)
{
    static const char form[] = "dddd-dd-ddTdd:dd:dd.dddZ";

    for (int i = 0; i < STAMP_BYTES; i++) {
        bool is_digit = stamp[i] >= '0' && stamp[i] <= '9';

        check_case(form[i] == 'd' ? is_digit : stamp[i] == form[i], "%s", stamp);
    }
}

static void test_logfmt(void **state)
{
    (void)state;
    log_configure(LOG_LEVEL_DEBUG, LOG_FORMAT_LOGFMT);
    assert_string_equal(LOGGED(LOG_LEVEL_INFO, "started"), " level=info msg=started\n");
    check_stamp(written + 5);
    assert_string_equal(LOGGED(LOG_LEVEL_DEBUG, "two words", LOG_NUMBER("n", -5)),
                        " level=debug msg=\"two words\" n=-5\n");
    assert_string_equal(LOGGED(LOG_LEVEL_ERROR, "m", LOG_TEXT("delivery", "0f8fad5b-d9cd"),
                               LOG_NUMBER("most", INT64_MIN), LOG_TEXT("url", "https://a.b/c")),
                        " level=error msg=m delivery=0f8fad5b-d9cd most=-9223372036854775808 "
                        "url=https://a.b/c\n");
    assert_string_equal(LOGGED(LOG_LEVEL_WARNING, "m", LOG_TEXT("a", NULL), LOG_TEXT("b", "")),
                        " level=warning msg=m a=\"\" b=\"\"\n");
}

static void test_logfmt_escapes(void **state)
{
    static const struct {
        const char *value, *expected;
    } cases[] = {
        {"plain", "plain"},
        {"é€😀", "é€😀"},
        {"a b", "\"a b\""},
        {"a=b", "\"a=b\""},
        {"say \"hi\"", "\"say \\\"hi\\\"\""},
        {"C:\\new", "\"C:\\\\new\""},
        {"a\nb", "\"a\\nb\""},
        {"a\r\tb", "\"a\\u000d\\u0009b\""},
        {"\x1b[31mred", "\"\\u001b[31mred\""},
        {"\x7f", "\"\\u007f\""},
        /* C1 control characters, of which U+009B begins a terminal's command. */
        {"\xc2\x9b"
         "31m",
         "\"\\u009b31m\""},
        {"\xc2\x80", "\"\\u0080\""},
        {"\xc2\x9f", "\"\\u009f\""},
        {"\t", "\"\\u0009\""},
        {"\xc2\xa0", "\xc2\xa0"},
        {"\xff", "\xef\xbf\xbd"},
        {"caf\xe9 au lait", "\"caf\xef\xbf\xbd au lait\""},
        {"\n fake=line", "\"\\n fake=line\""},
    };

    (void)state;
    log_configure(LOG_LEVEL_DEBUG, LOG_FORMAT_LOGFMT);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const char *line = LOGGED(LOG_LEVEL_INFO, "m", LOG_TEXT("k", cases[i].value));
        char expected[200];

        snprintf(expected, sizeof(expected), " level=info msg=m k=%s\n", cases[i].expected);
        assert_string_equal(line, expected);
    }
}

static void test_levels(void **state)
{
    (void)state;
    for (int minimum = LOG_LEVEL_DEBUG; minimum <= LOG_LEVEL_ERROR; minimum++) {
        log_configure((enum log_level)minimum, LOG_FORMAT_LOGFMT);
        for (int level = LOG_LEVEL_DEBUG; level <= LOG_LEVEL_ERROR; level++) {
            LOGGED((enum log_level)level, "m");
            assert_int_equal(log_is_enabled((enum log_level)level), level >= minimum);
            assert_int_equal(*written != '\0', level >= minimum);
        }
    }
}

/* Reads written as one JSON object on one line. */
static json_t *read_object(void)
{
    json_error_t error;
    json_t *object = json_loads(written, JSON_REJECT_DUPLICATES, &error);

    check_case(object != NULL, "%s: %s", error.text, written);
    assert_true(json_is_object(object));
    assert_ptr_equal(strchr(written, '\n'), written + strlen(written) - 1);
    return object;
}

static const char *member(json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL ? text : "(none)";
}

static void test_json(void **state)
{
    json_t *object;

    (void)state;
    log_configure(LOG_LEVEL_DEBUG, LOG_FORMAT_JSON);
    LOGGED(LOG_LEVEL_WARNING, "say \"hi\"", LOG_TEXT("delivery", "a\"b\\c\n\x01\xc2\x9b"),
           LOG_NUMBER("attempt", 3), LOG_NUMBER("least", INT64_MIN), LOG_TEXT("nothing", NULL),
           LOG_TEXT("latin", "caf\xe9!"));
    object = read_object();
    check_stamp(member(object, "time"));
    assert_string_equal(member(object, "level"), "warning");
    assert_string_equal(member(object, "message"), "say \"hi\"");
    assert_string_equal(member(object, "delivery"), "a\"b\\c\n\x01\xc2\x9b");
    assert_int_equal(json_integer_value(json_object_get(object, "attempt")), 3);
    assert_int_equal(json_integer_value(json_object_get(object, "least")), INT64_MIN);
    assert_string_equal(member(object, "nothing"), "");
    assert_string_equal(member(object, "latin"), "caf\xef\xbf\xbd!");
    assert_int_equal(json_object_size(object), 8);
    json_decref(object);

    LOGGED(LOG_LEVEL_INFO, "alone");
    object = read_object();
    assert_int_equal(json_object_size(object), 3);
    json_decref(object);
}

/* The texts that grow most when escaped, at and around the length at which they are cut. */
static const char *const grow_by[] = {"x", "\x01", "\"", "\xff", "\xc2\x9b", "é", "€", "😀"};

static char *repeat(const char *piece, size_t bytes)
{
    struct buffer text;

    buffer_init(&text, bytes);
    while (buffer_append_string(&text, piece))
        continue;
    return buffer_take(&text);
}

static void test_long_lines_stay_whole(void **state)
{
    static const enum log_format formats[] = {LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON};
    static const size_t lengths[] = {1000, 1021, 1022, 1023, 1024, 1025, 1026, 100000};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(grow_by) * ARRAY_LENGTH(lengths) * 2; i++) {
        const char *piece = grow_by[i % ARRAY_LENGTH(grow_by)];
        size_t bytes = lengths[i / ARRAY_LENGTH(grow_by) % ARRAY_LENGTH(lengths)];
        enum log_format format = formats[i / ARRAY_LENGTH(grow_by) / ARRAY_LENGTH(lengths)];
        char *text = repeat(piece, bytes);

        log_configure(LOG_LEVEL_DEBUG, format);
        /* One long text is always shown, however much it grows; more of them may not be. */
        LOGGED(LOG_LEVEL_INFO, "m", LOG_TEXT("long", text), LOG_TEXT("last", "here"));
        check_case(strstr(written, "here") != NULL, "%s: %s", piece, written);
        check_case(strstr(written, "cut") == NULL, "%s: %s", piece, written);
        check_case((strstr(written, "…") != NULL) == (strlen(text) > 1024), "%s, %zu: %s", piece,
                   strlen(text), written);
        LOGGED(LOG_LEVEL_INFO, text, LOG_TEXT("a", text), LOG_TEXT("b", text), LOG_TEXT("c", text),
               LOG_TEXT("d", text), LOG_TEXT("e", text), LOG_TEXT("f", text), LOG_TEXT("g", text),
               LOG_TEXT("h", text), LOG_NUMBER("last", 42));
        check_case(strlen(written) <= LINE_MAX_BYTES + 1, "%s: %zu", piece, strlen(written));
        check_case(written[strlen(written) - 1] == '\n', "%s: %s", piece, written);
        if (format == LOG_FORMAT_JSON) {
            json_t *object = read_object();

            check_case(json_is_true(json_object_get(object, "cut")), "%s: %s", piece, written);
            assert_int_equal(json_integer_value(json_object_get(object, "last")), 42);
            json_decref(object);
        } else {
            check_case(strstr(written, " last=42 cut=yes\n") != NULL, "%s: %s", piece, written);
        }
        free(text);
    }
}

/* A line of any length up to the limit, one byte at a time, so that its end meets it exactly. */
static void test_every_length_of_a_line(void **state)
{
    (void)state;
    log_configure(LOG_LEVEL_DEBUG, LOG_FORMAT_JSON);
    for (size_t bytes = 0; bytes <= 1024; bytes++) {
        char *text = repeat("x", bytes);
        char *full = repeat("y", 1024);

        LOGGED(LOG_LEVEL_INFO, "m", LOG_TEXT("a", full), LOG_TEXT("b", full), LOG_TEXT("c", full),
               LOG_TEXT("d", full), LOG_TEXT("e", full), LOG_TEXT("f", full), LOG_TEXT("g", full),
               LOG_TEXT("h", text));
        assert_true(strlen(written) <= LINE_MAX_BYTES + 1);
        json_decref(read_object());
        free(text);
        free(full);
    }
}

/* As systemd does: JOURNAL_STREAM names the file that standard error is. */
static void configure_auto(bool is_journal)
{
    struct stat status;
    char *stream;

    assert_int_equal(fstat(STDERR_FILENO, &status), 0);
    stream = memory_format("%ju:%ju", (uintmax_t)status.st_dev,
                           (uintmax_t)status.st_ino + (is_journal ? 0 : 1));
    setenv("JOURNAL_STREAM", stream, 1);
    free(stream);
    log_configure(LOG_LEVEL_DEBUG, LOG_FORMAT_AUTO);
    unsetenv("JOURNAL_STREAM");
}

static void test_journal(void **state)
{
    (void)state;
    journal_answer = 0;
    configure_auto(true);
    LOGGED(LOG_LEVEL_ERROR, "delivery failed", LOG_TEXT("last_error", "a\nb \xff"),
           LOG_NUMBER("attempt", 3), LOG_TEXT("a_z", NULL));
    assert_string_equal(written, "");
    assert_string_equal(buffer_string(&journal), "MESSAGE=delivery failed last_error=\"a\\nb "
                                                 "\xef\xbf\xbd\" attempt=3 "
                                                 "a_z=\"\"\n"
                                                 "PRIORITY=3\n"
                                                 "LAST_ERROR=a\nb \xef\xbf\xbd\n"
                                                 "ATTEMPT=3\n"
                                                 "A_Z=\n");
    LOGGED(LOG_LEVEL_DEBUG, "m");
    assert_string_equal(buffer_string(&journal), "MESSAGE=m\nPRIORITY=7\n");
    LOGGED(LOG_LEVEL_INFO, "m");
    assert_string_equal(buffer_string(&journal), "MESSAGE=m\nPRIORITY=6\n");
    LOGGED(LOG_LEVEL_WARNING, "m");
    assert_string_equal(buffer_string(&journal), "MESSAGE=m\nPRIORITY=4\n");
}

static void test_journal_limits(void **state)
{
    struct log_field many[26];
    char keys[ARRAY_LENGTH(many)][6];
    char *text = repeat("\x01", 2000);
    const char *field;
    int fields = 0;

    (void)state;
    configure_auto(true);
    for (size_t i = 0; i < ARRAY_LENGTH(many) - 1; i++) {
        snprintf(keys[i], sizeof(keys[i]), "key_%c", (char)('a' + i));
        many[i] = LOG_TEXT(keys[i], text);
    }
    many[ARRAY_LENGTH(many) - 1] = (struct log_field){NULL, NULL, 0};
    logged(LOG_LEVEL_INFO, "m", many);
    for (field = buffer_string(&journal); (field = strstr(field, "\nKEY_")) != NULL; field++)
        fields++;
    assert_int_equal(fields, 24);
    assert_non_null(strstr(buffer_string(&journal), " cut=yes\nPRIORITY"));
    free(text);
}

static void test_a_journal_that_refuses(void **state)
{
    (void)state;
    configure_auto(true);
    journal_answer = -1;
    assert_string_equal(LOGGED(LOG_LEVEL_INFO, "m", LOG_NUMBER("n", 1), LOG_TEXT("t", "x")),
                        " level=info msg=m n=1 t=x\n");
    journal_answer = 0;
}

static void test_where_there_is_no_journal(void **state)
{
    (void)state;
    journal_calls = 0;
    configure_auto(false);
    assert_string_equal(LOGGED(LOG_LEVEL_INFO, "m"), " level=info msg=m\n");
    log_configure(LOG_LEVEL_DEBUG, LOG_FORMAT_AUTO);
    assert_string_equal(LOGGED(LOG_LEVEL_INFO, "m"), " level=info msg=m\n");
    assert_int_equal(journal_calls, 0);
    /* Asked for by name: used where its socket is, and nothing is lost where it is not. */
    log_configure(LOG_LEVEL_DEBUG, LOG_FORMAT_JOURNAL);
    LOGGED(LOG_LEVEL_INFO, "m");
    assert_int_equal(journal_calls, access("/run/systemd/journal/socket", F_OK) == 0);
    assert_int_equal(*written == '\0', journal_calls);
}

static void test_a_closed_standard_error_is_borne(void **state)
{
    struct capture capture = capture_begin();

    (void)state;
    log_configure(LOG_LEVEL_DEBUG, LOG_FORMAT_LOGFMT);
    close(STDERR_FILENO);
    log_event(LOG_LEVEL_INFO, "nobody hears this");
    setenv("JOURNAL_STREAM", "1:1", 1);
    log_configure(LOG_LEVEL_DEBUG, LOG_FORMAT_AUTO);
    unsetenv("JOURNAL_STREAM");
    log_event(LOG_LEVEL_INFO, "nor this");
    capture_end(capture, written, sizeof(written));
    assert_string_equal(written, "");
}

/* Whether the log refuses these keys, as a bug of who chose them. */
static bool aborts_for(const char *key, const char *other)
{
    struct capture capture = capture_begin();
    pid_t child = fork();
    int status = 0;

    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        signal(SIGABRT, SIG_DFL);
        log_event(LOG_LEVEL_INFO, "m", LOG_NUMBER(key, 1), LOG_NUMBER(other, 2));
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    capture_end(capture, written, sizeof(written));
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void test_a_key_stands_once_and_is_its_own(void **state)
{
    static const char *const bad[] = {"time", "level", "msg", "message", "priority",
                                      "cut",  "a b",   "a=b", "Upper",   "_first",
                                      "n1",   "url",   "ä",   "a-b"};

    (void)state;
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
    assert_false(aborts_for("error", "url"));
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        check_case(aborts_for(bad[i], "url"), "%s", bad[i]);
    assert_false(aborts_for("", "url"));
}

static int set_up(void **state)
{
    (void)state;
    buffer_init(&journal, (size_t)1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buffer_free(&journal);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logfmt),
        cmocka_unit_test(test_logfmt_escapes),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_long_lines_stay_whole),
        cmocka_unit_test(test_every_length_of_a_line),
        cmocka_unit_test(test_journal),
        cmocka_unit_test(test_journal_limits),
        cmocka_unit_test(test_a_journal_that_refuses),
        cmocka_unit_test(test_where_there_is_no_journal),
        cmocka_unit_test(test_a_closed_standard_error_is_borne),
        cmocka_unit_test(test_a_key_stands_once_and_is_its_own),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
