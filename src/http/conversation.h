/* SPDX-License-Identifier: MIT */
/*
 * http/conversation.h: carrying a transfer: on a kept connection or a new one, writing its request,
 * reading its answer, and what becomes of both in the end.
 *
 * An answer that comes before the request was written to its end is taken, and the rest of the
 * request is never sent. A connection is kept only after a request that was written to its end and
 * an answer that ended by its own rules, with not a byte behind it.
 *
 * A request goes out twice in one attempt only when a kept connection ends under it before it was
 * written to its end and before a byte of an answer: then the receiver can't have had all of it.
 * Where it was written to its end, nobody can tell whether the receiver took it, and the attempt
 * has failed; what is learned of the origin says pool.h.
 *
 * Time: libcurl watches over both time-outs while it connects, the transfer's timer afterwards. The
 * timer is not stopped when an answer comes: it is left to fire, and set again for what is then on
 * its way, so that a request costs no change of the loop's timers.
 */
#ifndef POSTRIDER_HTTP_CONVERSATION_H
#define POSTRIDER_HTTP_CONVERSATION_H

#include <curl/curl.h>

struct connection;
struct transfer;

/* Starts an active transfer. Its end is never told from inside this call. */
void conversation_begin(struct transfer *transfer);

/* Gives an active transfer up, without a word. */
void conversation_cancel(struct transfer *transfer);

/* What happens to the connection of a transfer. */
void conversation_on_dialed(struct connection *connection, CURLcode code);
void conversation_on_readable(struct transfer *transfer);
void conversation_on_writable(struct transfer *transfer);

/* The transfer's timer, which can also fire when it is not active, or long before its deadline. */
void conversation_on_timer(struct transfer *transfer);

#endif
