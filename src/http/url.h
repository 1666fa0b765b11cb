/*
 * http/url.h: which URLs can be posted to. libcurl's own parser decides, so that what was checked
 * is what will be connected to.
 */
#ifndef POSTRIDER_HTTP_URL_H
#define POSTRIDER_HTTP_URL_H

#include <stdbool.h>

#include "base/error.h"

#define URL_MAX_BYTES 8192

/*
 * True when url is an absolute http or https URL (https alone with https_only) of at most
 * URL_MAX_BYTES, with a host, without credentials, control characters or blanks. International host
 * names are allowed. The error quotes at most the start of it.
 */
bool url_check(const char *url, bool https_only, struct error *error) MUST_USE;

#endif
