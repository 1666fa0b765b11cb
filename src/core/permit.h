/* SPDX-License-Identifier: MIT */
/*
 * core/permit.h: what one endpoint may do at the border that others may not: reach ranges that are
 * exempt from the address check for it alone, and show a client certificate.
 *
 * Made from an endpoint's row. Equal permits have equal keys, whatever the order in which their
 * ranges were written; the key separates everything that must not be shared with others. An
 * endpoint without anything of its own has no permit: NULL.
 */
#ifndef POSTRIDER_CORE_PERMIT_H
#define POSTRIDER_CORE_PERMIT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "core/address.h"

#define PERMIT_RANGES_MAX 64
#define PERMIT_NAME_MAX   100 /* bytes of a certificate's name */

struct permit {
    char *key;
    size_t allow_count;
    struct address_range *allow;
    char *client_certificate; /* its name; NULL = none */
};

/*
 * allow: ranges as address_range_parse() reads them, one a line; NULL or "" = none.
 * client_certificate: a name; NULL = none. Sets *ret_permit, for permit_free(), to NULL when there
 * is nothing in it. False with error: something can't be read, and no permit is made at all.
 */
bool permit_make(const char *allow, const char *client_certificate, struct permit **ret_permit,
                 struct error *error) MUST_USE;

/* True for what a certificate may be called: letters, digits, "_", "-" and ".", not first. */
bool permit_is_name(const char *text);

void permit_free(struct permit *permit);

#endif
