/* SPDX-License-Identifier: MIT */
/*
 * config/checks.h: what a text option may be, beyond being text.
 *
 * Each returns true, or false with what is wrong in error, as a clause without its subject ("has
 * no host"). None of them quotes its text: it may hold a password. They are called for texts other
 * than "" and open no file; files are looked at by config/files.h.
 */
#ifndef POSTRIDER_CONFIG_CHECKS_H
#define POSTRIDER_CONFIG_CHECKS_H

#include <stdbool.h>

#include "base/error.h"

/*
 * All that libpq would find wrong before it connects: found later, libpq's message would quote what
 * may be a piece of the password, and a worker would wait for a database that can't be reached.
 */
bool check_database_url(const char *text, struct error *error) MUST_USE;

/* scheme://[user[:password]@]host[:port] with http, https or socks5 */
bool check_proxy(const char *text, struct error *error) MUST_USE;

/* An IPv4 or IPv6 address, or what can be the name of a network interface. */
bool check_source_address(const char *text, struct error *error) MUST_USE;

/* Refuses a secret where the name of its file belongs. */
bool check_secret_file(const char *text, struct error *error) MUST_USE;

/* Of http.listen and metrics.listen: ADDRESS:PORT with numbers, or unix:/PATH. */
bool check_listen(const char *text, struct error *error) MUST_USE;

/* Of an entry of http.hosts: a name, or an address, as it stands in Host without its port. */
bool check_host_name(const char *text, struct error *error) MUST_USE;

/* Of http.customers_role: SET ROLE takes "none" for the role that has logged in. */
bool check_customers_role(const char *text, struct error *error) MUST_USE;

/* Of alerts.url: http:// or https:// and a host; the worker checks it as every endpoint's. */
bool check_alerts_url(const char *text, struct error *error) MUST_USE;

/* Of tracing.url: the same. */
bool check_tracing_url(const char *text, struct error *error) MUST_USE;

/* A customer's id. */
bool check_customer(const char *text, struct error *error) MUST_USE;

#endif
