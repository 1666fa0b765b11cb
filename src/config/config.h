/* SPDX-License-Identifier: MIT */
/*
 * config.h: the settings of one configuration file.
 *
 * Loaded by config/load.h, checked as a whole, and never changed afterwards: a reload makes a new
 * one and replaces the old. Every key, its type, range, default and description stand once, in
 * config/options.c. Owned by whoever loaded it, who gives it to config_free().
 * CONTRIBUTING.md says what a new option needs.
 */
#ifndef POSTRIDER_CONFIG_CONFIG_H
#define POSTRIDER_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "core/address.h"
#include "core/client_certificate.h"
#include "core/retry.h"
#include "core/revocation.h"
#include "core/sealed_secret.h"

#define CONFIG_OPTIONS_MAX 96 /* lines of the table in options.c */

enum config_alerts { ALERTS_AUTO, ALERTS_ALWAYS, ALERTS_NEVER };
enum config_attempt_log { ATTEMPT_LOG_FAILURES, ATTEMPT_LOG_ALL, ATTEMPT_LOG_NONE };

/* "Name: value" pairs that were accepted by header_check(). */
struct config_header {
    char *name;
    char *value;
};

struct config_headers {
    size_t count;
    struct config_header *list;
};

struct config {
    char *file; /* as given, for messages; "" = defaults only */
    /* By the option's place in the table: it stood in the file. */
    bool is_set[CONFIG_OPTIONS_MAX];
    struct {
        char *url;    /* any libpq URI or keyword string */
        char *schema; /* "" = the connection's search_path */
    } database;
    struct {
        int64_t max_in_flight;
        int64_t max_buffered_bytes;
        int64_t poll_interval_ms;
        int64_t lease_ms;
        int64_t drain_timeout_ms;
    } worker;
    struct {
        int64_t timeout_ms;
        int64_t connect_timeout_ms;
        int64_t max_payload_bytes;
        int64_t max_response_bytes;
        struct config_headers headers;
    } delivery;
    struct retry_policy retry;
    struct {
        int64_t max_in_flight;
        int64_t max_in_flight_per_origin;
        double rate_limit; /* per second, 0 = none */
        int64_t breaker_failures;
        int64_t breaker_max_interval_ms;
        int64_t disable_after_ms; /* 0 = never */
    } endpoint;
    struct {
        char *secret_file; /* "" = none; as given */
        struct secret_set secrets;
        char *key_file; /* "" = none; as given */
        struct sealing_keys keys;
    } signing;
    struct {
        size_t allow_count;
        struct address_range *allow;
        bool https_only;
        char *proxy;          /* "" = none */
        char *source_address; /* "" = any */
        int64_t connection_lifetime_ms;
        char *ca_file;  /* "" = the system's; ready to be opened */
        char *crl_file; /* "" = none; as it is opened */
        struct revocation_lists revocations;
        char *client_certificates; /* the directory, "" = none; as it is opened */
        struct client_certificates certificates;
    } network;
    enum config_attempt_log attempt_log;
    struct {
        int64_t delivered_ms;
        int64_t failed_ms;
        int64_t events_ms;
        int64_t payload_ms;
        int64_t idempotency_keys_ms;
        int64_t history_ms;
    } retention;
    struct {
        char *listen; /* ADDRESS:PORT, or unix:PATH */
        size_t hosts_count;
        char **hosts; /* besides loopback's names */
        int64_t max_body_bytes;
        int64_t max_connections;
        char *customers_role; /* as which it asks for a customer; never "" */
    } http;
    struct {
        enum config_alerts enabled;
        char *url;      /* "" = the log and "status" alone */
        char *customer; /* whose secret signs; "" = none */
        int64_t interval_ms;
        int64_t remind_ms; /* 0 = never */
        /* What is watched; 0 or false = it is not. */
        int64_t dead_letters; /* within window_ms */
        int64_t window_ms;
        int64_t oldest_due_ms;          /* of endpoints that answer */
        int64_t oldest_due_receiver_ms; /* of those that fail */
        int64_t unowned_lanes_ms;
        int64_t database_ms;
        bool endpoints;
        bool blocked_keys;
        bool audit;
    } alerts;
    struct {
        char *listen; /* as http.listen; "" = off */
    } metrics;
    struct {
        enum log_level level;
        enum log_format format;
    } log;
    struct {
        char *url; /* of an OTLP/HTTP collector; "" = off */
        struct config_headers headers;
        double sample; /* the share of attempts without a traceparent that get a span */
    } tracing;
};

#endif
