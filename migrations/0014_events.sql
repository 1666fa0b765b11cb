-- Events: an application publishes one, and each endpoint that subscribes to it gets a delivery.

-- A table that was adopted may have columns of these names, which are somebody else's to write. Ones that
-- stand behind last_error were made by an earlier Postrider (0012_given_up.sql).
DO $$
DECLARE
    taken text;
BEGIN
    SELECT string_agg(a.attname, ', ' ORDER BY a.attnum) INTO taken
    FROM pg_attribute a
    JOIN (VALUES ('endpoint_id', 'uuid'::regtype), ('ordering_key', 'varchar'::regtype),
                 ('ordering_sequence', 'bigint'::regtype), ('erased_at', 'timestamptz'::regtype))
         AS o (name, type) ON o.name = a.attname
    JOIN pg_attribute e ON e.attrelid = a.attrelid AND e.attname = 'last_error' AND NOT e.attisdropped
    WHERE a.attrelid = 'webhook_deliveries'::regclass AND NOT a.attisdropped
      AND (a.attnum < e.attnum OR a.atttypid <> o.type);
    IF taken IS NOT NULL THEN
        RAISE EXCEPTION 'webhook_deliveries has columns that are not Postrider''s: %', taken
            USING HINT = 'rename them, and migrate again: Postrider needs the names';
    END IF;
END
$$;

-- What is published. Not partitioned, ever: a key that is unique over time, and a trigger that sees a
-- whole statement, need one table. Nothing refers to it by a foreign key, and it refers to customers alone:
-- a delivery whose event is not there waits until somebody has looked.
CREATE TABLE webhook_events (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    customer_id uuid NOT NULL,
    -- As Standard Webhooks recommends: parts of letters, digits, _ and -, joined by full stops.
    event_type varchar NOT NULL
        CONSTRAINT webhook_events_event_type_check
        CHECK (event_type ~ '^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$' AND octet_length(event_type) <= 255),
    payload jsonb NOT NULL,
    idempotency_key varchar
        CONSTRAINT webhook_events_idempotency_key_check
        CHECK (length(idempotency_key) BETWEEN 1 AND 255),
    ordering_key varchar,
    correlation_id uuid,
    causation_id uuid,
    traceparent varchar
        CONSTRAINT webhook_events_traceparent_check
        CHECK (traceparent ~ '^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$'),
    deliver_after timestamptz
        CONSTRAINT webhook_events_deliver_after_check CHECK (isfinite(deliver_after)),
    transaction_id xid8 NOT NULL DEFAULT pg_current_xact_id(),
    created_at timestamptz NOT NULL DEFAULT now()
        CONSTRAINT webhook_events_created_at_check CHECK (isfinite(created_at)),
    erased_at timestamptz,
    -- NULLs differ, so an event without a key is refused by none. Not a partial index, which ON CONFLICT
    -- (customer_id, idempotency_key) would not find.
    CONSTRAINT webhook_events_idempotency_key UNIQUE (customer_id, idempotency_key),
    -- Until deliveries are kept in order by it, nothing may be promised by taking it.
    CONSTRAINT webhook_events_ordering_key_check CHECK (ordering_key IS NULL)
);

-- Lists: all, and those of one customer.
CREATE INDEX webhook_events_created_at ON webhook_events (created_at, id);
CREATE INDEX webhook_events_customer ON webhook_events (customer_id, created_at, id);
-- What belongs together, and what followed from what.
CREATE INDEX webhook_events_correlation ON webhook_events (correlation_id) WHERE correlation_id IS NOT NULL;
CREATE INDEX webhook_events_causation ON webhook_events (causation_id) WHERE causation_id IS NOT NULL;

DO $$
DECLARE
    -- Whom the deliveries refer to: "migrate --customers" may have changed it since the first migration.
    customers CONSTANT text := (
        SELECT k.confrelid::regclass FROM pg_constraint k
        JOIN pg_attribute a ON a.attrelid = k.conrelid AND k.conkey = ARRAY[a.attnum]
        WHERE k.conrelid = 'webhook_secrets'::regclass AND k.contype = 'f' AND a.attname = 'customer_id');
BEGIN
    IF customers IS NOT NULL THEN
        EXECUTE format('ALTER TABLE webhook_events ADD FOREIGN KEY (customer_id) REFERENCES %s (id)',
                       customers);
    END IF;
END
$$;

-- Which events an endpoint gets. event_types NULL: none, as for every row of before.
ALTER TABLE webhook_endpoints
    -- '*' all, 'order.paid' that one, 'order.*' all that begin with 'order.'. The two lengths differ when a
    -- part has a comma in it.
    ADD COLUMN event_types text[]
        CONSTRAINT webhook_endpoints_event_types_check
        CHECK (array_ndims(event_types) = 1
               AND cardinality(event_types) BETWEEN 1 AND 256
               AND array_position(event_types, NULL) IS NULL
               AND cardinality(string_to_array(array_to_string(event_types, ','), ','))
                   = cardinality(event_types)
               AND array_to_string(event_types, ',')
                   ~ '^(([A-Za-z0-9_-]+\.)*([A-Za-z0-9_-]+|\*)(,|$))+$'),
    -- Only events whose payload contains this.
    ADD COLUMN filter jsonb
        CONSTRAINT webhook_endpoints_filter_check CHECK (jsonb_typeof(filter) = 'object'),
    -- Its deliveries wait until this is NULL again. Disabling would fail them.
    ADD COLUMN paused_at timestamptz,
    -- An internal service: it gets events of every customer. Its deliveries are its own customer's.
    ADD COLUMN all_customers boolean NOT NULL DEFAULT false;

-- What an event of a type is subscribed to by: {*,order.*,order.paid} for order.paid.
CREATE FUNCTION webhook_event_patterns(event_type text) RETURNS text[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT ARRAY['*', $1] OPERATOR(pg_catalog.||) ARRAY(
        SELECT pg_catalog.array_to_string(parts[1:n], '.') OPERATOR(pg_catalog.||) '.*'
        FROM (SELECT pg_catalog.string_to_array($1, '.')) AS s (parts),
             LATERAL pg_catalog.generate_series(1, pg_catalog.cardinality(parts) OPERATOR(pg_catalog.-) 1) AS n)
$$;

-- A customer's subscriptions as keys of an index, one for each pattern. Subscribers are found by customer and
-- pattern at once, so neither a customer with a million endpoints nor a type that everybody wants is slow.
CREATE FUNCTION webhook_subscription_keys(customer text, patterns text[]) RETURNS text[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT pg_catalog.array_agg($1 OPERATOR(pg_catalog.||) ' ' OPERATOR(pg_catalog.||) pattern)
    FROM pg_catalog.unnest($2) AS p (pattern)
$$;
CREATE INDEX webhook_endpoints_subscriptions ON webhook_endpoints USING gin
    (webhook_subscription_keys(CASE WHEN all_customers THEN '*' ELSE customer_id::text END, event_types))
    WITH (fastupdate = off)
    WHERE event_types IS NOT NULL;

-- A delivery that was made for an event: the endpoint that it is for, and the event's payload, which is stored
-- once. No foreign keys: an endpoint that is removed fails its deliveries with a reason, and is not kept from
-- going.
ALTER TABLE webhook_deliveries
    ADD COLUMN IF NOT EXISTS endpoint_id uuid,
    ADD COLUMN IF NOT EXISTS ordering_key varchar,
    ADD COLUMN IF NOT EXISTS ordering_sequence bigint,
    ADD COLUMN IF NOT EXISTS erased_at timestamptz,
    ALTER COLUMN payload DROP NOT NULL,
    -- In the check that there was, for each further one costs every INSERT (docs/performance.md). NOT VALID as in
    -- 0005_producer.sql; a later migration reads the rows.
    DROP CONSTRAINT webhook_deliveries_status_check,
    ADD CONSTRAINT webhook_deliveries_status_check
        CHECK (status = ANY ('{pending,delivered,failed}'::text[])
               AND (payload IS NOT NULL OR endpoint_id IS NOT NULL)) NOT VALID;

-- A small table is indexed here; a large one by the next migration, beside those who write.
DO $$
BEGIN
    IF pg_relation_size('webhook_deliveries') < 8 * 1024 * 1024 THEN
        CREATE UNIQUE INDEX webhook_deliveries_event ON webhook_deliveries (event_id, endpoint_id)
            WHERE endpoint_id IS NOT NULL;
        CREATE INDEX webhook_deliveries_ordering ON webhook_deliveries
            (endpoint_id, ordering_key, (status = 'pending'), ordering_sequence) WHERE ordering_key IS NOT NULL;
    END IF;
END
$$;

-- Waking (0004_wakeups.sql), for INSERT without a condition: reading that from its text again in each statement
-- cost more than to call the function. In the name of its owner, who may look at the sequence whoever inserts.
CREATE FUNCTION webhook_deliveries_wake_inserted() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF pg_catalog.pg_sequence_last_value(pg_catalog.to_regclass(
           pg_catalog.quote_ident(TG_TABLE_SCHEMA) OPERATOR(pg_catalog.||) '.webhook_wakeups'))
           OPERATOR(pg_catalog.>) pg_catalog.date_part('epoch', pg_catalog.clock_timestamp())
       AND pg_catalog.current_setting('max_prepared_transactions') OPERATOR(pg_catalog.=) '0' THEN
        PERFORM pg_catalog.pg_notify('postrider_' OPERATOR(pg_catalog.||) TG_RELID, '');
    END IF;
    RETURN NULL;
END
$$;
DROP TRIGGER webhook_deliveries_wake ON webhook_deliveries;
CREATE TRIGGER webhook_deliveries_wake AFTER INSERT ON webhook_deliveries
    FOR EACH STATEMENT EXECUTE FUNCTION webhook_deliveries_wake_inserted();

-- Who gets an event, by the caller's snapshot. The settings hold for its own statement alone: a plan that was made
-- while there were few endpoints would read them all when there are a million, and another plan for each event
-- would cost more than the event.
CREATE FUNCTION webhook_event_subscribers(customer uuid, event_type text, payload jsonb)
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
      AND (e.filter IS NULL OR $3 OPERATOR(pg_catalog.@>) e.filter);
END
$$;

-- One statement for all events of the publisher's, in its transaction. In the name of its owner: who publishes
-- need not see endpoints. row_security: what a policy would hide raises an error, for a subscriber that can't be
-- seen is not one that isn't there. The search_path is set here and not by the function, since the schema may be
-- renamed; every name says where it comes from, or comes from pg_catalog first.
CREATE FUNCTION webhook_events_fan_out() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
BEGIN
    PERFORM set_config('search_path', 'pg_catalog, ' || quote_ident(TG_TABLE_SCHEMA) || ', pg_temp', true);
    INSERT INTO webhook_deliveries
        (event_id, endpoint_id, customer_id, webhook_url, event_type, next_retry_at)
    SELECT n.id, s.endpoint_id, s.customer_id, s.url, n.event_type,
           GREATEST(n.deliver_after, clock_timestamp())
    FROM inserted n
    CROSS JOIN LATERAL webhook_event_subscribers(n.customer_id, n.event_type::text, n.payload) s;
    RETURN NULL;
END
$$;

CREATE TRIGGER webhook_events_fan_out AFTER INSERT ON webhook_events
    REFERENCING NEW TABLE AS inserted
    FOR EACH STATEMENT EXECUTE FUNCTION webhook_events_fan_out();

-- An endpoint's deliveries follow it. One that another transaction has made and not yet committed is found when it
-- is sent (webhook_deliveries_given_up() below).
CREATE FUNCTION webhook_endpoints_moved() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
BEGIN
    PERFORM set_config('search_path', 'pg_catalog, ' || quote_ident(TG_TABLE_SCHEMA) || ', pg_temp', true);
    UPDATE webhook_deliveries d SET webhook_url = NEW.url, customer_id = NEW.customer_id
    WHERE d.endpoint_id OPERATOR(pg_catalog.=) OLD.id
      AND d.status::text OPERATOR(pg_catalog.=) 'pending'
      AND hashtextextended(d.webhook_url::text, 0) OPERATOR(pg_catalog.=) hashtextextended(OLD.url::text, 0);
    RETURN NULL;
END
$$;

CREATE TRIGGER webhook_endpoints_moved AFTER UPDATE OF url, customer_id ON webhook_endpoints
    FOR EACH ROW
    WHEN (NEW.url <> OLD.url OR NEW.customer_id <> OLD.customer_id)
    EXECUTE FUNCTION webhook_endpoints_moved();

-- As it was (0012_given_up.sql), but that a delivery is not given up for want of its endpoint where that is only
-- somewhere else: the publisher's transaction was older than the endpoint's change of URL.
CREATE OR REPLACE FUNCTION webhook_deliveries_given_up() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    endpoint record;
BEGIN
    IF OLD.status OPERATOR(pg_catalog.=) 'failed' THEN
        RETURN NEW;
    END IF;
    IF NEW.endpoint_id IS NOT NULL AND NEW.last_error OPERATOR(pg_catalog.=) 'not sent: endpoint removed' THEN
        EXECUTE pg_catalog.format('SELECT url, customer_id FROM %I.webhook_endpoints WHERE id = $1',
                                  TG_TABLE_SCHEMA) INTO endpoint USING NEW.endpoint_id;
        IF endpoint.url IS NOT NULL THEN
            OLD.webhook_url := endpoint.url;
            OLD.customer_id := endpoint.customer_id;
            OLD.next_retry_at := pg_catalog.clock_timestamp();
            RETURN OLD;
        END IF;
    END IF;
    NEW.given_up_at := pg_catalog.now();
    NEW.last_error := COALESCE(NEW.last_error,
        pg_catalog.concat('given up by the role "', session_user, '"'));
    RETURN NEW;
END
$$;

-- Dead letters show what was to be sent, wherever it is stored.
CREATE OR REPLACE VIEW dead_letter_queue AS
    SELECT d.id, d.event_id, d.customer_id, d.webhook_url, d.event_type,
           COALESCE(d.payload, (SELECT e.payload FROM webhook_events e
                                WHERE e.id = d.event_id AND d.endpoint_id IS NOT NULL)) AS payload,
           d.attempts, d.response_status, d.last_error, d.last_attempt_at, d.created_at
    FROM webhook_deliveries d
    WHERE d.status = 'failed';

-- Workers of before would take a delivery without a payload for one that is too large, and fail it.
ALTER TABLE postrider_migrations ALTER COLUMN works_from SET DEFAULT 14;

-- The roles that "migrate --grant" was used for, so that their workers go on.
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
        EXECUTE format('GRANT SELECT, DELETE ON webhook_events TO %s', worker);
    END LOOP;
END
$$;
