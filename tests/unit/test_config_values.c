/* SPDX-License-Identifier: MIT */
/*
 * What a right configuration means, and how it is shown again.
 */
#include "config_file.h"
#include "crl.h"
#include "unit.h"

#include <jansson.h>
#include <math.h>
#include <sys/stat.h>

#include "config/options.h"
#include "config/redact.h"
#include "config/render.h"
#include "config/rules.h"
#include "config/show.h"
#include "config/values.h"

static char *shown_yaml(const struct config *config)
{
    struct buffer out;

    buffer_init(&out, SHOW_MAX_BYTES);
    show_append_yaml(config, &out);
    return buffer_take(&out);
}

static char *shown_value(const struct config *config, const struct config_option *option)
{
    struct buffer out;

    buffer_init(&out, SHOW_MAX_BYTES);
    render_value(config, option, &out);
    return buffer_take(&out);
}

static void assert_is_default(const struct config *config)
{
    for (size_t i = 0; i < option_count; i++) {
        char *value = shown_value(config, &option_table[i]);

        if (strcmp(value, option_table[i].default_text) != 0)
            fail_msg("%s: %s is not %s", option_table[i].key, value, option_table[i].default_text);
        free(value);
    }
}

static void test_defaults(void **state)
{
    struct config *config = config_new_default();

    (void)state;
    assert_is_default(config);
    assert_string_equal(config->database.url, "postgresql:///postrider");
    assert_int_equal(config->worker.max_in_flight, 1024);
    assert_int_equal(config->worker.max_buffered_bytes, 256 << 20);
    assert_int_equal(config->delivery.timeout_ms, 10000);
    assert_int_equal(config->retry.max_attempts, 20);
    assert_true(config->retry.multiplier == 2);
    assert_int_equal(config->retry.schedule_length, 0);
    assert_int_equal(config->retry.statuses_length, 3);
    assert_int_equal(config->retry.statuses[2], 429);
    assert_int_equal(config->attempt_log, ATTEMPT_LOG_FAILURES);
    assert_int_equal(config->log.level, LOG_LEVEL_INFO);
    assert_int_equal(config->log.format, LOG_FORMAT_AUTO);
    for (size_t i = 0; i < option_count; i++)
        assert_false(config->is_set[i]);
    config_free(config);
}

/* Files that say nothing. */
static void test_empty_files(void **state)
{
    static const char *const texts[] = {"",
                                        "\n\n",
                                        "# nothing\n",
                                        "---\n",
                                        "--- ~\n...\n",
                                        "{}",
                                        "null",
                                        "worker:",
                                        "worker: {}\nlog: ~",
                                        "endpoint: {}",
                                        "http:\nalerts:\n",
                                        "\xEF\xBB\xBF# a byte order mark\n"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct config *config = load_text(texts[i]);

        assert_is_default(config);
        assert_string_equal(config->file, "c.yaml");
        config_free(config);
    }
}

/* The sample has every key, with its default; so has the one that the fuzzer learns the keys of. */
static void test_sample(void **state)
{
    static const char *const samples[] = {"config.yaml", "tests/fuzz/config/sample"};

    (void)state;
    for (size_t n = 0; n < ARRAY_LENGTH(samples); n++) {
        struct config_mistakes mistakes;
        struct config *config;
        char path[4096];

        snprintf(path, sizeof(path), TEST_SOURCE_DIR "/%s", samples[n]);
        config = config_load(path, &mistakes);
        if (config == NULL)
            fail_msg("%s: %s", samples[n], mistakes.lines[0]);
        assert_is_default(config);
        for (size_t i = 0; i < option_count; i++)
            if (!config->is_set[i])
                fail_msg("%s has no %s", samples[n], option_table[i].key);
        config_free(config);
    }
}

struct row {
    const char *text;
    const char *key;
    const char *value; /* as it is shown */
};

static void test_values(void **state)
{
    static const struct row rows[] = {
        {"database: {url: ''}", "database.url", "\"\""},
        {"database: {url: 'host=/tmp dbname=x'}", "database.url", "\"host=/tmp dbname=x\""},
        {"database: {url: 'postgresql://u:p%2Fq@a:1,[::1]:2/d?connect_timeout=3'}", "database.url",
         "\"postgresql://u:***@a:1,[::1]:2/d?connect_timeout=3\""},
        {"database: {url: postgres://u@h/d}", "database.url", "\"postgres://u@h/d\""},
        {"database: {url: 'application_name=a://b host=h'}", "database.url",
         "\"application_name=a://b host=h\""},
        {"database: {schema: a123456789a123456789a123456789a123456789a123456789a123456789abc}",
         "database.schema", "\"a123456789a123456789a123456789a123456789a123456789a123456789abc\""},
        {"database: {schema: ''}", "database.schema", "\"\""},
        {"database: {schema: \"\\u00e9 'a' \\\"b\\\" \\\\\"}", "database.schema",
         "\"\xC3\xA9 'a' \\\"b\\\" \\\\\""},
        {"database: {schema: '5'}", "database.schema", "\"5\""},
        {"database: {schema: yes}", "database.schema", "\"yes\""},
        {"\"worker\": {\"max_in_flight\": 65536}", "worker.max_in_flight", "65536"},
        {"worker: {max_in_flight: +7}", "worker.max_in_flight", "7"},
        {"worker: {max_in_flight: 007}", "worker.max_in_flight", "7"},
        {"worker: {max_buffered: 1048576}", "worker.max_buffered", "1MiB"},
        {"worker: {max_buffered: '64GiB'}", "worker.max_buffered", "64GiB"},
        {"worker: {max_buffered: 1025KiB}", "worker.max_buffered", "1025KiB"},
        {"worker: {drain_timeout: 0}", "worker.drain_timeout", "0"},
        {"worker: {drain_timeout: 0s}", "worker.drain_timeout", "0"},
        {"worker: {lease: \"90s\"}", "worker.lease", "90s"},
        {"worker: {lease: 120s}", "worker.lease", "2m"},
        {"retry: {multiplier: 1}", "retry.multiplier", "1"},
        {"retry: {multiplier: 1.50}", "retry.multiplier", "1.5"},
        {"retry: {multiplier: +1e1}", "retry.multiplier", "10"},
        {"retry: {jitter: .3}", "retry.jitter", "0.3"},
        {"retry: {jitter: 1.}", "retry.jitter", "1"},
        {"retry: {jitter: 0.1234567890123456}", "retry.jitter", "0.1234567890123456"},
        {"retry: {schedule: [5s, 5s, '5m', 30m]}", "retry.schedule", "[5s, 5s, 5m, 30m]"},
        {"retry: {schedule: [1ms, 365d]}", "retry.schedule", "[1ms, 365d]"},
        {"retry:\n  retry_statuses:\n  - 300\n  - 404\n  - 599\n", "retry.retry_statuses",
         "[300, 404, 599]"},
        {"retry: {retry_statuses: []}", "retry.retry_statuses", "[]"},
        {"retry: {max_delay: 365d, initial_delay: 365d}", "retry.initial_delay", "365d"},
        {"network: {allow: ['10.0.0.0/8:8080', 10.0.0.0/8, '[::1]:443']}", "network.allow",
         "[\"10.0.0.0/8:8080\", \"10.0.0.0/8\", \"::1/128:443\"]"},
        {"network: {allow: [10.0.0.0/8, 192.0.2.7, 'fd00::/8', '::1']}", "network.allow",
         "[\"10.0.0.0/8\", \"192.0.2.7/32\", \"fd00::/8\", \"::1/128\"]"},
        {"network: {allow: [10.0.0.0/8, 'a00::/8', 10.0.0.0/16, 'fd00::1', 'fd00::2']}",
         "network.allow",
         "[\"10.0.0.0/8\", \"a00::/8\", \"10.0.0.0/16\", \"fd00::1/128\", \"fd00::2/128\"]"},
        {"network: {https_only: TRUE}", "network.https_only", "true"},
        {"network: {https_only: True}", "network.https_only", "true"},
        {"network: {https_only: False}", "network.https_only", "false"},
        {"network: {proxy: 'http://p'}", "network.proxy", "\"http://p\""},
        {"network: {proxy: 'HTTPS://[::1]:3128/'}", "network.proxy", "\"HTTPS://[::1]:3128/\""},
        {"network: {proxy: 'socks5://u:hunter2@p:1080'}", "network.proxy",
         "\"socks5://u:***@p:1080\""},
        {"network: {source_address: eth0.100}", "network.source_address", "\"eth0.100\""},
        {"network: {source_address: 192.0.2.7}", "network.source_address", "\"192.0.2.7\""},
        {"network: {source_address: '2001:db8::7'}", "network.source_address", "\"2001:db8::7\""},
        {"attempt_log: \"none\"", "attempt_log", "none"},
        {"attempt_log: all", "attempt_log", "all"},
        {"retention: {delivered: 0, failed: 36500d}", "retention.delivered", "0"},
        {"retention: {events: 400d}", "retention.events", "400d"},
        {"retention: {payload: 30d}", "retention.payload", "30d"},
        {"retention: {idempotency_keys: 90m}", "retention.idempotency_keys", "90m"},
        {"retention: {history: 400d}", "retention.history", "400d"},
        {"metrics: {listen: ''}", "metrics.listen", "\"\""},
        {"metrics: {listen: '[::]:9464'}", "metrics.listen", "\"[::]:9464\""},
        {"http: {listen: '0.0.0.0:80'}", "http.listen", "\"0.0.0.0:80\""},
        {"http: {listen: '[::1]:0'}", "http.listen", "\"[::1]:0\""},
        {"http: {listen: 'unix:/run/a b'}", "http.listen", "\"unix:/run/a b\""},
        {"http: {customers_role: 'Kunden \"1\"'}", "http.customers_role", "\"Kunden \\\"1\\\"\""},
        {"http: {hosts: [a.example, '[::1]', 10.0.0.1]}", "http.hosts",
         "[\"a.example\", \"[::1]\", \"10.0.0.1\"]"},
        {"http: {hosts: []}", "http.hosts", "[]"},
        {"alerts: {enabled: always}", "alerts.enabled", "always"},
        {"alerts: {url: 'https://ops.example/hook', customer: "
         "018f3c5e-7d1a-7c3e-9b1f-2a6d4c8e0f35}",
         "alerts.url", "\"https://ops.example/hook\""},
        {"alerts: {interval: 100ms}", "alerts.interval", "100ms"},
        {"alerts: {remind: 0}", "alerts.remind", "0"},
        {"alerts: {dead_letters: 10000, window: 30d}", "alerts.dead_letters", "10000"},
        {"alerts: {oldest_due: 1m}", "alerts.oldest_due", "1m"},
        {"alerts: {oldest_due_receiver: 1d}", "alerts.oldest_due_receiver", "1d"},
        {"alerts: {unowned_lanes: 0, database: 0}", "alerts.database", "0"},
        {"alerts: {endpoints: false, blocked_keys: false, audit: false}", "alerts.audit", "false"},
        {"http: {max_body: 64MiB}", "http.max_body", "64MiB"},
        {"http: {max_connections: 1}", "http.max_connections", "1"},
        {"log: {level: debug, format: journal}", "log.format", "journal"},
        {"tracing: {url: 'http://127.0.0.1:4318/v1/traces'}", "tracing.url",
         "\"http://127.0.0.1:4318/v1/traces\""},
        {"tracing: {headers: {Authorization: hunter2}}", "tracing.headers",
         "{\"Authorization\": \"***\"}"},
        {"tracing: {sample: 0.01}", "tracing.sample", "0.01"},
        {"delivery: {headers: {}}", "delivery.headers", "{}"},
        {"delivery: {headers: {X-A: hunter2, X-B: \"a\\tb\", X-C: ''}}", "delivery.headers",
         "{\"X-A\": \"***\", \"X-B\": \"***\", \"X-C\": \"***\"}"},
        /* it follows the time-out down */
        {"delivery: {timeout: 3s}", "delivery.connect_timeout", "3s"},
        {"delivery: {timeout: 30s}", "delivery.connect_timeout", "5s"},
        {"delivery: {connect_timeout: 3s, timeout: 3s}", "delivery.connect_timeout", "3s"},
        {"%YAML 1.2\n---\nlog:\n  level:\twarning\n...\n", "log.level", "warning"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct config *config = load_text(rows[i].text);
        char *value = shown_value(config, option_find(rows[i].key));

        assert_string_equal(value, rows[i].value);
        free(value);
        config_free(config);
    }
}

static void test_fields(void **state)
{
    struct config *config =
        load_text("delivery: {headers: {X-A: one, x-b: \"two\"}}\n"
                  "network: {allow: [10.0.0.0/8, 'fd00::/8'], https_only: true}\n"
                  "retry: {max_attempts: 3, schedule: [5s, 1m], retry_statuses: [404]}\n"
                  "retention: {delivered: 0}\nlog: {level: error, format: json}\n");

    (void)state;
    assert_int_equal(config->delivery.headers.count, 2);
    assert_string_equal(config->delivery.headers.list[0].name, "X-A");
    assert_string_equal(config->delivery.headers.list[0].value, "one");
    assert_string_equal(config->delivery.headers.list[1].name, "x-b");
    assert_string_equal(config->delivery.headers.list[1].value, "two");
    assert_int_equal(config->network.allow_count, 2);
    assert_false(config->network.allow[0].address.is_ipv6);
    assert_int_equal(config->network.allow[0].address.bytes[0], 10);
    assert_true(config->network.allow[1].address.is_ipv6);
    assert_int_equal(config->network.allow[1].prefix_bits, 8);
    assert_true(config->network.https_only);
    assert_int_equal(config->retry.max_attempts, 3);
    assert_int_equal(config->retry.schedule_length, 2);
    assert_int_equal(config->retry.schedule_ms[1], 60000);
    assert_int_equal(config->retry.statuses_length, 1);
    assert_int_equal(config->retry.statuses[0], 404);
    assert_int_equal(config->retention.delivered_ms, 0);
    assert_int_equal(config->retention.failed_ms, INT64_C(30) * 86400000);
    assert_int_equal(config->retention.events_ms, INT64_C(30) * 86400000);
    assert_int_equal(config->log.level, LOG_LEVEL_ERROR);
    assert_int_equal(config->log.format, LOG_FORMAT_JSON);
    config_free(config);
}

static const char secret_a[] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n";
static const char secret_b[] = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n";

static size_t count_secrets(const char *config_file)
{
    struct config_mistakes mistakes;
    struct config *config = config_load(config_file, &mistakes);
    size_t count;

    if (config == NULL)
        fail_msg("%s", mistakes.lines[0]);
    count = config->signing.secrets.count;
    assert_string_equal(config->signing.secret_file, "secrets");
    config_free(config);
    return count;
}

/* A relative name: systemd's credentials first, then beside the configuration file. */
static void test_secret_file_places(void **state)
{
    const char *directory = *state;
    char *credentials = memory_format("%s/credentials", directory);
    char *both = memory_format("# rotated\n\n%s%s", secret_a, secret_b);
    char *absolute = memory_format("%s/etc/c.yaml", directory);

    assert_int_equal(mkdir("etc", 0700), 0);
    assert_int_equal(mkdir("credentials", 0700), 0);
    write_file("etc/c.yaml", "signing: {secret_file: secrets}");
    write_file("etc/secrets", secret_a);
    assert_int_equal(count_secrets("etc/c.yaml"), 1);
    assert_int_equal(count_secrets(absolute), 1);
    setenv("CREDENTIALS_DIRECTORY", credentials, 1);
    assert_int_equal(count_secrets("etc/c.yaml"), 1);
    write_file("credentials/secrets", both);
    assert_int_equal(count_secrets("etc/c.yaml"), 2);
    setenv("CREDENTIALS_DIRECTORY", "", 1);
    assert_int_equal(count_secrets("etc/c.yaml"), 1);
    unsetenv("CREDENTIALS_DIRECTORY");
    free(credentials);
    free(both);
    free(absolute);
}

/* Of another kind or length they are others. */
static void test_secrets_that_look_alike(void **state)
{
    struct config *config;

    (void)state;
    write_file("secrets", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
                          "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
                          "whsk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
    config = load_text("signing: {secret_file: secrets}");
    assert_int_equal(config->signing.secrets.count, 3);
    config_free(config);
}

static void test_ca_file_place(void **state)
{
    const char *directory = *state;
    char *text = memory_format("network: {ca_file: %s/ca.pem}", directory);
    char *path = memory_format("%s/ca.pem", directory);
    struct config_mistakes mistakes;
    struct config *config;

    write_file("ca.pem", "-----BEGIN CERTIFICATE-----\n");
    config = load_text("network: {ca_file: ca.pem}");
    assert_string_equal(config->network.ca_file, "ca.pem");
    config_free(config);
    config = load_text(text);
    assert_string_equal(config->network.ca_file, path);
    config_free(config);
    assert_int_equal(mkdir("ca", 0700), 0);
    write_file("ca/ca.pem", "-----BEGIN TRUSTED CERTIFICATE-----\n");
    write_file("ca/c.yaml", "network: {ca_file: ca.pem}");
    config = config_load("ca/c.yaml", &mistakes);
    assert_non_null(config);
    assert_string_equal(config->network.ca_file, "ca/ca.pem");
    config_free(config);
    write_file("ca/c.yaml", text);
    config = config_load("ca/c.yaml", &mistakes);
    assert_non_null(config);
    assert_string_equal(config->network.ca_file, path);
    config_free(config);
    free(text);
    free(path);
}

/* --- shown again --- */

static const char full_text[] =
    "database: {url: 'postgresql://u:hunter2@h:5432/d?sslpassword=hunter2'}\n"
    "worker: {max_in_flight: 7, lease: 15s}\n"
    "delivery: {timeout: 3s, headers: {Authorization: Bearer hunter2}}\n"
    "retry: {schedule: [5s, 5m]}\n"
    "signing: {secret_file: secrets, key_file: keys}\n"
    "network: {allow: [10.0.0.0/8], proxy: 'http://u:hunter2@p'}\n";

static void write_secret_files(void)
{
    write_file("secrets", secret_a);
    write_file("keys", "b ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=\n"
                       "a AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n");
}

static void test_show_yaml(void **state)
{
    static const char *const lines[] = {
        "database:\n"
        "  url: \"postgresql://u:***@h:5432/d?sslpassword=***\" # set, default "
        "\"postgresql:///postrider\"\n",
        "  max_in_flight: 7                          # set, default 1024\n",
        "  lease: 15s                                # set to its default\n",
        "  max_buffered: 256MiB                      # default\n",
        "  connect_timeout: 3s                       # default 5s, limited by another option\n",
        "  headers: {\"Authorization\": \"***\"}         # set, default {}\n",
        "  schedule: [5s, 5m]                        # set, default []\n",
        "  secret_file: \"secrets\"                    # set, default \"\", 1 secret\n",
        "  key_file: \"keys\"                          # set, default \"\", 2 keys\n",
        "  allow: [\"10.0.0.0/8\"]                     # set, default []\n",
        "  proxy: \"http://u:***@p\"                   # set, default \"\"\n",
        "\nattempt_log: failures                       # default\nretention:\n",
    };
    struct config *config;
    char *yaml;

    (void)state;
    write_secret_files();
    config = load_text(full_text);
    yaml = shown_yaml(config);
    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++)
        if (strstr(yaml, lines[i]) == NULL)
            fail_msg("not there: %s\nin\n%s", lines[i], yaml);
    assert_null(strstr(yaml, "hunter2"));
    assert_null(strstr(yaml, "MfKQ9r8G"));
    assert_null(strstr(yaml, "ICEiIyQl"));
    free(yaml);
    config_free(config);
}

/* What is shown can be loaded again, and is then shown with the same values. */
static void test_show_yaml_loads(void **state)
{
    struct config *first;
    struct config *second;
    char *yaml;

    (void)state;
    write_secret_files();
    first = load_text(full_text);
    yaml = shown_yaml(first);
    second = load_text(yaml);
    for (size_t i = 0; i < option_count; i++) {
        char *a = shown_value(first, &option_table[i]);
        char *b = shown_value(second, &option_table[i]);

        assert_string_equal(a, b);
        free(a);
        free(b);
    }
    free(yaml);
    config_free(first);
    config_free(second);
}

static json_t *shown_json(const struct config *config)
{
    struct buffer out;
    json_t *json;

    buffer_init(&out, SHOW_MAX_BYTES);
    show_append_json(config, &out);
    assert_null(strstr(buffer_string(&out), "hunter2"));
    json = json_loads(buffer_string(&out), JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(json);
    buffer_free(&out);
    return json;
}

static void test_show_json(void **state)
{
    struct config *config;
    json_t *json;
    json_t *expected;

    (void)state;
    write_secret_files();
    config = load_text(full_text);
    json = shown_json(config);
    expected =
        json_pack("[s,s,s,s,s,s,s,s,s,s]", "database.url", "worker.max_in_flight", "worker.lease",
                  "delivery.timeout", "delivery.headers", "retry.schedule", "signing.secret_file",
                  "signing.key_file", "network.allow", "network.proxy");
    assert_true(json_equal(json_object_get(json, "set"), expected));
    json_decref(expected);
    assert_string_equal(json_string_value(json_object_get(json, "file")), "c.yaml");
    assert_int_equal(json_integer_value(json_object_get(json, "secrets")), 1);
    assert_int_equal(json_integer_value(json_object_get(json, "keys")), 2);
    expected = json_pack("{s:i, s:f, s:i, s:s, s:s, s:[ss], s:[iii]}", "max_attempts", 20, "jitter",
                         0.1, "multiplier", 2, "initial_delay", "1s", "max_delay", "4h", "schedule",
                         "5s", "5m", "retry_statuses", 408, 425, 429);
    assert_true(json_equal(json_object_get(json_object_get(json, "config"), "retry"), expected));
    json_decref(expected);
    expected =
        json_pack("{s:[s], s:b, s:s, s:s, s:s, s:s, s:s, s:s}", "allow", "10.0.0.0/8", "https_only",
                  0, "proxy", "http://u:***@p", "source_address", "", "connection_lifetime", "2m",
                  "ca_file", "", "crl_file", "", "client_certificates", "");
    assert_true(json_equal(json_object_get(json_object_get(json, "config"), "network"), expected));
    json_decref(expected);
    json_decref(json);
    config_free(config);
}

static void test_show_json_odd_file(void **state)
{
    struct config_mistakes mistakes;
    struct config *config;
    json_t *json;

    (void)state;
    write_file("\xFF.yaml", "retention: {failed: 0}");
    config = config_load("\xFF.yaml", &mistakes);
    assert_non_null(config);
    json = shown_json(config);
    assert_true(json_is_null(json_object_get(json, "file")));
    json_decref(json);
    config_free(config);
}

static void test_redact(void **state)
{
    static const struct {
        const char *url;
        const char *shown;
    } rows[] = {
        {"", ""},
        {"postgresql:///postrider", "postgresql:///postrider"},
        {"postgresql://h:5432/d", "postgresql://h:5432/d"},
        {"postgresql://u@h/d", "postgresql://u@h/d"},
        {"postgresql://u:p@h:1/d?a=b", "postgresql://u:***@h:1/d?a=b"},
        {"postgresql://u:@h/d", "postgresql://u:***@h/d"},
        {"postgresql://:p@h/d", "postgresql://:***@h/d"},
        {"postgresql://u:p@a:1,b:2/d", "postgresql://u:***@a:1,b:2/d"},
        {"postgresql://u:p:q@h", "postgresql://u:***@h"},
        /* what should have been percent-encoded */
        {"postgresql://u:p@q@h/d", "postgresql://u:***@h/d"},
        {"postgresql://u:p/q@h/d", "postgresql://u:***@h/d"},
        {"postgresql://u:p@q/r@h/d", "postgresql://u:***@h/d"},
        {"postgresql://u:p/q@r@h/d", "postgresql://u:***@h/d"},
        {"postgresql://u:p?q@h/d", "postgresql://u:***@h/d"},
        {"postgresql://u:p?q/r@h/d", "postgresql://u:***@h/d"},
        {"postgresql://h/d?user=u&password=p&x=y", "postgresql://h/d?user=u&password=***&x=y"},
        {"postgresql://h/d?PASSWORD=p", "postgresql://h/d?PASSWORD=***"},
        {"postgresql://h/d?pass%77ord=p", "postgresql://h/d?pass%77ord=***"},
        {"postgresql://h/d?sslpassword=p", "postgresql://h/d?sslpassword=***"},
        {"postgresql://h/d?password&x", "postgresql://h/d?password&x"},
        {"postgresql://u:p@h/d?password=p@q", "postgresql://u:***@h/d?password=***"},
        {"postgresql://h/d?application_name=x", "postgresql://h/d?application_name=x"},
        {"http://u:p@proxy:3128", "http://u:***@proxy:3128"},
        {"host=h password=p dbname=d", "host=h password=*** dbname=d"},
        {"password = 'a b\\' c' host=h", "password=*** host=h"},
        {"password=a\\ b host=h", "password=*** host=h"},
        {" host = h\tsslpassword=x ", "host=h sslpassword=***"},
        {"host='a b' user=u", "host='a b' user=u"},
        {"host=h password", "host=h ***"},
        {"host=h password='x", "host=h ***"},
        {"password=x hidden by no name", "password=*** ***"},
        {"password=", "password=***"},
        {"a=://u:p@h", "a=://u:p@h"},
        {"host=h oauth_client_secret=s scram_client_key=k", /* of libpq 18 */
         "host=h oauth_client_secret=*** scram_client_key=***"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct buffer out;

        buffer_init(&out, 1024);
        redact_append_url(rows[i].url, &out);
        assert_string_equal(buffer_string(&out), rows[i].shown);
        assert_int_equal(redact_has_password(rows[i].url), strstr(rows[i].shown, "***") != NULL);
        buffer_free(&out);
    }
}

static void check_warnings(const struct config *config, const char *const beginnings[2],
                           const char *what)
{
    struct config_mistakes warnings;
    size_t count = 0;

    rules_warnings(config, &warnings);
    for (; count < 2 && beginnings[count] != NULL; count++) {
        check_case(count < warnings.count, "%s", what);
        check_case(strncmp(warnings.lines[count], beginnings[count], strlen(beginnings[count])) ==
                       0,
                   "%s: %s", what, warnings.lines[count]);
    }
    check_case(warnings.count == count, "%s: %s", what, warnings.lines[count]);
    config_mistakes_free(&warnings);
}

static void test_warnings(void **state)
{
    static const struct {
        const char *text;
        mode_t mode;
        const char *beginnings[2];
    } rows[] = {
        {"", 0644, {0}},
        {"worker: {drain_timeout: 9s}", 0644, {"worker.drain_timeout is less"}},
        {"retry: {schedule: [1s]}", 0644, {0}},
        {"retry: {schedule: [1s], multiplier: 2}", 0644, {"retry.schedule is set, so"}},
        {"network: {allow: [10.0.0.0/8, 0.0.0.0/0]}", 0644, {"network.allow lists"}},
        {"database: {url: 'postgresql://u:p@h'}", 0640, {0}},
        {"database: {url: 'postgresql://u:p@h'}", 0660, {0}},
        {"database: {url: 'postgresql://u:p@h'}",
         0644,
         {"the configuration holds a password or token, and c.yaml has mode 0644: everyone on this "
          "machine can read it; chmod o= c.yaml"}},
        {"database: {url: 'postgresql://u:p@h'}",
         0666,
         {"the configuration holds a password or token, and c.yaml has mode 0666: everyone on this "
          "machine can read and change it; chmod o= c.yaml"}},
        {"database: {url: 'postgresql://u@h'}", 0644, {0}},
        {"delivery: {headers: {X-Sender: shop}}", 0644, {0}},
        {"delivery: {headers: {Authorization: Bearer x}}", 0640, {0}},
        {"delivery: {headers: {X-Api-Key: x}}", 0644, {"the configuration holds a password or to"}},
        {"delivery: {headers: {X-Sender: shop, X-Api-Key: x}}",
         0644,
         {"the configuration holds a password or to"}},
        {"network: {proxy: 'http://u:p@h', allow: ['::/0']}",
         0644,
         {"network.allow lists", "the configuration holds a password"}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct config *config = load_text(rows[i].text);

        assert_int_equal(chmod("c.yaml", rows[i].mode), 0);
        check_warnings(config, rows[i].beginnings, rows[i].text);
        config_free(config);
    }
}

static void test_modes_of_named_files(void **state)
{
    static const struct {
        mode_t secrets, keys, authorities, revocations;
        const char *beginnings[2];
    } rows[] = {
        {0600, 0600, 0644, 0644, {0}},
        {0640, 0440, 0664, 0444, {0}}, /* systemd's credentials have 0440, or 0400 */
        {0644,
         0604,
         0644,
         0644,
         {"signing.secret_file: secrets has mode 0644: everyone on this machine can read it; chmod "
          "o= secrets",
          "signing.key_file: keys has mode 0604: everyone"}},
        {0602,
         0600,
         0646,
         0644,
         {"signing.secret_file: secrets has mode 0602: everyone on this machine can change it;",
          "network.ca_file: authorities has mode 0646: everyone on this machine can read and "
          "change"}},
        {0600,
         0600,
         0644,
         0642,
         {"network.crl_file: revoked has mode 0642: everyone on this machine can change it; chmod "
          "o= revoked"}},
    };

    char *list = crl_text("One", CRL_DAY_S, 0, NULL);

    (void)state;
    write_secret_files();
    write_file("authorities", "-----BEGIN CERTIFICATE-----\n");
    write_file("revoked", list);
    free(list);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct config *config = load_text("signing: {secret_file: secrets, key_file: keys}\n"
                                          "network: {ca_file: authorities, crl_file: revoked}");

        assert_int_equal(chmod("secrets", rows[i].secrets), 0);
        assert_int_equal(chmod("keys", rows[i].keys), 0);
        assert_int_equal(chmod("authorities", rows[i].authorities), 0);
        assert_int_equal(chmod("revoked", rows[i].revocations), 0);
        check_warnings(config, rows[i].beginnings, "modes");
        config_free(config);
    }
}

/* The files are where the configuration is, and need not be files of a disk. */
static void test_modes_of_files_elsewhere(void **state)
{
    static const char *const beginnings[2] = {
        "signing.secret_file: modes/secrets has mode 0644",
        "network.ca_file: modes/authorities has mode 0666",
    };
    static const char *const none[2] = {NULL};
    struct config_mistakes mistakes;
    struct config *config;

    (void)state;
    assert_int_equal(mkdir("modes", 0700), 0);
    write_file("modes/c.yaml", "signing: {secret_file: secrets}\nnetwork: {ca_file: authorities}");
    write_file("modes/secrets", secret_a);
    write_file("modes/authorities", "-----BEGIN CERTIFICATE-----\n");
    assert_int_equal(chmod("modes/secrets", 0644), 0);
    assert_int_equal(chmod("modes/authorities", 0666), 0);
    config = config_load("modes/c.yaml", &mistakes);
    assert_non_null(config);
    check_warnings(config, beginnings, "beside the configuration");
    free(config->signing.secret_file);
    free(config->network.ca_file);
    config->signing.secret_file = memory_copy_string("/dev/null");
    config->network.ca_file = memory_copy_string("/dev/null");
    check_warnings(config, none, "a device");
    config_free(config);
}

static void test_lists_that_have_ended(void **state)
{
    static const struct {
        const char *beginnings[2];
        long ends_s[2];
    } rows[] = {
        {{0}, {CRL_DAY_S, CRL_DAY_S}},
        {{"network.crl_file: the CRL of CN=Second in revoked has ended on "}, {CRL_DAY_S, -60}},
        {{"network.crl_file: the CRL of CN=First in revoked begins only on ",
          "network.crl_file: the CRL of CN=Second in revoked has ended on "},
         {3 * CRL_DAY_S, -60}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char *first = crl_text("First", rows[i].ends_s[0], 0, NULL);
        char *second = crl_text("Second", rows[i].ends_s[1], 0, NULL);
        char *both = memory_format("%s%s", first, second);
        struct config *config;

        write_file("revoked", both);
        assert_int_equal(chmod("revoked", 0600), 0);
        config = load_text("network: {crl_file: revoked}");
        assert_int_equal(config->network.revocations.count, 2);
        check_warnings(config, rows[i].beginnings, "lists");
        config_free(config);
        free(first);
        free(second);
        free(both);
    }
}

/* --- the table, and what is made of it --- */

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < option_count; i++) {
        const struct config_option *option = &option_table[i];

        assert_ptr_equal(option_find(option->key), option);
        assert_int_equal(option_index(option), i);
        /* Cells of a Markdown table, one line of a message. */
        assert_null(strpbrk(option->description, "|\n"));
        assert_true(option->allowed == NULL || strpbrk(option->allowed, "|\n") == NULL);
        assert_true(option->minimum <= option->maximum);
    }
    assert_null(option_find("database"));
    assert_null(option_find(""));
    assert_non_null(option_find_section("database"));
    assert_null(option_find_section("attempt_log"));
    assert_null(option_find_section("data"));
    assert_null(option_find_section(""));
}

static char *read_text_file(const char *path)
{
    FILE *in = fopen(path, "re");
    struct buffer text;
    char piece[4096];
    size_t got;

    if (in == NULL)
        return NULL;
    buffer_init(&text, 4 << 20);
    while ((got = fread(piece, 1, sizeof(piece), in)) > 0)
        assert_true(buffer_append(&text, piece, got));
    assert_int_equal(fclose(in), 0);
    return buffer_take(&text);
}

static void test_reference(void **state)
{
    static const char begin[] = "<!-- config-reference:begin -->\n";
    static const char end[] = "<!-- config-reference:end -->";
    char *page = read_text_file(TEST_SOURCE_DIR "/docs/configuration.md");
    struct buffer reference;
    char *from;
    char *to;

    (void)state;
    if (page == NULL)
        skip();
    from = strstr(page, begin);
    assert_non_null(from);
    to = strstr(from, end);
    assert_non_null(to);
    *to = '\0';
    buffer_init(&reference, SHOW_MAX_BYTES);
    show_append_reference(&reference);
    if (strcmp(from + strlen(begin), buffer_string(&reference)) != 0)
        fail_msg("docs/configuration.md is not up to date: run scripts/config-reference");
    buffer_free(&reference);
    free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_empty_files),
        cmocka_unit_test(test_sample),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_secret_file_places),
        cmocka_unit_test(test_secrets_that_look_alike),
        cmocka_unit_test(test_ca_file_place),
        cmocka_unit_test(test_show_yaml),
        cmocka_unit_test(test_show_yaml_loads),
        cmocka_unit_test(test_show_json),
        cmocka_unit_test(test_show_json_odd_file),
        cmocka_unit_test(test_redact),
        cmocka_unit_test(test_warnings),
        cmocka_unit_test(test_modes_of_named_files),
        cmocka_unit_test(test_modes_of_files_elsewhere),
        cmocka_unit_test(test_lists_that_have_ended),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_reference),
    };

    return cmocka_run_group_tests(tests, enter_directory, leave_directory);
}
