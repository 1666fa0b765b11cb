-- Order: deliveries of events with an ordering_key go out one after another for each endpoint, customer and key, in
-- the order of their publishers' commits.

ALTER TABLE webhook_events
    DROP CONSTRAINT webhook_events_ordering_key_check,
    -- It goes out as a header.
    ADD CONSTRAINT webhook_events_ordering_key_check
        CHECK (octet_length(ordering_key) BETWEEN 1 AND 255 AND ordering_key !~ '[[:cntrl:]]');

ALTER TABLE webhook_endpoints
    -- What a dead letter means for those behind it in its key: 'skip', the next one goes on; 'block', they wait until
    -- somebody replays or discards it.
    ADD COLUMN ordering varchar NOT NULL DEFAULT 'skip'
        CONSTRAINT webhook_endpoints_ordering_check CHECK (ordering IN ('skip', 'block'));

-- The number of a delivery in its key. It is taken under the lock of its key, so it is in the order of commits.
CREATE SEQUENCE webhook_ordering;

-- Keys of which a promotion may have been missed: the one who ended a delivery and the one who published the next
-- could not see each other. Workers try again until they could.
CREATE TABLE webhook_promotions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id uuid NOT NULL, -- of the delivery that was ended, or published
    endpoint_id uuid NOT NULL,
    ordering_key varchar NOT NULL,
    noted_at timestamptz NOT NULL DEFAULT now()
);

-- Locks are of 1,024 buckets and not of keys, of which one statement may have more than there is room for locks.
CREATE FUNCTION webhook_ordering_bucket(customer uuid, ordering_key text) RETURNS integer
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT pg_catalog.hashtext($1::text OPERATOR(pg_catalog.||) ':' OPERATOR(pg_catalog.||) $2)
           OPERATOR(pg_catalog.&) 1023
$$;

-- The first of a key that has not ended, when it may go: nothing of the key is before it, or what is before it is no
-- dead letter that blocks. By the index of the key alone, whatever the statistics say.
CREATE FUNCTION webhook_ordering_head(endpoint uuid, key text, OUT head uuid, OUT is_blocked boolean)
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    number bigint;
BEGIN
    SELECT d.id, d.ordering_sequence INTO head, number FROM webhook_deliveries d
    WHERE d.endpoint_id OPERATOR(pg_catalog.=) $1 AND d.ordering_key::text OPERATOR(pg_catalog.=) $2
      AND (d.status::text OPERATOR(pg_catalog.=) 'pending') ORDER BY d.ordering_sequence LIMIT 1;
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

-- Makes the first of a key due, unless it is due or waits for its time.
CREATE FUNCTION webhook_ordering_promote(endpoint uuid, key text) RETURNS void
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
    WHERE d.id OPERATOR(pg_catalog.=) first.head AND d.status::text OPERATOR(pg_catalog.=) 'pending'
      AND (d.next_retry_at OPERATOR(pg_catalog.=) 'infinity'
           OR d.next_retry_at OPERATOR(pg_catalog.<=) clock_timestamp());
END
$$;

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
    ), made AS (
        INSERT INTO webhook_deliveries
            (event_id, endpoint_id, customer_id, webhook_url, event_type, next_retry_at, ordering_key,
             ordering_sequence)
        SELECT p.event_id, p.endpoint_id, p.customer_id, p.url, p.event_type,
               CASE WHEN p.place > 1 OR p.head IS NOT NULL OR p.is_blocked THEN 'infinity'
                    ELSE GREATEST(p.deliver_after, clock_timestamp()) END,
               p.key, nextval('webhook_ordering')
        -- Once for each key, and all before the first is inserted: a look at the index would walk over those that
        -- this statement has inserted, and can't see.
        FROM (SELECT a.*, h.head, h.is_blocked FROM placed a
              LEFT JOIN LATERAL (SELECT l.head, l.is_blocked FROM webhook_ordering_head(a.endpoint_id, a.key) l
                                 WHERE a.place OPERATOR(pg_catalog.=) 1) h ON true
              ORDER BY a.position, a.endpoint_id OFFSET 0) p
        RETURNING event_id, endpoint_id, ordering_key
    )
    INSERT INTO webhook_promotions (event_id, endpoint_id, ordering_key)
    SELECT DISTINCT ON (endpoint_id, ordering_key) event_id, endpoint_id, ordering_key FROM made
    WHERE current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted');
    RETURN NULL;
END
$$;

-- True when nobody is just publishing with the event's key, and nobody will before this transaction has ended. An event
-- that is not there is of no known key.
CREATE FUNCTION webhook_ordering_is_quiet(event uuid) RETURNS boolean LANGUAGE plpgsql
SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN COALESCE((
        SELECT pg_try_advisory_xact_lock_shared('webhook_events'::regclass::integer,
                                                webhook_ordering_bucket(e.customer_id, e.ordering_key::text))
        FROM webhook_events e WHERE e.id OPERATOR(pg_catalog.=) $1 AND e.ordering_key IS NOT NULL), true);
END
$$;

-- When a delivery has ended, whoever ended it, the next of its key is due, in the same transaction. (Workers say that
-- they do it themselves, for all outcomes of a batch together: src/db/ordering.h.) The lock comes
-- first: who publishes after it sees that this one has ended; who had published before is seen by the next statement,
-- or is noted.
CREATE FUNCTION webhook_deliveries_ended() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NEW.status IS NOT DISTINCT FROM OLD.status THEN
            RETURN NULL;
        END IF;
    END IF;
    PERFORM set_config('search_path', 'pg_catalog, ' || quote_ident(TG_TABLE_SCHEMA) || ', pg_temp', true);
    IF NOT webhook_ordering_is_quiet(OLD.event_id) THEN
        INSERT INTO webhook_promotions (event_id, endpoint_id, ordering_key)
        VALUES (OLD.event_id, OLD.endpoint_id, OLD.ordering_key);
    END IF;
    PERFORM webhook_ordering_promote(OLD.endpoint_id, OLD.ordering_key::text);
    RETURN NULL;
END
$$;

CREATE TRIGGER webhook_deliveries_ended AFTER UPDATE OF status ON webhook_deliveries
    FOR EACH ROW
    WHEN (OLD.ordering_key IS NOT NULL AND NEW.status <> 'pending'
          AND current_setting('postrider.promotion', true) IS DISTINCT FROM 'worker')
    EXECUTE FUNCTION webhook_deliveries_ended();
CREATE TRIGGER webhook_deliveries_taken AFTER DELETE ON webhook_deliveries
    FOR EACH ROW
    WHEN (OLD.ordering_key IS NOT NULL AND OLD.status <> 'delivered')
    EXECUTE FUNCTION webhook_deliveries_ended();

-- Who deletes a note has the key looked at; the note goes once nobody publishes with the key. So a worker needs
-- nothing but to delete.
CREATE FUNCTION webhook_promotions_tried() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
DECLARE
    is_quiet boolean;
BEGIN
    PERFORM set_config('search_path', 'pg_catalog, ' || quote_ident(TG_TABLE_SCHEMA) || ', pg_temp', true);
    is_quiet := webhook_ordering_is_quiet(OLD.event_id);
    PERFORM webhook_ordering_promote(OLD.endpoint_id, OLD.ordering_key::text);
    RETURN CASE WHEN is_quiet THEN OLD END;
END
$$;

CREATE TRIGGER webhook_promotions_tried BEFORE DELETE ON webhook_promotions
    FOR EACH ROW EXECUTE FUNCTION webhook_promotions_tried();

-- The worker's delivery.timeout; NULL: a version that does not say.
ALTER TABLE webhook_workers ADD COLUMN timeout interval;

-- As it was (0014_events.sql), but that an ordered delivery which may be in flight to the old URL waits until that has
-- ended, by the longest timeout that there is: else the next of its key could begin before.
CREATE OR REPLACE FUNCTION webhook_endpoints_moved() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
DECLARE
    timeout interval;
BEGIN
    PERFORM set_config('search_path', 'pg_catalog, ' || quote_ident(TG_TABLE_SCHEMA) || ', pg_temp', true);
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

-- An endpoint that blocks no more lets go what it had blocked.
CREATE FUNCTION webhook_endpoints_unblocked() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
BEGIN
    PERFORM set_config('search_path', 'pg_catalog, ' || quote_ident(TG_TABLE_SCHEMA) || ', pg_temp', true);
    PERFORM webhook_ordering_promote(NEW.id, k.ordering_key)
    FROM (SELECT DISTINCT d.ordering_key::text AS ordering_key FROM webhook_deliveries d
          WHERE d.endpoint_id OPERATOR(pg_catalog.=) NEW.id AND d.ordering_key IS NOT NULL
            AND d.status::text OPERATOR(pg_catalog.=) 'pending') k;
    RETURN NULL;
END
$$;

CREATE TRIGGER webhook_endpoints_unblocked AFTER UPDATE OF ordering ON webhook_endpoints
    FOR EACH ROW
    WHEN (OLD.ordering = 'block' AND NEW.ordering = 'skip')
    EXECUTE FUNCTION webhook_endpoints_unblocked();

-- A promotion is the worker's own doing, which looks for it by itself; nobody has to be woken.
DROP TRIGGER webhook_deliveries_requeue ON webhook_deliveries;
CREATE TRIGGER webhook_deliveries_requeue AFTER UPDATE ON webhook_deliveries
    FOR EACH ROW
    WHEN (NEW.status = 'pending'
          AND (OLD.status <> 'pending' OR NEW.next_retry_at < OLD.next_retry_at)
          AND pg_trigger_depth() = 0
          AND current_setting('postrider.promotion', true) IS DISTINCT FROM 'worker'
          AND CASE WHEN has_sequence_privilege('webhook_wakeups'::regclass, 'SELECT')
                   THEN pg_sequence_last_value('webhook_wakeups'::regclass)
                        > date_part('epoch', clock_timestamp()) END)
    EXECUTE FUNCTION webhook_deliveries_wake();

DO $$
DECLARE
    worker regrole;
BEGIN
    FOR worker IN
        SELECT DISTINCT a.grantee::regrole
        FROM pg_attribute, aclexplode(attacl) a
        WHERE attrelid = 'webhook_endpoints'::regclass AND attname = 'failing_since'
          AND a.privilege_type = 'UPDATE' AND a.grantee <> 0
    LOOP
        EXECUTE format('GRANT SELECT, INSERT, DELETE ON webhook_promotions TO %s', worker);
    END LOOP;
END
$$;
