/* SPDX-License-Identifier: MIT */
/*
 * What is wrong with a configuration: one row for each mistake, with the exact lines that it gives.
 */
#include "config_file.h"

#include <sys/stat.h>

struct row {
    const char *text;
    const char *lines; /* each ends with a newline */
};

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct config_mistakes mistakes;
        char *lines;

        write_file("c.yaml", rows[i].text);
        assert_null(config_load("c.yaml", &mistakes));
        lines = join_mistakes(&mistakes);
        assert_string_equal(lines, rows[i].lines);
        free(lines);
        config_mistakes_free(&mistakes);
    }
}

#define LISTEN_FORM "ADDRESS:PORT, [ADDRESS]:PORT or unix:/PATH\n"
#define TOP_NAMES                                                                             \
    "database, worker, delivery, retry, endpoint, signing, network, attempt_log, retention, " \
    "http, alerts, metrics, log, tracing"

static void test_keys(void **state)
{
    static const struct row rows[] = {
        {"databse: {}", "c.yaml:1:1: databse: unknown key; did you mean database?\n"},
        {"log: {levle: info}", "c.yaml:1:7: log.levle: unknown key; did you mean log.level?\n"},
        {"log:\n  x: 1\n  colour: 2\n",
         "c.yaml:2:3: log.x: unknown key; allowed: level, format\n"
         "c.yaml:3:3: log.colour: unknown key; allowed: level, format\n"},
        {"colour: 1", "c.yaml:1:1: colour: unknown key; allowed: " TOP_NAMES "\n"},
        {"worker: {timeout: 5s}",
         "c.yaml:1:10: worker.timeout: unknown key; did you mean timeout, below delivery?\n"},
        {"retry: {attempt_log: all}", "c.yaml:1:9: retry.attempt_log: unknown key; did you mean "
                                      "attempt_log, at the top level?\n"},
        {"worker.lease: 5s",
         "c.yaml:1:1: worker.lease: unknown key; did you mean lease, below worker?\n"},
        {"log: {level.x: 1}", "c.yaml:1:7: log.level.x: unknown key; did you mean log.level?\n"},
        {"Log: {}", "c.yaml:1:1: Log: unknown key; did you mean log?\n"},
        {"<<: {}", "c.yaml:1:1: <<: unknown key; allowed: " TOP_NAMES "\n"},
        {"? [a]\n: b\n", "c.yaml:1:3: a key that is not plain text; write NAME: VALUE\n"},
        {"log: {[a]: b}", "c.yaml:1:7: log: a key that is not plain text; write NAME: VALUE\n"},
        {"log: {\"a\\0\": b}",
         "c.yaml:1:7: log: a key that is not plain text; write NAME: VALUE\n"},
        {"\"a\\e[31m\\x9b\\x7f\": b",
         "c.yaml:1:1: a\\x1b[31m\\x9b\\x7f: unknown key; allowed: " TOP_NAMES "\n"},
        {"worker: {rate_limit: 5}", "c.yaml:1:10: worker.rate_limit: unknown key; did you mean "
                                    "rate_limit, below endpoint?\n"},
        {"worker: {colour: 5}", "c.yaml:1:10: worker.colour: unknown key; allowed: "
                                "max_in_flight, max_buffered, poll_interval, lease, "
                                "drain_timeout\n"},
        {"x: [[], [], [], [], [], [], [], [], [], [], [], [], [], [], [], [], []]",
         "c.yaml:1:1: x: unknown key; allowed: " TOP_NAMES "\n"},
        /* twice */
        {"log: {level: info, level: debug}",
         "c.yaml:1:20: log.level: a second time; the first is in line 1, keep one\n"},
        {"log:\n  level: info\nlog:\n  format: json\n",
         "c.yaml:3:1: log: a second time; the first is in line 1, put all its keys there\n"},
        {"attempt_log: all\nattempt_log: all\n",
         "c.yaml:2:1: attempt_log: a second time; the first is in line 1, keep one\n"},
        /* sections that are none */
        {"log: [info]",
         "c.yaml:1:6: log: a list can't stand here; allowed: a mapping of level, format\n"},
        {"log: info",
         "c.yaml:1:6: log: a single value can't stand here; allowed: a mapping of level, format\n"},
        {"- a", "c.yaml:1:1: the file is not a mapping; allowed: " TOP_NAMES "\n"},
        {"a", "c.yaml:1:1: the file is not a mapping; allowed: " TOP_NAMES "\n"},
    };

    (void)state;
    check_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

#define URL_ALLOWED       "; allowed: a postgresql:// URI or keyword=value pairs, as libpq reads them\n"
#define IN_FLIGHT_ALLOWED "; allowed: a whole number from 1 to 65536\n"
#define PROXY_ALLOWED     "; allowed: http://, https:// or socks5://, a host and a port\n"
#define SOURCE_ALLOWED \
    "; allowed: an IP address of this machine or the name of a network interface\n"

static void test_texts(void **state)
{
    static const struct row rows[] = {
        {"database: {schema: 5}", "c.yaml:1:20: database.schema: 5 is a number and not text unless "
                                  "it is quoted; allowed: a schema's name of at most 63 bytes\n"},
        {"database: {schema: -.inf}",
         "c.yaml:1:20: database.schema: -.inf is a number and not text unless it is quoted; "
         "allowed: a schema's name of at most 63 bytes\n"},
        {"database: {schema: true}",
         "c.yaml:1:20: database.schema: \"true\" is a boolean and not text unless it is quoted; "
         "allowed: a schema's name of at most 63 bytes\n"},
        {"database: {schema: }", "c.yaml:1:20: database.schema: it has no value; allowed: a "
                                 "schema's name of at most 63 bytes\n"},
        {"database: {schema: \"a\\0\"}", "c.yaml:1:20: database.schema: it holds a NUL character; "
                                         "allowed: a schema's name of at most 63 bytes\n"},
        {"database: {schema: \"a\\n\"}",
         "c.yaml:1:20: database.schema: it holds a control character; allowed: a schema's name of "
         "at most 63 bytes\n"},
        {"database: {schema: a123456789a123456789a123456789a123456789a123456789a123456789abcd}",
         "c.yaml:1:20: database.schema: it has 64 bytes, more than 63; allowed: a schema's name of "
         "at most 63 bytes\n"},
        {"database: {url: [x]}", "c.yaml:1:17: database.url: a list can't stand here" URL_ALLOWED},
        {"database: {url: {x: y}}",
         "c.yaml:1:17: database.url: a mapping can't stand here" URL_ALLOWED},
        {"database: {url: 5}", "c.yaml:1:17: database.url: the value is a number and not text "
                               "unless it is quoted" URL_ALLOWED},
        {"database: {url: hunter2}", "c.yaml:1:17: database.url: the value is neither a URI nor "
                                     "keyword=value pairs" URL_ALLOWED},
        {"database: {url: 'mysql://u:hunter2@h/d'}",
         "c.yaml:1:17: database.url: the value is a URI of another kind than "
         "postgresql://" URL_ALLOWED},
        {"database: {url: 'postgresql://u:hunter2@h:hunter2/d'}",
         "c.yaml:1:17: database.url: the value has a port that is not a number (in a URI's "
         "password "
         "/ is written %2F, and @ %40)" URL_ALLOWED},
        {"database: {url: 'postgresql://u:hun/ter2@h/d'}",
         "c.yaml:1:17: database.url: the value has a port that is not a number (in a URI's "
         "password "
         "/ is written %2F, and @ %40)" URL_ALLOWED},
        {"database: {url: 'host=h port=1,x'}", "c.yaml:1:17: database.url: the value has a port "
                                               "that is not a number (in a URI's password "
                                               "/ is written %2F, and @ %40)" URL_ALLOWED},
        {"database: {url: 'postgresql://u:hunter2%zz@h/d'}",
         "c.yaml:1:17: database.url: the value can't be read by libpq (in a URI's password % is "
         "written %25, in pairs a value with blanks 'in quotes')" URL_ALLOWED},
        {"database: {url: 'host=h password=hunter 2'}",
         "c.yaml:1:17: database.url: the value can't be read by libpq (in a URI's password % is "
         "written %25, in pairs a value with blanks 'in quotes')" URL_ALLOWED},
        {"database: {url: 'hots=h'}",
         "c.yaml:1:17: database.url: the value can't be read by libpq: invalid connection option "
         "\"hots\"" URL_ALLOWED},
        {"database: {url: 'postgresql://h/d?hots=h'}",
         "c.yaml:1:17: database.url: the value can't be read by libpq: invalid URI query "
         "parameter: \"hots\"" URL_ALLOWED},
        {"network: {proxy: 'ftp://u:hunter2@h'}",
         "c.yaml:1:18: network.proxy: the value does not begin with http://, https:// or "
         "socks5://" PROXY_ALLOWED},
        {"network: {proxy: 'http://'}",
         "c.yaml:1:18: network.proxy: the value has no host" PROXY_ALLOWED},
        {"network: {proxy: 'http://u:p@:80'}",
         "c.yaml:1:18: network.proxy: the value has no host" PROXY_ALLOWED},
        {"network: {proxy: 'http://h?x'}",
         "c.yaml:1:18: network.proxy: the value has a character in its host that no host "
         "has" PROXY_ALLOWED},
        {"network: {proxy: 'http://h:'}",
         "c.yaml:1:18: network.proxy: the value has no valid port" PROXY_ALLOWED},
        {"network: {proxy: 'http://h:0'}",
         "c.yaml:1:18: network.proxy: the value has a port that is not a number from 1 to "
         "65535" PROXY_ALLOWED},
        {"network: {proxy: 'http://h:65536'}",
         "c.yaml:1:18: network.proxy: the value has a port that is not a number from 1 to "
         "65535" PROXY_ALLOWED},
        {"network: {proxy: 'http://h:80/path'}",
         "c.yaml:1:18: network.proxy: the value has a path, which a proxy does not "
         "take" PROXY_ALLOWED},
        {"network: {proxy: 'http://h/path'}",
         "c.yaml:1:18: network.proxy: the value has more than a host and a port after its "
         "scheme" PROXY_ALLOWED},
        {"network: {proxy: 'http://[::1'}",
         "c.yaml:1:18: network.proxy: the value has no valid IPv6 address in its "
         "brackets" PROXY_ALLOWED},
        {"network: {proxy: 'http://[1111:1111:1111:1111:1111:1111:1111:1111:1111:1111]'}",
         "c.yaml:1:18: network.proxy: the value has no valid IPv6 address in its "
         "brackets" PROXY_ALLOWED},
        {"network: {proxy: 'http://[::g]:1'}",
         "c.yaml:1:18: network.proxy: the value has no valid IPv6 address in its "
         "brackets" PROXY_ALLOWED},
        {"network: {source_address: 10.0.0.256}", "c.yaml:1:27: network.source_address: 10.0.0.256 "
                                                  "is not a valid IP address" SOURCE_ALLOWED},
        {"network: {source_address: 'fe80::x'}",
         "c.yaml:1:27: network.source_address: \"fe80::x\" is not a valid IP "
         "address" SOURCE_ALLOWED},
        {"network: {source_address: an_interface_of_17}",
         "c.yaml:1:27: network.source_address: \"an_interface_of_17\" is neither an IP address nor "
         "an interface's name" SOURCE_ALLOWED},
        {"network: {source_address: eth0/24}",
         "c.yaml:1:27: network.source_address: \"eth0/24\" is neither an IP address nor an "
         "interface's name" SOURCE_ALLOWED},
        {"attempt_log: some",
         "c.yaml:1:14: attempt_log: \"some\" is not one of its values; allowed: failures, all or "
         "none\n"},
        {"log: {level: Info, format: ''}",
         "c.yaml:1:14: log.level: \"Info\" is not one of its values; allowed: debug, info, warning "
         "or error\n"
         "c.yaml:1:28: log.format: \"\" is not one of its values; allowed: auto, journal, logfmt "
         "or json\n"},
        {"log: {level: aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggggg}",
         "c.yaml:1:14: log.level: "
         "\"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg"
         "…\" is not one of its values; allowed: debug, info, warning or error\n"},
    };

    (void)state;
    check_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

#define DURATION_FORM  " is not a duration (250ms, 10s, 5m, 4h, 7d)"
#define LEASE_ALLOWED  "; allowed: a duration from 1s to 10m\n"
#define SIZE_FORM      " is not a size (512, 64KiB, 1MiB, 2GiB)"
#define BUFFER_ALLOWED "; allowed: a size from 1MiB to 64GiB\n"

static void test_numbers(void **state)
{
    static const struct row rows[] = {
        {"network: {https_only: yes}",
         "c.yaml:1:23: network.https_only: \"yes\" is not a boolean; allowed: true or false\n"},
        {"network: {https_only: 'true'}", "c.yaml:1:23: network.https_only: \"true\" in quotes is "
                                          "text and not a boolean; allowed: true or false\n"},
        {"network: {https_only: 1}",
         "c.yaml:1:23: network.https_only: 1 is not a boolean; allowed: true or false\n"},
        {"network: {https_only: ~}",
         "c.yaml:1:23: network.https_only: it has no value; allowed: true or false\n"},
        {"network: {https_only: tRUE}",
         "c.yaml:1:23: network.https_only: \"tRUE\" is not a boolean; allowed: true or false\n"},
        {"worker: {max_in_flight: many}",
         "c.yaml:1:25: worker.max_in_flight: \"many\" is not a whole number" IN_FLIGHT_ALLOWED},
        {"worker: {max_in_flight: '5'}", "c.yaml:1:25: worker.max_in_flight: 5 in quotes is text "
                                         "and not a whole number" IN_FLIGHT_ALLOWED},
        {"worker: {max_in_flight: 1.5}",
         "c.yaml:1:25: worker.max_in_flight: 1.5 is not a whole number" IN_FLIGHT_ALLOWED},
        {"worker: {max_in_flight: .inf}",
         "c.yaml:1:25: worker.max_in_flight: .inf is not a whole number" IN_FLIGHT_ALLOWED},
        {"worker: {max_in_flight: 0x10}",
         "c.yaml:1:25: worker.max_in_flight: 0x10 is not a decimal number" IN_FLIGHT_ALLOWED},
        {"worker: {max_in_flight: 0o}",
         "c.yaml:1:25: worker.max_in_flight: 0o is not a whole number" IN_FLIGHT_ALLOWED},
        {"worker: {max_in_flight: 0}",
         "c.yaml:1:25: worker.max_in_flight: 0 is too small" IN_FLIGHT_ALLOWED},
        {"worker: {max_in_flight: 65537}",
         "c.yaml:1:25: worker.max_in_flight: 65537 is too large" IN_FLIGHT_ALLOWED},
        {"worker: {max_in_flight: 99999999999999999999}",
         "c.yaml:1:25: worker.max_in_flight: 99999999999999999999 is too large" IN_FLIGHT_ALLOWED},
        {"worker: {max_in_flight: -99999999999999999999}",
         "c.yaml:1:25: worker.max_in_flight: -99999999999999999999 is too "
         "small" IN_FLIGHT_ALLOWED},
        {"worker: {max_in_flight: [1]}",
         "c.yaml:1:25: worker.max_in_flight: a list can't stand here" IN_FLIGHT_ALLOWED},
        {"retry: {max_attempts: 1001}", "c.yaml:1:23: retry.max_attempts: 1001 is too large; "
                                        "allowed: a whole number from 1 to 1000\n"},
        {"retry: {multiplier: 0.5, jitter: 1.01}",
         "c.yaml:1:21: retry.multiplier: 0.5 is too small; allowed: a number from 1 to 1000\n"
         "c.yaml:1:34: retry.jitter: 1.01 is too large; allowed: a number from 0 to 1\n"},
        {"retry: {multiplier: 1e999, jitter: -1e-9}",
         "c.yaml:1:21: retry.multiplier: 1e999 is too large; allowed: a number from 1 to 1000\n"
         "c.yaml:1:36: retry.jitter: -1e-9 is too small; allowed: a number from 0 to 1\n"},
        {"retry: {multiplier: .NaN, jitter: 0o7}",
         "c.yaml:1:21: retry.multiplier: .NaN is not a decimal number; allowed: a number from 1 to "
         "1000\n"
         "c.yaml:1:35: retry.jitter: 0o7 is not a decimal number; allowed: a number from 0 to 1\n"},
        {"retry: {multiplier: 0x10}", "c.yaml:1:21: retry.multiplier: 0x10 is not a decimal "
                                      "number; allowed: a number from 1 to 1000\n"},
        {"retry: {multiplier: x, jitter: '0.5'}",
         "c.yaml:1:21: retry.multiplier: \"x\" is not a number; allowed: a number from 1 to 1000\n"
         "c.yaml:1:32: retry.jitter: 0.5 in quotes is text and not a number; allowed: a number "
         "from "
         "0 to 1\n"},
        {"worker: {lease: 15}", "c.yaml:1:17: worker.lease: 15" DURATION_FORM LEASE_ALLOWED},
        {"worker: {lease: 1.5s}", "c.yaml:1:17: worker.lease: 1.5s" DURATION_FORM LEASE_ALLOWED},
        {"worker: {lease: 15 s}", "c.yaml:1:17: worker.lease: 15 s" DURATION_FORM LEASE_ALLOWED},
        {"worker: {lease: -15s}", "c.yaml:1:17: worker.lease: -15s" DURATION_FORM LEASE_ALLOWED},
        {"worker: {lease: 15S}", "c.yaml:1:17: worker.lease: 15S" DURATION_FORM LEASE_ALLOWED},
        {"worker: {lease: 99999999999999999d}",
         "c.yaml:1:17: worker.lease: 99999999999999999d" DURATION_FORM LEASE_ALLOWED},
        {"worker: {lease: true}",
         "c.yaml:1:17: worker.lease: \"true\" is not a duration" LEASE_ALLOWED},
        {"worker: {lease: 999ms}", "c.yaml:1:17: worker.lease: 999ms is too small" LEASE_ALLOWED},
        {"worker: {lease: '11m'}", "c.yaml:1:17: worker.lease: 11m is too large" LEASE_ALLOWED},
        {"worker: {max_buffered: 1MB}",
         "c.yaml:1:24: worker.max_buffered: 1MB" SIZE_FORM BUFFER_ALLOWED},
        {"worker: {max_buffered: 1048575}",
         "c.yaml:1:24: worker.max_buffered: 1048575 is too small" BUFFER_ALLOWED},
        {"worker: {max_buffered: 65GiB}",
         "c.yaml:1:24: worker.max_buffered: 65GiB is too large" BUFFER_ALLOWED},
        {"worker: {poll_interval: 0, drain_timeout: 2h}",
         "c.yaml:1:25: worker.poll_interval: 0 is too small; allowed: a duration from 1ms to 1m\n"
         "c.yaml:1:43: worker.drain_timeout: 2h is too large; allowed: a duration from 0 to 1h\n"},
        {"http: {listen: 'localhost:80'}",
         "c.yaml:1:16: http.listen: \"localhost:80\" has no valid IP "
         "address before its port; allowed: " LISTEN_FORM},
        {"http: {listen: '10.0.0.1'}", "c.yaml:1:16: http.listen: 10.0.0.1 has no port from 0 to "
                                       "65535 at its end; allowed: " LISTEN_FORM},
        {"http: {listen: 'unix:a'}", "c.yaml:1:16: http.listen: \"unix:a\" has no absolute path "
                                     "behind unix:; allowed: " LISTEN_FORM},
        {"http: {hosts: ['a:80', b, B]}",
         "c.yaml:1:16: http.hosts: \"a:80\" is no host's name without a port\n"
         "c.yaml:1:27: http.hosts: B is in the list twice; keep one\n"},
        {"http: {customers_role: ''}", "c.yaml:1:24: http.customers_role: it is empty; allowed: a "
                                       "role's name of 1 to 63 bytes\n"},
        {"http: {customers_role: none}",
         "c.yaml:1:24: http.customers_role: \"none\" is no role's name; "
         "allowed: a role's name of 1 to 63 bytes\n"},
        {"http: {customers_role: pg_monitor}", "c.yaml:1:24: http.customers_role: \"pg_monitor\" "
                                               "is a name that PostgreSQL keeps for its own "
                                               "roles; allowed: a role's name of 1 to 63 bytes\n"},
        {"http: {hosts: a}", "c.yaml:1:15: http.hosts: a single value is not a list; allowed: a "
                             "list of at most 64 names\n"},
        {"alerts: {url: 'ftp://a'}",
         "c.yaml:1:15: alerts.url: the value does not begin with http:// or "
         "https://; allowed: an http:// or https:// URL\n"},
        {"alerts: {url: 'https://'}",
         "c.yaml:1:15: alerts.url: the value has no host; allowed: an http:// or https:// URL\n"},
        {"alerts: {url: 'https://u:hunter2@a/'}",
         "c.yaml:1:15: alerts.url: the value has a user or a password, which is not sent: alerts "
         "are signed; "
         "allowed: an http:// or https:// URL\n"},
        {"alerts: {url: 'https://a/'}",
         "c.yaml:1:15: alerts.url: alerts are events of a customer, whose secret signs them: set "
         "alerts.customer to the UUID of one of your own\n"},
        {"tracing: {url: 'grpc://a:4317'}",
         "c.yaml:1:16: tracing.url: the value does not begin with http:// or "
         "https://; allowed: an http:// or https:// URL\n"},
        {"tracing: {url: 'https://u:hunter2@a/'}",
         "c.yaml:1:16: tracing.url: the value has a user or a password, which is not sent: put an "
         "Authorization into tracing.headers; allowed: an http:// or https:// URL\n"},
        {"tracing: {sample: 1.5}",
         "c.yaml:1:19: tracing.sample: 1.5 is too large; allowed: a number from 0 to 1\n"},
        {"alerts: {customer: acme}",
         "c.yaml:1:20: alerts.customer: \"acme\" is no UUID; allowed: a customer's UUID\n"},
        {"retention: {delivered: -1, failed: 36501d}",
         "c.yaml:1:24: retention.delivered: -1" DURATION_FORM
         "; allowed: a duration from 0 to 36500d\n"
         "c.yaml:1:36: retention.failed: 36501d is too large; allowed: a duration from 0 to "
         "36500d\n"},
    };

    (void)state;
    check_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

#define HEADERS_ALLOWED  "; allowed: a mapping of at most 64 names to texts\n"
#define ALLOW_ALLOWED    "; allowed: a list of at most 256 CIDR ranges\n"
#define STATUSES_ALLOWED "; allowed: a list of at most 32 statuses from 300 to 599 without 410\n"
#define SCHEDULE_ALLOWED "; allowed: a list of at most 64 durations from 1ms to 365d\n"

static void test_lists(void **state)
{
    static const struct row rows[] = {
        {"network: {allow: 10.0.0.0/8}",
         "c.yaml:1:18: network.allow: a single value is not a list" ALLOW_ALLOWED},
        {"network: {allow: {a: b}}",
         "c.yaml:1:18: network.allow: a mapping is not a list" ALLOW_ALLOWED},
        {"network: {allow: }",
         "c.yaml:1:18: network.allow: it has no value (write [] for none)" ALLOW_ALLOWED},
        {"network: {allow: [10.0.0.1/8, x, 10.0.0.0/33, [a], 5]}",
         "c.yaml:1:19: network.allow: \"10.0.0.1/8\" has bits below its prefix; the range that "
         "contains it is 10.0.0.0/8\n"
         "c.yaml:1:31: network.allow: \"x\" is not an IP address or range; write it as in "
         "10.0.0.0/8, fd00::/8, 192.0.2.7 or, for one port, 10.0.0.0/8:8080\n"
         "c.yaml:1:34: network.allow: \"10.0.0.0/33\" needs a prefix of 0 to 32 after the /\n"
         "c.yaml:1:47: network.allow: a list can't stand here" ALLOW_ALLOWED
         "c.yaml:1:52: network.allow: 5 is a number and not text unless it is "
         "quoted" ALLOW_ALLOWED},
        {"network: {allow: [10.1.0.0/16, 'fd00::/8', 10.1.0.0/16, 'FD00:0::/8']}",
         "c.yaml:1:44: network.allow: 10.1.0.0/16 is in the list twice; keep one\n"
         "c.yaml:1:57: network.allow: FD00:0::/8 is in the list twice; keep one\n"},
        {"retry: {retry_statuses: [408, 410, 299, 600, 408, '409', x]}",
         "c.yaml:1:31: retry.retry_statuses: 410 (Gone) always disables the "
         "endpoint" STATUSES_ALLOWED
         "c.yaml:1:36: retry.retry_statuses: 299 is too small" STATUSES_ALLOWED
         "c.yaml:1:41: retry.retry_statuses: 600 is too large" STATUSES_ALLOWED
         "c.yaml:1:46: retry.retry_statuses: 408 is in the list twice; keep one\n"
         "c.yaml:1:51: retry.retry_statuses: 409 in quotes is text and not a whole "
         "number" STATUSES_ALLOWED
         "c.yaml:1:58: retry.retry_statuses: \"x\" is not a whole number" STATUSES_ALLOWED},
        {"retry: {retry_statuses: 429}",
         "c.yaml:1:25: retry.retry_statuses: a single value is not a list" STATUSES_ALLOWED},
        {"retry: {schedule: [5s, 0, 366d, 5]}",
         "c.yaml:1:24: retry.schedule: 0 is too small" SCHEDULE_ALLOWED
         "c.yaml:1:27: retry.schedule: 366d is too large" SCHEDULE_ALLOWED
         "c.yaml:1:33: retry.schedule: 5" DURATION_FORM SCHEDULE_ALLOWED},
        {"retry: {schedule: 5s}",
         "c.yaml:1:19: retry.schedule: a single value is not a list" SCHEDULE_ALLOWED},
        {"delivery: {headers: [a]}",
         "c.yaml:1:21: delivery.headers: it is not a mapping (write {} for none)" HEADERS_ALLOWED},
        {"delivery: {headers: {X-A: 5, X-B: , X-C: [a], [a]: b}}",
         "c.yaml:1:27: delivery.headers: the value is a number and not text unless it is "
         "quoted" HEADERS_ALLOWED "c.yaml:1:35: delivery.headers: it has no value" HEADERS_ALLOWED
         "c.yaml:1:42: delivery.headers: a list can't stand here" HEADERS_ALLOWED
         "c.yaml:1:47: delivery.headers: a header's name is plain text" HEADERS_ALLOWED},
        {"delivery:\n  headers:\n    Host: a\n    X-A: \"hunter2\\r\\nX: y\"\n    bad name: v\n"
         "    x-b: hunter2\n    X-B: hunter2\n",
         "c.yaml:3:5: delivery.headers: the header \"Host\" is Postrider's own; choose another "
         "name, "
         "such as X-Host\n"
         "c.yaml:4:5: delivery.headers: the value of the header \"X-A\" has the control character "
         "0x0d at position 8\n"
         "c.yaml:5:5: delivery.headers: the header name \"bad…\" has the byte 0x20 at position 4; "
         "a "
         "name is made of letters, digits and !#$%&'*+-.^_`|~\n"
         "c.yaml:7:5: delivery.headers: the header \"X-B\" is there twice; keep one\n"},
    };

    (void)state;
    check_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

/* A list of count entries. */
static void check_too_long(const char *before, const char *entry, int count, const char *after,
                           const char *lines)
{
    char *text = memory_copy_string(before);
    struct row row;

    for (int i = 0; i < count; i++) {
        char *longer = memory_format("%s%s, ", text, entry);

        free(text);
        text = longer;
    }
    row.text = memory_format("%s%s", text, after);
    row.lines = lines;
    check_rows(&row, 1);
    free((char *)(uintptr_t)row.text);
    free(text);
}

static void test_lists_too_long(void **state)
{
    (void)state;
    check_too_long("network: {allow: [", "10.0.0.1", 257, "]}",
                   "c.yaml:1:18: network.allow: it has 257 entries" ALLOW_ALLOWED);
    check_too_long("retry: {schedule: [", "5s", 65, "]}",
                   "c.yaml:1:19: retry.schedule: it has 65 entries" SCHEDULE_ALLOWED);
    check_too_long("retry: {retry_statuses: [", "429", 33, "]}",
                   "c.yaml:1:25: retry.retry_statuses: it has 33 entries" STATUSES_ALLOWED);
    check_too_long("delivery: {headers: {", "X: y", 65, "}}",
                   "c.yaml:1:21: delivery.headers: it has 65 entries" HEADERS_ALLOWED);
}

static void test_yaml(void **state)
{
    static const struct row rows[] = {
        {"log: {level: info}\n---\nlog: {level: info}\n",
         "c.yaml:2:1: a second document begins; a configuration is one\n"},
        {"worker: &x {lease: 5s}\nretry: *x\nlog: &y\n",
         "c.yaml:1:9: the anchor &x has no use here; aliases are not supported\n"
         "c.yaml:2:8: the alias *x is not supported; write the value out\n"
         "c.yaml:3:6: the anchor &y has no use here; aliases are not supported\n"},
        {"worker: *x", "c.yaml:1:9: the alias *x is not supported; write the value out\n"},
        {"worker: &x {lease: *x}",
         "c.yaml:1:9: the anchor &x has no use here; aliases are not supported\n"
         "c.yaml:1:20: the alias *x is not supported; write the value out\n"},
        {"worker: !!map {lease: !foo 5s}\nnetwork: {allow: !x []}\n",
         "c.yaml:1:9: the tag tag:yaml.org,2002:map has no use here; types are known from the "
         "keys\n"
         "c.yaml:1:23: the tag !foo has no use here; types are known from the keys\n"
         "c.yaml:2:18: the tag !x has no use here; types are known from the keys\n"},
        {"worker:\n  lease: 5s\n max_in_flight: 3\n",
         "c.yaml:3:2: not valid YAML: did not find expected key, while parsing a block mapping "
         "(line 1); the rest was not checked\n"},
        {"a: b: c", "c.yaml:1:5: not valid YAML: mapping values are not allowed in this context; "
                    "the rest was not checked\n"},
        {"log:\n\tlevel: info\n",
         "c.yaml:2:1: not valid YAML: a tab in the indentation; use spaces (the rest was not "
         "checked)\n"},
        {"log: {level: \"info",
         "c.yaml:1:19: not valid YAML: found unexpected end of stream, while scanning a quoted "
         "scalar (line 1); the rest was not checked\n"},
        {"a: \"\\ud800\"",
         "c.yaml:1:7: not valid YAML: found invalid Unicode character escape code, while parsing a "
         "quoted scalar (line 1); the rest was not checked\n"},
        {"a: [[[[[[[[[[[[[[[[[[[[[[[]]]",
         "c.yaml:1:19: lists and mappings are nested deeper than 16; the rest was not checked\n"},
        {"log: # caf\xc3\xa9 \x07",
         "c.yaml:1:13: not valid YAML: control characters are not allowed (0x07); write it as an "
         "escape in double quotes\n"},
        {"log:\n  # \xff\n",
         "c.yaml:2:5: the byte 0xff is not UTF-8 text; save the file as UTF-8\n"},
        {"\xc3", "c.yaml:1:1: the byte 0xc3 is not UTF-8 text; save the file as UTF-8\n"},
        {"log: \"\xc3", "c.yaml:1:7: the byte 0xc3 is not UTF-8 text; save the file as UTF-8\n"},
    };

    (void)state;
    check_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

static void test_between_options(void **state)
{
    static const struct row rows[] = {
        {"retry: {initial_delay: 5h}", "c.yaml:1:24: retry.initial_delay: 5h is more than "
                                       "retry.max_delay, which is 4h by default; change one of "
                                       "them\n"},
        {"retry: {max_delay: 999ms}", "c.yaml:1:20: retry.max_delay: 999ms is less than "
                                      "retry.initial_delay, which is 1s by default; change one of "
                                      "them\n"},
        {"retry: {max_delay: 2m, initial_delay: 121s}",
         "c.yaml:1:39: retry.initial_delay: 121s is more than retry.max_delay, which is 2m; change "
         "one of them\n"},
        {"delivery: {connect_timeout: 4s, timeout: 3s}",
         "c.yaml:1:29: delivery.connect_timeout: 4s is more than delivery.timeout, which is 3s; "
         "change one of them\n"},
        {"delivery: {connect_timeout: 11s}", "c.yaml:1:29: delivery.connect_timeout: 11s is more "
                                             "than delivery.timeout, which is 10s by "
                                             "default; change one of them\n"},
        {"delivery: {max_payload: 3MiB}\nworker: {max_buffered: 2MiB}",
         "c.yaml:1:25: delivery.max_payload: 3MiB is more than worker.max_buffered, which is 2MiB; "
         "change one of them\n"},
        {"delivery: {connect_timeout: x, timeout: 1s}",
         "c.yaml:1:29: delivery.connect_timeout: \"x\"" DURATION_FORM
         "; allowed: a duration from 1ms to 1h\n"},
        /* the limit is unknown, so nothing is said of what it limits */
        {"delivery: {connect_timeout: 1h, timeout: x}",
         "c.yaml:1:42: delivery.timeout: \"x\"" DURATION_FORM
         "; allowed: a duration from 1ms to 1h\n"},
    };

    (void)state;
    check_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

#define SECRET_ALLOWED "; allowed: a file of whsec_ or whsk_ secrets, one a line\n"
#define CA_ALLOWED     "; allowed: a readable file of PEM certificates\n"
#define CRL_ALLOWED    "; allowed: a readable file of one or more CRLs in PEM\n"

static void test_named_files(void **state)
{
    static const struct row rows[] = {
        {"signing: {secret_file: nowhere}",
         "c.yaml:1:24: signing.secret_file: nowhere cannot be read: No such file or "
         "directory" SECRET_ALLOWED},
        {"signing: {secret_file: .}",
         "c.yaml:1:24: signing.secret_file: . is a directory" SECRET_ALLOWED},
        {"signing: {secret_file: empty}",
         "c.yaml:1:24: signing.secret_file: empty: it holds no secret" SECRET_ALLOWED},
        {"signing: {secret_file: large}",
         "c.yaml:1:24: signing.secret_file: large is larger than 64KiB" SECRET_ALLOWED},
        {"signing: {secret_file: bad}", "c.yaml:1:24: signing.secret_file: bad: line 3: the secret "
                                        "is not base64 after its "
                                        "prefix" SECRET_ALLOWED},
        {"signing: {secret_file: twice}",
         "c.yaml:1:24: signing.secret_file: twice: it holds the same secret twice" SECRET_ALLOWED},
        {"signing: {secret_file: nul}",
         "c.yaml:1:24: signing.secret_file: nul: it holds a NUL byte" SECRET_ALLOWED},
        {"signing: {secret_file: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw}",
         "c.yaml:1:24: signing.secret_file: the value is a secret, where the name of a file that "
         "holds it belongs" SECRET_ALLOWED},
        {"network: {ca_file: nowhere}",
         "c.yaml:1:20: network.ca_file: nowhere cannot be read: No such file or "
         "directory" CA_ALLOWED},
        {"network: {ca_file: empty}",
         "c.yaml:1:20: network.ca_file: empty holds no PEM certificate" CA_ALLOWED},
        {"network: {ca_file: [x]}",
         "c.yaml:1:20: network.ca_file: a list can't stand here" CA_ALLOWED},
        {"network: {crl_file: nowhere}",
         "c.yaml:1:21: network.crl_file: nowhere cannot be read: No such file or "
         "directory" CRL_ALLOWED},
        {"network: {crl_file: .}", "c.yaml:1:21: network.crl_file: . is a directory" CRL_ALLOWED},
        {"network: {crl_file: empty}",
         "c.yaml:1:21: network.crl_file: empty holds no CRL in PEM" CRL_ALLOWED},
        {"network: {crl_file: cut}",
         "c.yaml:1:21: network.crl_file: cut holds a CRL that can't be read, as number "
         "1" CRL_ALLOWED},
    };
    char *large = memory_new(1, 64 * 1024 + 1);

    (void)state;
    write_file("empty", "# nothing\n\n");
    write_bytes("large", large, 64 * 1024 + 1);
    write_file("bad", "# one\nwhsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\nwhsec_hunter2!\n");
    write_file("twice", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n"
                        "  whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\r\n");
    write_bytes("nul", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n\0", 40);
    write_file("cut", "-----BEGIN X509 CRL-----\nMIIB\n-----END X509 CRL-----\n");
    free(large);
    check_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

static void check_file(const char *file, const char *lines)
{
    struct config_mistakes mistakes;
    char *all;

    assert_null(config_load(file, &mistakes));
    all = join_mistakes(&mistakes);
    assert_string_equal(all, lines);
    free(all);
    config_mistakes_free(&mistakes);
}

static void test_files(void **state)
{
    char *large = memory_new(1, CONFIG_FILE_MAX_BYTES + 1);

    (void)state;
    memset(large, '#', CONFIG_FILE_MAX_BYTES + 1);
    write_bytes("large.yaml", large, CONFIG_FILE_MAX_BYTES + 1);
    free(large);
    write_bytes("nul.yaml", "log:\n  level: in\0fo\n", 20);
    assert_int_equal(mkdir("folder.yaml", 0700), 0);
    check_file("nowhere.yaml", "nowhere.yaml: cannot be read: No such file or directory; -c FILE "
                               "names another one\n");
    check_file("folder.yaml", "folder.yaml: is a directory; -c FILE names another one\n");
    check_file("large.yaml", "large.yaml: is larger than 1MiB; -c FILE names another one\n");
    check_file("nul.yaml",
               "nul.yaml:2:12: the byte 0x00 is not UTF-8 text; save the file as UTF-8\n");
    check_file("a\nb", "a\\x0ab: cannot be read: No such file or directory; -c FILE names another "
                       "one\n");
}

/* Mistakes of all kinds in one file come together, in its order. */
static void test_all_at_once(void **state)
{
    static const struct row row = {
        "log:\n"
        "  level: loud\n"
        "delivery:\n"
        "  timeout: 10\n"
        "  timeout: 10s\n"
        "retry: {initial_delay: 5h}\n"
        "signing: {secret_file: nowhere}\n"
        "nothing: 1\n",
        "c.yaml:2:10: log.level: \"loud\" is not one of its values; allowed: debug, info, warning "
        "or error\n"
        "c.yaml:4:12: delivery.timeout: 10" DURATION_FORM "; allowed: a duration from 1ms to 1h\n"
        "c.yaml:5:3: delivery.timeout: a second time; the first is in line 4, keep one\n"
        "c.yaml:6:24: retry.initial_delay: 5h is more than retry.max_delay, which is 4h by "
        "default; "
        "change one of them\n"
        "c.yaml:7:24: signing.secret_file: nowhere cannot be read: No such file or "
        "directory" SECRET_ALLOWED "c.yaml:8:1: nothing: unknown key; allowed: " TOP_NAMES "\n"};

    (void)state;
    check_rows(&row, 1);
}

static void test_too_many(void **state)
{
    struct config_mistakes mistakes;
    char text[3 * 150 + 1];

    (void)state;
    for (size_t i = 0; i < sizeof(text) - 1; i += 3)
        memcpy(text + i, "x:\n", 3);
    write_bytes("c.yaml", text, sizeof(text) - 1);
    assert_null(config_load("c.yaml", &mistakes));
    assert_int_equal(mistakes.count, CONFIG_MISTAKES_MAX);
    assert_string_equal(mistakes.lines[98], "c.yaml:99:1: x: unknown key; allowed: " TOP_NAMES);
    assert_string_equal(mistakes.lines[99], "c.yaml: there are more mistakes after these");
    config_mistakes_free(&mistakes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_lists_too_long),
        cmocka_unit_test(test_yaml),
        cmocka_unit_test(test_between_options),
        cmocka_unit_test(test_named_files),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_all_at_once),
        cmocka_unit_test(test_too_many),
    };

    return cmocka_run_group_tests(tests, enter_directory, leave_directory);
}
