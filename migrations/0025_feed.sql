-- Feeds: who can't be reached fetches the events that an endpoint subscribes to, in the order of transactions and only
-- behind the oldest that still runs. So no cursor is passed by a transaction that commits late.

-- An endpoint with an empty URL is pull-only: it has a feed, and no deliveries.
ALTER TABLE webhook_endpoints DROP CONSTRAINT webhook_endpoints_url_check;

-- As it was (0014_events.sql), but that nothing is sent to an endpoint without a URL.
CREATE OR REPLACE FUNCTION webhook_event_subscribers(customer uuid, event_type text, payload jsonb)
RETURNS TABLE (endpoint_id uuid, customer_id uuid, url varchar)
LANGUAGE plpgsql STABLE ROWS 10 SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    patterns CONSTANT text[] := webhook_event_patterns($2);
    keys CONSTANT text[] := webhook_subscription_keys($1::text, patterns)
        OPERATOR(pg_catalog.||) webhook_subscription_keys('*', patterns);
BEGIN
    RETURN QUERY
    SELECT e.id, e.customer_id, e.url FROM webhook_endpoints e
    WHERE e.event_types IS NOT NULL
      AND webhook_subscription_keys(
              CASE WHEN e.all_customers THEN '*' ELSE e.customer_id::text END, e.event_types)
          OPERATOR(pg_catalog.&&) keys
      AND (e.filter IS NULL OR $3 OPERATOR(pg_catalog.@>) e.filter)
      AND e.url::text OPERATOR(pg_catalog.<>) '';
END
$$;

-- As it was (0018_ordering.sql), but that what is pending for an endpoint that becomes pull-only has failed: the feed
-- has its event.
CREATE OR REPLACE FUNCTION webhook_endpoints_moved() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
DECLARE
    timeout interval;
BEGIN
    PERFORM set_config('search_path', 'pg_catalog, ' || quote_ident(TG_TABLE_SCHEMA) || ', pg_temp', true);
    IF NEW.url::text OPERATOR(pg_catalog.=) '' THEN
        UPDATE webhook_deliveries d SET status = 'failed', last_error = 'not sent: the endpoint is pull-only now'
        WHERE d.endpoint_id OPERATOR(pg_catalog.=) OLD.id
          AND d.status::text OPERATOR(pg_catalog.=) 'pending'
          AND hashtextextended(d.webhook_url::text, 0) OPERATOR(pg_catalog.=) hashtextextended(OLD.url::text, 0);
        RETURN NULL;
    END IF;
    timeout := COALESCE(GREATEST(OLD.timeout, NEW.timeout, (SELECT max(w.timeout) FROM webhook_workers w)),
                        interval '1 minute');
    UPDATE webhook_deliveries d SET webhook_url = NEW.url, customer_id = NEW.customer_id,
        next_retry_at = CASE WHEN d.ordering_key IS NULL THEN d.next_retry_at
                             ELSE GREATEST(d.next_retry_at, clock_timestamp() + timeout) END
    WHERE d.endpoint_id OPERATOR(pg_catalog.=) OLD.id
      AND d.status::text OPERATOR(pg_catalog.=) 'pending'
      AND hashtextextended(d.webhook_url::text, 0) OPERATOR(pg_catalog.=) hashtextextended(OLD.url::text, 0);
    RETURN NULL;
END
$$;

-- The order is true only where each event has the id of the transaction that published it, whatever the publisher says.
CREATE FUNCTION webhook_events_numbered() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.transaction_id := pg_catalog.pg_current_xact_id();
    RETURN NEW;
END
$$;
CREATE TRIGGER webhook_events_numbered BEFORE INSERT ON webhook_events
    FOR EACH ROW
    WHEN (NEW.transaction_id <> pg_current_xact_id())
    EXECUTE FUNCTION webhook_events_numbered();

-- A part of what a cursor's epoch is made of (src/db/queries.c); "postrider migrate" changes it when it numbers events
-- anew that came from another installation.
CREATE TABLE webhook_feed_epoch (
    epoch uuid NOT NULL DEFAULT gen_random_uuid(),
    since timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX webhook_feed_epoch_one ON webhook_feed_epoch ((true));
INSERT INTO webhook_feed_epoch DEFAULT VALUES;

-- Once an hour, where transactions had come to: what lies between two marks is an hour of a feed. By times it could
-- not be told when an hour is complete: a transaction that began in it may run for days, and who looks may not see
-- since when.
CREATE TABLE webhook_feed_marks (
    marked_at timestamptz PRIMARY KEY,
    transaction_id xid8 NOT NULL -- the first that had not begun to write
);
CREATE UNIQUE INDEX webhook_feed_marks_hour ON webhook_feed_marks (date_trunc('hour', marked_at AT TIME ZONE 'UTC'));
INSERT INTO webhook_feed_marks VALUES (clock_timestamp(), pg_snapshot_xmax(pg_current_snapshot()));

-- What customers see of it (0022_customers.sql); transactions are everybody's.
CREATE VIEW webhook_customer_feed WITH (security_barrier = true, check_option = cascaded) AS
    SELECT e.id, e.customer_id, e.event_type, e.payload, e.ordering_key, e.correlation_id, e.causation_id,
           e.traceparent, e.deliver_after, e.transaction_id, e.created_at, e.erased_at
    FROM webhook_events e
    WHERE e.customer_id = (SELECT current_setting('postrider.customer')::uuid)
    ORDER BY e.transaction_id, e.id;
CREATE VIEW webhook_customer_epoch WITH (security_barrier = true, check_option = cascaded) AS
    SELECT o.epoch FROM webhook_feed_epoch o
    WHERE current_setting('postrider.customer')::uuid IS NOT NULL;
CREATE VIEW webhook_customer_marks WITH (security_barrier = true, check_option = cascaded) AS
    SELECT k.marked_at, k.transaction_id FROM webhook_feed_marks k
    WHERE current_setting('postrider.customer')::uuid IS NOT NULL;
