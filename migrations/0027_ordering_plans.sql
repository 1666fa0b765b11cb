-- The first of an ordering key is found by the key's own index, whatever the statistics say. Where they were gathered
-- while hardly anything was pending, which is how a table is most of the time, an index of what is pending seems to
-- hold next to nothing, and was read through for each key. That "(status = 'pending') >= true" implies "status =
-- 'pending'" is not seen by the planner, so that it can't take such an index, and the order is the key's index's.
CREATE OR REPLACE FUNCTION webhook_ordering_head(endpoint uuid, key text, OUT head uuid, OUT is_blocked boolean)
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    number bigint;
BEGIN
    SELECT d.id, d.ordering_sequence INTO head, number FROM webhook_deliveries d
    WHERE d.endpoint_id OPERATOR(pg_catalog.=) $1 AND d.ordering_key::text OPERATOR(pg_catalog.=) $2
      AND (d.status::text OPERATOR(pg_catalog.=) 'pending') OPERATOR(pg_catalog.>=) true
    ORDER BY (d.status::text OPERATOR(pg_catalog.=) 'pending'), d.ordering_sequence LIMIT 1;
    SELECT d.status::text OPERATOR(pg_catalog.=) 'failed' INTO is_blocked FROM webhook_deliveries d
    WHERE d.endpoint_id OPERATOR(pg_catalog.=) $1 AND d.ordering_key::text OPERATOR(pg_catalog.=) $2
      AND (d.status::text OPERATOR(pg_catalog.=) 'pending') IS FALSE
      AND d.ordering_sequence OPERATOR(pg_catalog.<) COALESCE(number, 9223372036854775807)
    ORDER BY d.ordering_sequence DESC LIMIT 1;
    is_blocked := COALESCE(is_blocked, false) AND EXISTS (
        SELECT FROM webhook_endpoints e
        WHERE e.id OPERATOR(pg_catalog.=) $1 AND e.ordering::text OPERATOR(pg_catalog.=) 'block');
END
$$;

-- As it was, but that its row is found by its id, and by no index of what is pending.
CREATE OR REPLACE FUNCTION webhook_ordering_promote(endpoint uuid, key text) RETURNS void
LANGUAGE plpgsql SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    first record;
BEGIN
    first := webhook_ordering_head($1, $2);
    IF first.head IS NULL OR first.is_blocked THEN
        RETURN;
    END IF;
    UPDATE webhook_deliveries d
    SET next_retry_at = GREATEST(clock_timestamp(), (
        SELECT e.deliver_after FROM webhook_events e WHERE e.id OPERATOR(pg_catalog.=) d.event_id))
    WHERE d.id OPERATOR(pg_catalog.=) first.head
      AND (d.status::text OPERATOR(pg_catalog.=) 'pending') OPERATOR(pg_catalog.>=) true
      AND (d.next_retry_at OPERATOR(pg_catalog.=) 'infinity'
           OR d.next_retry_at OPERATOR(pg_catalog.<=) clock_timestamp());
END
$$;

-- As it was (0018_ordering.sql), but that each key's first is looked for once: it was once for each event.
CREATE OR REPLACE FUNCTION webhook_events_fan_out() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
BEGIN
    PERFORM set_config('search_path', 'pg_catalog, ' || quote_ident(TG_TABLE_SCHEMA) || ', pg_temp', true);
    INSERT INTO webhook_deliveries
        (event_id, endpoint_id, customer_id, webhook_url, event_type, next_retry_at)
    SELECT n.id, s.endpoint_id, s.customer_id, s.url, n.event_type,
           GREATEST(n.deliver_after, clock_timestamp())
    FROM inserted n
    CROSS JOIN LATERAL webhook_event_subscribers(n.customer_id, n.event_type::text, n.payload) s
    WHERE n.ordering_key IS NULL;

    IF NOT EXISTS (SELECT FROM inserted WHERE ordering_key IS NOT NULL) THEN
        RETURN NULL;
    END IF;
    -- Until the end of the transaction, so that numbers are given in the order of commits. In ascending order: two
    -- statements with the same keys, whatever the order of their rows, don't wait for each other in a circle.
    PERFORM pg_advisory_xact_lock(TG_RELID::integer, b.bucket)
    FROM (SELECT DISTINCT webhook_ordering_bucket(customer_id, ordering_key::text) AS bucket
          FROM inserted WHERE ordering_key IS NOT NULL ORDER BY 1 OFFSET 0) b;
    -- Only now is it looked whether something of the key is there: a new statement has a new snapshot. Where the
    -- transaction has one for all of its statements, workers look again. The customer is in the key where it is
    -- not the endpoint's own.
    WITH subscribed AS (
        SELECT n.id AS event_id, s.endpoint_id, s.customer_id, s.url, n.event_type, n.deliver_after, n.position,
               CASE WHEN s.customer_id OPERATOR(pg_catalog.=) n.customer_id THEN n.ordering_key::text
                    ELSE n.customer_id::text || ':' || n.ordering_key::text END AS key
        FROM (SELECT i.*, row_number() OVER () AS position FROM inserted i) n
        CROSS JOIN LATERAL webhook_event_subscribers(n.customer_id, n.event_type::text, n.payload) s
        WHERE n.ordering_key IS NOT NULL
    ), placed AS (
        SELECT r.*, row_number() OVER (PARTITION BY r.endpoint_id, r.key ORDER BY r.position) AS place
        FROM subscribed r
    ), heads AS MATERIALIZED (
        -- All before the first is inserted: a look at the index would walk over those that this statement has
        -- inserted, and can't see.
        SELECT k.endpoint_id, k.key, h.head, h.is_blocked
        FROM (SELECT DISTINCT endpoint_id, key FROM subscribed) k
        CROSS JOIN LATERAL webhook_ordering_head(k.endpoint_id, k.key) h
    ), made AS (
        INSERT INTO webhook_deliveries
            (event_id, endpoint_id, customer_id, webhook_url, event_type, next_retry_at, ordering_key,
             ordering_sequence)
        SELECT p.event_id, p.endpoint_id, p.customer_id, p.url, p.event_type,
               CASE WHEN p.place > 1 OR p.head IS NOT NULL OR p.is_blocked THEN 'infinity'
                    ELSE GREATEST(p.deliver_after, clock_timestamp()) END,
               p.key, nextval('webhook_ordering')
        FROM (SELECT a.*, h.head, h.is_blocked FROM placed a
              JOIN heads h ON h.endpoint_id OPERATOR(pg_catalog.=) a.endpoint_id
                          AND h.key OPERATOR(pg_catalog.=) a.key
              ORDER BY a.position, a.endpoint_id OFFSET 0) p
        RETURNING event_id, endpoint_id, ordering_key
    )
    INSERT INTO webhook_promotions (event_id, endpoint_id, ordering_key)
    SELECT DISTINCT ON (endpoint_id, ordering_key) event_id, endpoint_id, ordering_key FROM made
    WHERE current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted');
    RETURN NULL;
END
$$;
