/* SPDX-License-Identifier: MIT */
/*
 * http/url.h: which URLs can be posted to. libcurl's own parser decides, so that what was checked
 * is what will be connected to.
 *
 * URLs are UTF-8. libcurl turns an international host name into ASCII by the charset of the
 * process's locale, which a service often lacks; url_to_ascii() does it under a locale of its own.
 */
#ifndef POSTRIDER_HTTP_URL_H
#define POSTRIDER_HTTP_URL_H

#include <stdbool.h>

#include "base/error.h"
#include "core/address.h"

#define URL_MAX_BYTES 8192

/*
 * True when url is an absolute http or https URL (https alone with https_only) of at most
 * URL_MAX_BYTES, with a host, without credentials, control characters, blanks or backslashes.
 * International host names are allowed. The error quotes at most the start of it.
 */
bool url_check(const char *url, bool https_only, struct error *error) MUST_USE;

/*
 * Sets ret_ascii to the URL with its host name in ASCII (IDNA), for the caller to free(), or to
 * NULL when url can be used as it is. False when the name has no ASCII form.
 */
bool url_to_ascii(const char *url, char **ret_ascii, struct error *error) MUST_USE;

/* Scheme, host and port in lower case, as in "https://example.com:443", for the caller to free();
 * NULL when url has none. */
char *url_origin(const char *url) MUST_USE;

/* True when the host of url is an IP address in any of the forms that libcurl takes for one; also
 * says which port it leads to. */
bool url_literal_address(const char *url, struct address *ret_address, int *ret_port);

/* The same for names whose address is known without asking: this machine's own (RFC 6761, 6.3) and
 * those of clouds' metadata services. For whoever leaves names to a proxy. */
bool url_known_address(const char *url, struct address *ret_address, int *ret_port);

#endif
