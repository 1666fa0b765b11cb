-- The whole schema. Names are unqualified: "postrider migrate" sets the search_path, and has
-- brought a webhook_deliveries table that was there before into this shape (adopt_plan.sql).

-- Whom customer_id refers to has been chosen by "postrider migrate": a table that has a unique id of
-- type uuid, or none. Without its word a table customers, which is made where there is none.
DO $$
BEGIN
    IF COALESCE(NULLIF(current_setting('postrider.customers', true), ''), 'customers') = 'customers'
       AND to_regclass('customers') IS NULL THEN
        CREATE TABLE customers (
            id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
            name varchar NOT NULL DEFAULT '',
            created_at timestamptz NOT NULL DEFAULT now()
        );
    END IF;
END
$$;

-- The queue and the record: one row for each delivery, written once when it is enqueued and once
-- for each outcome.
CREATE TABLE IF NOT EXISTS webhook_deliveries (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    event_id uuid NOT NULL,
    customer_id uuid NOT NULL,
    webhook_url varchar NOT NULL,
    payload jsonb NOT NULL,
    event_type varchar NOT NULL DEFAULT '',
    status varchar NOT NULL DEFAULT 'pending'
        CONSTRAINT webhook_deliveries_status_check
        CHECK (status IN ('pending', 'delivered', 'failed')),
    attempts integer NOT NULL DEFAULT 0,
    last_attempt_at timestamptz,
    next_retry_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_at timestamptz NOT NULL DEFAULT now(),
    response_status integer,
    last_error varchar
);

-- fillfactor: an outcome finds room on the row's own page (941 instead of 1,315 bytes of WAL).
-- Every outcome leaves a dead row and dead index entries behind, so vacuum comes early, here only.
ALTER TABLE webhook_deliveries SET (
    fillfactor = 70,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_scale_factor = 0.01,
    autovacuum_vacuum_insert_scale_factor = 0.05,
    autovacuum_analyze_threshold = 1000,
    autovacuum_analyze_scale_factor = 0.02,
    autovacuum_vacuum_cost_delay = 1
);

-- What has become due, by lane: host and port of the URL, so one server is served by one process.
CREATE INDEX webhook_deliveries_lane ON webhook_deliveries
    ((hashtext(lower(split_part(webhook_url, '/', 3))) & 63), next_retry_at, id)
    WHERE status = 'pending';

-- The next rows of one endpoint. A hash, since a B-tree entry ends at 2,704 bytes and a long URL
-- would make the producer's INSERT fail.
CREATE INDEX webhook_deliveries_endpoint ON webhook_deliveries
    (hashtextextended(webhook_url, 0), next_retry_at, id)
    WHERE status = 'pending';

-- Dead letters, in the order in which they are listed.
CREATE INDEX webhook_deliveries_failed ON webhook_deliveries (created_at, id)
    WHERE status = 'failed';

-- Retention.
CREATE INDEX webhook_deliveries_created_at ON webhook_deliveries
    USING brin (created_at) WITH (autosummarize = on);

-- A row that is pending is due now or later, never in the past, where a reader has been already.
-- An explicit NULL means the default, as it did for tables that allowed it.
-- It runs with the caller's search_path, so every name says where it comes from: SET search_path on
-- the function would do the same, but costs more for each row.
CREATE FUNCTION webhook_deliveries_enqueue() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.status := COALESCE(NEW.status, 'pending');
    NEW.attempts := COALESCE(NEW.attempts, 0);
    NEW.created_at := COALESCE(NEW.created_at, pg_catalog.now());
    IF NEW.status OPERATOR(pg_catalog.=) 'pending' THEN
        -- GREATEST ignores NULL.
        NEW.next_retry_at := GREATEST(NEW.next_retry_at, pg_catalog.clock_timestamp());
    ELSE
        NEW.next_retry_at := COALESCE(NEW.next_retry_at, pg_catalog.clock_timestamp());
    END IF;
    RETURN NEW;
END
$$;

-- 10 ms: the column's default, computed just before this, is not in the past; far less than the
-- second by which a reader looks back.
CREATE TRIGGER webhook_deliveries_enqueue BEFORE INSERT OR UPDATE ON webhook_deliveries
    FOR EACH ROW
    WHEN (NEW.status IS NULL OR NEW.attempts IS NULL OR NEW.created_at IS NULL
          OR NEW.next_retry_at IS NULL
          OR (NEW.status = 'pending'
              AND NEW.next_retry_at < clock_timestamp() - interval '10 milliseconds'))
    EXECUTE FUNCTION webhook_deliveries_enqueue();

CREATE VIEW dead_letter_queue AS
    SELECT id, event_id, customer_id, webhook_url, event_type, payload, attempts, response_status,
           last_error, last_attempt_at, created_at
    FROM webhook_deliveries
    WHERE status = 'failed';

-- What is known of one receiver. NULL = the configuration's value.
CREATE TABLE webhook_endpoints (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    customer_id uuid NOT NULL,
    url varchar NOT NULL CONSTRAINT webhook_endpoints_url_check CHECK (url <> ''),
    headers jsonb NOT NULL DEFAULT '{}'
        CONSTRAINT webhook_endpoints_headers_check
        CHECK (jsonb_typeof(headers) = 'object'
               AND NOT jsonb_path_exists(headers, 'strict $.* ? (@.type() != "string")')),
    timeout interval
        CONSTRAINT webhook_endpoints_timeout_check
        CHECK (timeout BETWEEN interval '1 millisecond' AND interval '1 hour'),
    retry_max_attempts integer
        CONSTRAINT webhook_endpoints_retry_max_attempts_check
        CHECK (retry_max_attempts BETWEEN 1 AND 1000),
    retry_initial_delay interval
        CONSTRAINT webhook_endpoints_retry_initial_delay_check
        CHECK (retry_initial_delay BETWEEN interval '1 millisecond' AND interval '365 days'),
    retry_multiplier double precision
        CONSTRAINT webhook_endpoints_retry_multiplier_check
        CHECK (retry_multiplier BETWEEN 1 AND 1000),
    retry_max_delay interval
        CONSTRAINT webhook_endpoints_retry_max_delay_check
        CHECK (retry_max_delay BETWEEN interval '1 millisecond' AND interval '365 days'),
    retry_jitter double precision
        CONSTRAINT webhook_endpoints_retry_jitter_check
        CHECK (retry_jitter BETWEEN 0 AND 1),
    retry_schedule interval[]
        CONSTRAINT webhook_endpoints_retry_schedule_check
        CHECK (array_ndims(retry_schedule) = 1
               AND cardinality(retry_schedule) BETWEEN 1 AND 64
               AND array_position(retry_schedule, NULL) IS NULL
               AND interval '0' < ALL (retry_schedule)
               AND interval '365 days' >= ALL (retry_schedule)),
    disabled_at timestamptz,
    disabled_reason varchar,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX webhook_endpoints_customer_url ON webhook_endpoints
    (customer_id, hashtextextended(url, 0));

-- The most specific ones sign, all that are valid: those of the URL, else those with url ''.
CREATE TABLE webhook_secrets (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    customer_id uuid NOT NULL,
    url varchar NOT NULL DEFAULT '',
    secret varchar NOT NULL,
    not_after timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX webhook_secrets_customer_url ON webhook_secrets
    (customer_id, hashtextextended(url, 0));

DO $$
DECLARE
    customers CONSTANT text :=
        COALESCE(NULLIF(current_setting('postrider.customers', true), ''), 'customers');
BEGIN
    IF customers = 'none' THEN
        RETURN;
    END IF;
    -- A table that was adopted has it already.
    IF NOT EXISTS (SELECT FROM pg_constraint k
                   JOIN pg_attribute a ON a.attrelid = k.conrelid AND k.conkey = ARRAY[a.attnum]
                   WHERE k.conrelid = 'webhook_deliveries'::regclass AND k.contype = 'f'
                     AND k.confrelid = to_regclass(customers) AND a.attname = 'customer_id') THEN
        EXECUTE format('ALTER TABLE webhook_deliveries'
                       ' ADD FOREIGN KEY (customer_id) REFERENCES %s (id)', customers::regclass);
    END IF;
    EXECUTE format('ALTER TABLE webhook_endpoints ADD FOREIGN KEY (customer_id)'
                   ' REFERENCES %s (id) ON DELETE CASCADE', customers::regclass);
    EXECUTE format('ALTER TABLE webhook_secrets ADD FOREIGN KEY (customer_id)'
                   ' REFERENCES %s (id) ON DELETE CASCADE', customers::regclass);
END
$$;

-- One row for each attempt worth keeping. No foreign key: retention deletes the two on their own.
CREATE TABLE webhook_attempts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    delivery_id uuid NOT NULL,
    attempt integer NOT NULL,
    started_at timestamptz NOT NULL,
    duration_ms integer NOT NULL,
    response_status integer,
    error varchar,
    response_body varchar
);
CREATE INDEX webhook_attempts_delivery ON webhook_attempts (delivery_id, attempt);
CREATE INDEX webhook_attempts_started_at ON webhook_attempts
    USING brin (started_at) WITH (autosummarize = on);

-- Who delivers what. The rows are here from the start, so that taking a lane is an UPDATE.
CREATE TABLE webhook_lanes (
    lane integer PRIMARY KEY CONSTRAINT webhook_lanes_lane_check CHECK (lane BETWEEN 0 AND 63),
    owner varchar,
    epoch bigint NOT NULL DEFAULT 0,
    lease_expires_at timestamptz
) WITH (fillfactor = 50);
INSERT INTO webhook_lanes (lane) SELECT generate_series(0, 63);

CREATE TABLE postrider_migrations (
    version integer PRIMARY KEY,
    name varchar NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- The new indexes of an adopted table have no statistics yet.
ANALYZE webhook_deliveries;
