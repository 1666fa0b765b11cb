-- What charts are made of: what workers have done, by the minute. Each worker writes rows of its own, so that no two
-- write one, and once: its owner and the number of its period say which row it is, so that one that is written again,
-- since the answer was lost, is there already. Times are counted in buckets, which can be added up, as percentiles can't.

CREATE TABLE webhook_history (
    at timestamptz NOT NULL, -- the beginning of the minute in which most of the period was, by the database's clock
    owner varchar NOT NULL,  -- webhook_workers.owner: one start of a worker
    number bigint NOT NULL,  -- of its periods, from 1
    -- NULL: all endpoints. Others have rows of their own beside it while they are in trouble (something is retried,
    -- fails, or is slow), or among the busiest: a bounded number of a worker and minute.
    endpoint_id uuid,
    left_out bigint NOT NULL DEFAULT 0, -- with all endpoints: those that had outcomes, but got no row of their own
    delivered bigint NOT NULL,
    retried bigint NOT NULL,
    failed bigint NOT NULL,
    statuses integer[] NOT NULL,           -- answers: 2xx, 3xx, 4xx, 5xx, none
    -- By the bounds 5, 10, 25, 50, 100, 250, 500 ms, 1, 2.5, 5, 10, 30 s, 1, 5, 30 min, and above.
    first_attempt_delay integer[] NOT NULL, -- from due to the first request
    attempt_duration integer[] NOT NULL
);
CREATE UNIQUE INDEX webhook_history_once ON webhook_history
    (owner, number, COALESCE(endpoint_id, '00000000-0000-0000-0000-000000000000'));
CREATE INDEX webhook_history_endpoint_id ON webhook_history (endpoint_id, at);
CREATE INDEX webhook_history_at ON webhook_history (at);

-- A customer's own endpoints, not what all of them do together.
CREATE VIEW webhook_customer_history WITH (security_barrier = true, check_option = cascaded) AS
    SELECT h.at, h.endpoint_id, h.delivered, h.retried, h.failed, h.statuses, h.first_attempt_delay,
           h.attempt_duration
    FROM webhook_history h
    WHERE (SELECT p.customer_id = (SELECT current_setting('postrider.customer')::uuid)
                  AND p.allow IS NULL AND p.client_certificate IS NULL AND NOT p.all_customers
           FROM webhook_endpoints p WHERE p.id = h.endpoint_id);

-- Where an attempt was made to, when that is not where its delivery goes by now: an attempt that is written down says
-- nothing, and the deliveries whose URL is changed tell it those that were there before. So it costs nothing but then.
ALTER TABLE webhook_attempts ADD COLUMN url varchar; -- NULL: its delivery's webhook_url

-- In the name of its owner, since who may move a delivery need not be able to write into the log. All names are said in
-- full, or come from what the trigger is on.
CREATE FUNCTION webhook_deliveries_moved() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
BEGIN
    EXECUTE format('UPDATE %I.webhook_attempts SET url = $2 WHERE delivery_id = $1 AND url IS NULL', TG_TABLE_SCHEMA)
        USING OLD.id, OLD.webhook_url::text;
    RETURN NULL;
END
$$;

REVOKE ALL ON FUNCTION webhook_deliveries_moved() FROM PUBLIC;

CREATE TRIGGER webhook_deliveries_moved AFTER UPDATE OF webhook_url ON webhook_deliveries
    FOR EACH ROW
    WHEN (NEW.webhook_url <> OLD.webhook_url)
    EXECUTE FUNCTION webhook_deliveries_moved();

CREATE OR REPLACE VIEW webhook_customer_attempts WITH (security_barrier = true, check_option = cascaded) AS
    SELECT a.id, a.delivery_id, a.attempt, a.started_at, a.duration_ms, a.response_status,
           webhook_customer_error(a.error::text)::varchar AS error, a.response_body, a.url
    FROM webhook_attempts a
    WHERE (SELECT d.customer_id = (SELECT current_setting('postrider.customer')::uuid)
                  AND (d.endpoint_id IS NULL
                       OR (d.customer_id = (SELECT e.customer_id FROM webhook_events e WHERE e.id = d.event_id)
                           AND (SELECT p.all_customers FROM webhook_endpoints p WHERE p.id = d.endpoint_id)
                               IS NOT TRUE))
           FROM webhook_deliveries d WHERE d.id = a.delivery_id);

-- The roles that "migrate --grant" was used for, so that their workers write it.
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
        EXECUTE format('GRANT SELECT, INSERT, DELETE ON webhook_history TO %s', worker);
    END LOOP;
END
$$;
