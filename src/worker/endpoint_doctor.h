/* SPDX-License-Identifier: MIT */
/*
 * worker/endpoint_doctor.h: what is wrong with an endpoint, found out without sending an event.
 *
 * First what its row and the configuration say; then its name and the border's verdict on each of
 * its addresses; then a HEAD request on a new connection, without body, signature and the
 * endpoint's headers, whatever it is answered with: RFC 9110, 9.2.1, calls it safe, and a server
 * that answers 405 is fine. TLS is looked at where it happens (http/inspection.h). What it has shown
 * is said by worker/receiver_verdicts.h.
 *
 * Behind a proxy the name is the proxy's to resolve, and no address is known.
 */
#ifndef POSTRIDER_WORKER_ENDPOINT_DOCTOR_H
#define POSTRIDER_WORKER_ENDPOINT_DOCTOR_H

#include "worker/endpoint_check.h"

#define ENDPOINT_DOCTOR_RESOLVE_MS 15000

/* False: nobody is to be asked, and the verdicts say why. Else the check's resolution is to be waited
 * for, when there is one. */
bool endpoint_doctor_begin(struct endpoint_check *check, const struct endpoint_check_taken *taken);

/* When the name is resolved, or its time is over. False: there is nothing to connect to. */
bool endpoint_doctor_note_addresses(struct endpoint_check *check);

/* The request that is to be made then, for receiver_verdicts_add(). */
struct http_request endpoint_doctor_request(struct endpoint_check *check);

#endif
