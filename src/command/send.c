/* SPDX-License-Identifier: MIT */
#include <event2/event.h>

#include "command/send_options.h"
#include "command/send_report.h"
#include "command/send_request.h"
#include "http/url.h"
#include "worker/exchange.h"

static const char help_text[] =
    "usage: postrider send [OPTION]... URL\n"
    "\n"
    "Sends one signed POST to URL, as a delivery's first attempt would be, and shows request,\n"
    "answer and times; of headers like Authorization not the values. The database gets no row.\n"
    "Exit status 0 when the answer is 2xx, else 1.\n"
    "\n"
    "      --customer UUID     as a delivery of this customer: with the secrets, headers, "
    "time-out\n"
    "                          and retry rules that the database has for the endpoint\n"
    "      --data JSON         the body; @FILE reads it from a file, - from standard input\n"
    "      --event-type TYPE   \"type\" in the body, when there is no --data (" SEND_EVENT_TYPE
    ")\n"
    "      --secret-file FILE  sign with the secrets in FILE, one a line; - reads them from "
    "standard\n"
    "                          input\n"
    "  -H, --header 'N: V'     one more header (may be repeated)\n"
    "      --allow CIDR[:PORT] permit addresses that are refused otherwise (may be repeated)\n"
    "      --timeout DURATION  for the whole request, as 10s or 500ms\n"
    "      --json              for programs: one object\n"
    "  -c, --config FILE       the configuration; without one the defaults are used\n"
    "                          (" COMMAND_DEFAULT_CONFIG ")\n"
    "\n"
    "Signs with --secret-file, else as for the customer, else with\n"
    "signing.secret_file. Without any secret nothing is sent.\n"
    "\n"
    "  postrider send --secret-file hook.secret https://example.com/hook\n"
    "  postrider send --allow 127.0.0.0/8 --secret-file hook.secret --data '{\"id\": 1}' \\\n"
    "      http://127.0.0.1:8080/hook\n";

/* One exchange: the request, and where its result goes. */
struct exchange {
    const struct send_request *request;
    bool json;
    int status; /* -1 until it has ended */
};

static void on_exchange_finished(void *owner, const struct http_response *response)
{
    struct exchange *exchange = owner;

    if (exchange->json)
        send_report_print_json(exchange->request, response);
    else
        send_report_print(exchange->request, response);
    exchange->status = send_report_decide(exchange->request, response).kind == OUTCOME_DELIVERED
                           ? COMMAND_OK
                           : COMMAND_FAILED;
}

static int run_exchange(const struct config *config, struct exchange *exchange)
{
    const struct http_options options = exchange_options(config);
    struct event_base *base = event_base_new();
    struct error error = {0};
    struct http_engine *engine;

    if (base == NULL)
        bug("event_base_new() failed");
    engine = http_engine_new(base, &options, on_exchange_finished, &error);
    if (engine != NULL) {
        http_start(engine, &exchange->request->http, exchange);
        while (exchange->status < 0) {
            event_base_loop(base, EVLOOP_ONCE);
            http_engine_collect(engine, 1);
        }
    } else
        exchange->status = command_fail(COMMAND_CONFIG, &error);
    http_engine_free(engine);
    event_base_free(base);
    return exchange->status;
}

static int send_with(const struct send_options *options, const char *config_file, const char *url,
                     const struct send_values *values)
{
    const struct send_wish wish = {
        .url = url,
        .customer_id = options->customer_id,
        .secrets = &values->secrets,
        .timeout_ms = options->timeout_ms,
        .headers_count = values->headers_count,
        .headers = values->headers,
        .payload = &values->payload,
    };
    struct send_request request;
    struct exchange exchange = {.request = &request, .json = options->json, .status = -1};
    int status = send_request_make(&request, values->config, config_file, &wish);

    if (status == COMMAND_OK)
        status = run_exchange(values->config, &exchange);
    send_request_free(&request);
    return status;
}

static int run_send(const struct command *self, int argc, char **argv)
{
    struct send_options o = {0};
    const struct argument options[] = {
        {.name = "customer", .uuid = &o.customer_id},
        {.name = "data", .text = &o.data},
        {.name = "event-type", .text = &o.event_type},
        {.name = "secret-file", .text = &o.secret_file},
        {.name = "header", .letter = 'H', .list = &o.headers},
        {.name = "allow", .list = &o.allow},
        {.name = "timeout", .duration_ms = &o.timeout_ms, .minimum = 1},
        {.name = "json", .flag = &o.json},
        {0}};
    struct arguments arguments = {
        .options = options, .values_name = "URL", .values_min = 1, .values_max = 1};
    struct send_values values;
    struct error error = {0};
    int status = arguments_parse(self, argc, argv, &arguments);

    if (status != ARGUMENTS_OK)
        return status;
    if (!url_check(arguments.values[0], false, &error))
        return command_usage_error(self, "%s", error.message);
    status = send_values_read(self, &o, arguments.config_file, &values);
    if (status == COMMAND_OK)
        status = send_with(&o, arguments.config_file, arguments.values[0], &values);
    send_values_free(&values);
    return status;
}

const struct command command_send = {
    .name = "send",
    .summary = "send one signed test request to a URL",
    .help = help_text,
    .run = run_send,
};
