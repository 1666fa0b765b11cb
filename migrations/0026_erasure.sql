-- Erasure: payloads and answers go, and the rows stay, so that the audit still balances. What is erased has
-- erased_at, and the payload 'null' where it has one of its own. "postrider erase" does it now (src/db/erasure.h),
-- retention.payload does it in time (webhook_payloads_expire() below).

-- Who had what erased. It holds ids alone, and is kept. Workers look whether changed_at has moved: what was read
-- before is not to be sent any more (src/db/erasures.h).
CREATE TABLE webhook_erasures (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    event_id uuid,
    customer_id uuid,
    requested_by varchar NOT NULL DEFAULT session_user,
    requested_at timestamptz NOT NULL DEFAULT now(),
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(), -- its last batch
    finished_at timestamptz, -- NULL: it goes on, or was interrupted
    events bigint NOT NULL DEFAULT 0,
    deliveries bigint NOT NULL DEFAULT 0,
    CONSTRAINT webhook_erasures_subject_check CHECK (num_nonnulls(event_id, customer_id) = 1)
);
CREATE INDEX webhook_erasures_changed_at ON webhook_erasures (changed_at);

-- As it was (0014_events.sql), but that
--   - a delivery which a worker has not sent, since it is erased, is one that nobody can replay;
--   - a worker of before there were events, which goes on until it connects anew, takes a delivery of one for a row
--     with an empty payload. It is not given up for that: the row waits until that worker has been upgraded.
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
    IF NEW.endpoint_id IS NOT NULL AND NEW.payload IS NULL
       AND pg_catalog.starts_with(NEW.last_error::text, 'not sent: payload has 0 bytes') THEN
        RETURN OLD;
    END IF;
    IF NEW.last_error OPERATOR(pg_catalog.=) 'not sent: erased' THEN
        NEW.erased_at := COALESCE(NEW.erased_at, pg_catalog.now());
    END IF;
    NEW.given_up_at := pg_catalog.now();
    NEW.last_error := COALESCE(NEW.last_error,
        pg_catalog.concat('given up by the role "', session_user, '"'));
    RETURN NEW;
END
$$;

-- Dead letters show that there is nothing left to be sent.
CREATE OR REPLACE VIEW dead_letter_queue AS
    SELECT d.id, d.event_id, d.customer_id, d.webhook_url, d.event_type,
           COALESCE(d.payload, (SELECT e.payload FROM webhook_events e
                                WHERE e.id = d.event_id AND d.endpoint_id IS NOT NULL)) AS payload,
           d.attempts, d.response_status, d.last_error, d.last_attempt_at, d.created_at,
           COALESCE(d.erased_at, (SELECT e.erased_at FROM webhook_events e
                                  WHERE e.id = d.event_id AND d.endpoint_id IS NOT NULL)) AS erased_at
    FROM webhook_deliveries d
    WHERE d.status = 'failed';

-- What retention.payload does, for the rows that a worker names: it erases those of them that have ended before
-- ended_before, and the events of which every delivery has. In the name of its owner, so that a worker need not be
-- able to write payloads: it can empty what it may delete anyway, and change nothing into something else. Rows of
-- before an adoption stay until somebody has agreed to lose them (0011_adoption.sql). A row that somebody else holds
-- is left for the next time. The schema is the function's own, as in postrider_publish().
CREATE FUNCTION webhook_payloads_expire(deliveries uuid[], events uuid[], ended_before timestamptz,
                                        OUT emptied_deliveries bigint, OUT emptied_events bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = off
SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    place text;
    ended uuid[];
    over uuid[];
    spared_until timestamptz;
BEGIN
    GET DIAGNOSTICS place = PG_CONTEXT;
    PERFORM set_config('search_path', 'pg_catalog, '
        || substring(place FROM '("(?:[^"]|"")+"|[^[:space:]".]+)\.webhook_payloads_expire\(') || ', pg_temp', true);
    spared_until := (SELECT COALESCE(max(a.adopted_at), '-infinity') FROM postrider_adoptions a
                     WHERE a.retention_agreed_at IS NULL);
    ended := ARRAY(
        SELECT d.id FROM webhook_deliveries d
        WHERE d.id = ANY ($1) AND d.status::text IN ('delivered', 'failed') AND d.erased_at IS NULL
          AND d.created_at < $3 AND d.created_at > spared_until
          AND COALESCE(CASE WHEN d.status::text = 'failed' THEN d.given_up_at END, d.last_attempt_at, d.created_at) < $3
          AND NOT EXISTS (SELECT FROM webhook_adopted o, postrider_adoptions a
                          WHERE o.delivery_id = d.id AND a.retention_agreed_at IS NULL)
        ORDER BY d.id FOR UPDATE OF d SKIP LOCKED);
    UPDATE webhook_deliveries d
    SET payload = CASE WHEN d.payload IS NOT NULL THEN 'null'::jsonb END, last_error = NULL, erased_at = now()
    WHERE d.id = ANY (ended);
    GET DIAGNOSTICS emptied_deliveries = ROW_COUNT;
    UPDATE webhook_attempts a SET error = NULL, response_body = NULL
    WHERE a.delivery_id = ANY (ended) AND (a.error IS NOT NULL OR a.response_body IS NOT NULL);

    -- Locked first, as retention does before it deletes an event: a backfill that is making a delivery of it is
    -- skipped, and what it has made meanwhile is seen by the next statement.
    over := ARRAY(
        SELECT e.id FROM webhook_events e
        WHERE e.erased_at IS NULL AND e.created_at < $3
          AND e.id = ANY ($2 || ARRAY(SELECT d.event_id FROM webhook_deliveries d
                                      WHERE d.id = ANY (ended) AND d.endpoint_id IS NOT NULL))
          AND NOT EXISTS (SELECT FROM webhook_deliveries d WHERE d.event_id = e.id AND d.endpoint_id IS NOT NULL
                            AND (d.status::text = 'pending') >= true) -- by the event's index: src/db/fragments.h
        ORDER BY e.id FOR UPDATE SKIP LOCKED);
    UPDATE webhook_events e SET payload = 'null', erased_at = now()
    WHERE e.id = ANY (over) AND NOT EXISTS (
        SELECT FROM webhook_deliveries d WHERE d.event_id = e.id AND d.endpoint_id IS NOT NULL
          AND (d.status::text = 'pending'
               OR COALESCE(CASE WHEN d.status::text = 'failed' THEN d.given_up_at END, d.last_attempt_at, d.created_at)
                  >= $3));
    GET DIAGNOSTICS emptied_events = ROW_COUNT;
END
$$;
REVOKE ALL ON FUNCTION webhook_payloads_expire(uuid[], uuid[], timestamptz) FROM PUBLIC;

-- Deletes those events of which no delivery is left, for retention. In the name of its owner, since only who may
-- update a row may pass by one that is locked: a worker must not wait, with all its outcomes behind it, for somebody
-- who has an event locked. webhook_events_expire() (0017_publish.sql) looks again when it has the lock.
CREATE FUNCTION webhook_events_retire(events uuid[]) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = off
SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    place text;
    unneeded uuid[];
    retired bigint;
BEGIN
    GET DIAGNOSTICS place = PG_CONTEXT;
    PERFORM set_config('search_path', 'pg_catalog, '
        || substring(place FROM '("(?:[^"]|"")+"|[^[:space:]".]+)\.webhook_events_retire\(') || ', pg_temp', true);
    PERFORM set_config('postrider.removal', 'retention', true);
    unneeded := ARRAY(
        SELECT e.id FROM webhook_events e
        WHERE e.id = ANY ($1) AND NOT EXISTS (SELECT FROM webhook_deliveries d
                                              WHERE d.event_id = e.id AND d.endpoint_id IS NOT NULL)
        ORDER BY e.id FOR UPDATE SKIP LOCKED);
    DELETE FROM webhook_events e WHERE e.id = ANY (unneeded);
    GET DIAGNOSTICS retired = ROW_COUNT;
    RETURN retired;
END
$$;
REVOKE ALL ON FUNCTION webhook_events_retire(uuid[]) FROM PUBLIC;

-- Workers of before would send the payload of an erased row, which is null.
DO $$
BEGIN
    EXECUTE format('ALTER TABLE postrider_migrations ALTER COLUMN works_from SET DEFAULT %s',
                   (SELECT max(version) + 1 FROM postrider_migrations));
END
$$;

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
        EXECUTE format('GRANT SELECT ON webhook_erasures TO %1$s;'
                       ' GRANT EXECUTE ON FUNCTION webhook_payloads_expire(uuid[], uuid[], timestamptz),'
                       ' webhook_events_retire(uuid[]) TO %1$s',
                       worker);
    END LOOP;
END
$$;
