/* SPDX-License-Identifier: MIT */
/*
 * http_engine.c: what a request costs the client alone: http/engine.h against any server.
 *
 *     bench_http_engine [-n REQUESTS] [-c IN_FLIGHT] [-h HOSTS] [-b BODY_BYTES] [-a CA_FILE] URL
 *
 * With more than one host, each gets a loopback address of its own: "%s" in URL stands for it
 * (127.x.y.z), or for a name below .bench.localhost where URL is https. The connections are made
 * before the clock starts. Prints the CPU time of this process per request, and how many failed.
 *
 *     cmake --preset release && cmake --build build/release --target bench_http_engine
 */
#include <event2/event.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>

#include "base/clock.h"
#include "base/memory.h"
#include "http/engine.h"

#define IDLE_CONNECTIONS 8192

static const char *const headers[] = {
    "Content-Type: application/json",
    "User-Agent: Postrider/1",
    "X-Event-ID: 3f0e1c1e-6d3c-4f2c-9d6c-1c1c1c1c1c1c",
    "X-Delivery-Attempt: 1",
    "webhook-id: 3f0e1c1e-6d3c-4f2c-9d6c-1c1c1c1c1c1c",
    "webhook-timestamp: 1700000000",
    "webhook-signature: v1,MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=",
};
static const struct address_range loopback = {.address = {.bytes = {127}}, .prefix_bits = 8};

struct choices {
    const char *url;
    const char *ca_file;
    long requests;
    long in_flight;
    long hosts;
    size_t body;
};

struct run {
    struct http_engine *engine;
    struct http_request request;
    char **urls;
    long hosts;
    long next;
    long to_start;
    long in_flight;
    long failed;
    long reused;
};

static int64_t cpu_us(void)
{
    struct rusage usage;
    struct timeval sum;

    getrusage(RUSAGE_SELF, &usage);
    timeradd(&usage.ru_utime, &usage.ru_stime, &sum);
    return (int64_t)sum.tv_sec * 1000000 + sum.tv_usec;
}

static void on_finished(void *owner, const struct http_response *response)
{
    struct run *run = owner;

    run->in_flight--;
    run->reused += response->is_reused;
    if (response->status == 200)
        return;
    if (run->failed++ == 0)
        fprintf(stderr, "status %d, %s\n", response->status, response->error);
}

static void start_some(struct run *run, long limit)
{
    while (run->to_start > 0 && run->in_flight < limit) {
        run->request.url = run->urls[run->next++ % run->hosts];
        run->to_start--;
        run->in_flight++;
        http_start(run->engine, &run->request, run);
    }
}

static void turn_until_done(struct run *run, struct event_base *base, long requests, long limit)
{
    run->to_start = requests;
    start_some(run, limit);
    while (run->in_flight > 0) {
        event_base_loop(base, EVLOOP_ONCE);
        while (http_engine_collect(run->engine, 512))
            continue;
        start_some(run, limit);
    }
}

static char **make_urls(const char *format, long hosts)
{
    char **urls = memory_new((size_t)hosts, sizeof(*urls));
    const char *place = strstr(format, "%s");
    int before = place != NULL ? (int)(place - format) : (int)strlen(format);

    for (long i = 0; i < hosts; i++) {
        char host[64];

        if (strncmp(format, "https", 5) == 0)
            snprintf(host, sizeof(host), "h%ld.bench.localhost", i);
        else
            snprintf(host, sizeof(host), "127.1.%ld.%ld", i / 250, i % 250 + 1);
        urls[i] = memory_format("%.*s%s%s", before, format, place != NULL ? host : "",
                                place != NULL ? place + 2 : "");
    }
    return urls;
}

static bool read_choices(struct choices *choices, int argc, char **argv)
{
    int option;

    while ((option = getopt(argc, argv, "n:c:h:b:a:")) >= 0) {
        if (option == 'n')
            choices->requests = strtol(optarg, NULL, 10);
        else if (option == 'c')
            choices->in_flight = strtol(optarg, NULL, 10);
        else if (option == 'h')
            choices->hosts = strtol(optarg, NULL, 10);
        else if (option == 'b')
            choices->body = strtoul(optarg, NULL, 10);
        else if (option == 'a')
            choices->ca_file = optarg;
        else
            return false;
    }
    if (optind != argc - 1 || choices->hosts < 1 || choices->in_flight < 1)
        return false;
    choices->url = argv[optind];
    return true;
}

static struct http_engine *new_engine(struct event_base *base, const struct choices *choices,
                                      struct error *error)
{
    const struct http_options options = {
        .allow_count = 1,
        .allow = &loopback,
        .proxy = "",
        .source_address = "",
        .ca_file = choices->ca_file,
        .connect_timeout_ms = 5000,
        .connection_lifetime_ms = 120000,
        .max_response_bytes = (int64_t)64 * 1024,
        .max_connections = IDLE_CONNECTIONS,
        .max_tls_connections = IDLE_CONNECTIONS,
    };

    return http_engine_new(base, &options, on_finished, error);
}

/* Connects first; then the requests that count. */
static void measure(struct run *run, struct event_base *base, const struct choices *choices)
{
    long first = choices->hosts > choices->in_flight ? choices->hosts : choices->in_flight;
    int64_t cpu = cpu_us();
    int64_t wall;

    turn_until_done(run, base, first, choices->in_flight);
    printf("%s, %ld hosts, connecting: %.1f us of CPU each; ", choices->url, run->hosts,
           (double)(cpu_us() - cpu) / (double)first);
    run->reused = 0;
    cpu = cpu_us();
    wall = clock_monotonic_us();
    turn_until_done(run, base, choices->requests, choices->in_flight);
    cpu = cpu_us() - cpu;
    wall = clock_monotonic_us() - wall;
    printf("%ld requests, %ld in flight: %.2f us of CPU each, %.0f/s, %ld failed, %ld reused\n",
           choices->requests, choices->in_flight, (double)cpu / (double)choices->requests,
           (double)choices->requests * 1e6 / (double)wall, run->failed, run->reused);
}

int main(int argc, char **argv)
{
    struct choices choices = {
        .ca_file = "", .requests = 100000, .in_flight = 64, .hosts = 1, .body = 1000};
    struct event_base *base;
    struct run run = {0};
    struct error error;

    if (!read_choices(&choices, argc, argv)) {
        fprintf(stderr, "usage: bench_http_engine [-n REQUESTS] [-c IN_FLIGHT] [-h HOSTS] "
                        "[-b BODY_BYTES] [-a CA_FILE] URL\n");
        return 2;
    }
    run.hosts = choices.hosts;
    run.urls = make_urls(choices.url, choices.hosts);
    run.request = (struct http_request){
        .headers = headers,
        .headers_count = ARRAY_LENGTH(headers),
        .body = memset(memory_new(choices.body + 1, 1), 'x', choices.body),
        .body_length = choices.body,
        .timeout_ms = 30000,
    };
    base = event_base_new();
    run.engine = new_engine(base, &choices, &error);
    if (run.engine == NULL) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    measure(&run, base, &choices);
    http_engine_free(run.engine);
    event_base_free(base);
    for (long i = 0; i < run.hosts; i++)
        free(run.urls[i]);
    free(run.urls);
    free((void *)run.request.body);
    return run.failed == 0 ? 0 : 1;
}
