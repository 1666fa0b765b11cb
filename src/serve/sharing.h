/* SPDX-License-Identifier: MIT */
/*
 * serve/sharing.h: one question for all who ask the same at about the same time.
 *
 * Ten open pages ask for the same overview every 2 s. Who says that an answer may be a little old
 * (Cache-Control: max-age=SECONDS, RFC 9111, 5.2.1.1; SHARING_AGE_MAX_S at most) gets one that was
 * given to somebody else, with its Age, or waits for the answer to a question that is under way.
 * Who doesn't say so, as programs that have just changed something, gets one of their own.
 *
 * Only for what is the same for everybody who may ask: a customer's token never gets an answer
 * from here, nor gives one. Whether a token may ask at all was judged before. At most
 * SHARING_ANSWERS are kept, of up to SHARING_BODY_MAX bytes each.
 */
#ifndef POSTRIDER_SERVE_SHARING_H
#define POSTRIDER_SERVE_SHARING_H

#include "serve/route.h"

#define SHARING_AGE_MAX_S 60
#define SHARING_ANSWERS   16
#define SHARING_BODY_MAX  262144 /* bytes */

void sharing_init(struct serve *serve);
/* After the questions. */
void sharing_free(struct serve *serve);

/* As api_ask(). */
void sharing_ask(struct call *call);

#endif
