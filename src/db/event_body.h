/* SPDX-License-Identifier: MIT */
/*
 * db/event_body.h: the body that is sent for an event, in the shape that Standard Webhooks
 * recommends: {"type":…,"timestamp":…,"data":…}.
 *
 * It is made of the event's row alone, in UTC whatever the settings, so it is the same bytes for
 * every endpoint and attempt. What is asked of a body (its size, its text) is asked of this.
 */
#ifndef POSTRIDER_DB_EVENT_BODY_H
#define POSTRIDER_DB_EVENT_BODY_H

/* The body as text; e is the name of a row of webhook_events. */
#define SQL_EVENT_BODY(e)                                                               \
    "'{\"type\":' || to_json(" e ".event_type::text)::text || ',\"timestamp\":\"' || "  \
    "to_char(" e ".created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')" \
    " || '\",\"data\":' || " e ".payload::text || '}'"

#endif
