-- Tests and doctors of endpoints: rows of webhook_replays with the filter {"endpoint_id": "ID"}, which the worker that owns
-- the endpoint's lane carries out. serve has neither secrets nor sockets for that.

-- What came of it: {"verdicts": [{"check", "ok", "says", "fix"}], and more}. One with a fix that is well is a warning.
ALTER TABLE webhook_replays ADD COLUMN result jsonb
    CONSTRAINT webhook_replays_result_check CHECK (jsonb_typeof(result) = 'object');

-- Nobody could carry them out, and their filter may be anything.
UPDATE webhook_replays SET finished_at = now(), error = 'it was asked for before workers knew how to do it'
WHERE kind IN ('test', 'doctor') AND finished_at IS NULL;

ALTER TABLE webhook_replays ADD CONSTRAINT webhook_replays_filter_endpoint_check
    CHECK (kind NOT IN ('test', 'doctor') OR finished_at IS NOT NULL
           OR (filter ? 'endpoint_id' AND filter - 'endpoint_id' = '{}'
               AND COALESCE(filter ->> 'endpoint_id' ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$', false)));

-- One at a time for each endpoint, whoever asks: nobody makes a hammer of them.
CREATE UNIQUE INDEX webhook_replays_endpoint_check ON webhook_replays ((filter ->> 'endpoint_id'))
    WHERE kind IN ('test', 'doctor') AND finished_at IS NULL AND stopped_at IS NULL;

-- A customer's own endpoints alone, and said before the unique index could tell that another's is being tested. Those that
-- the operator lets through the border are not the customer's to test. In the name of its owner, since who asks for a
-- customer sees views alone; all names are said in full, or come from what the trigger is on.
CREATE FUNCTION webhook_replays_endpoint() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
DECLARE
    is_there boolean := false;
BEGIN
    -- What is no UUID is left to the table's check.
    IF NEW.filter ->> 'endpoint_id' !~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN
        RETURN NEW;
    END IF;
    EXECUTE format('SELECT EXISTS (SELECT FROM %I.webhook_endpoints WHERE id = $1::uuid AND customer_id = $2'
                   ' AND allow IS NULL AND client_certificate IS NULL AND NOT all_customers)', TG_TABLE_SCHEMA)
        INTO is_there USING NEW.filter ->> 'endpoint_id', NEW.customer_id;
    IF NOT is_there THEN
        RAISE EXCEPTION 'customer % has no endpoint %', NEW.customer_id, NEW.filter ->> 'endpoint_id'
            USING ERRCODE = 'with_check_option_violation';
    END IF;
    RETURN NEW;
END
$$;

REVOKE ALL ON FUNCTION webhook_replays_endpoint() FROM PUBLIC;

CREATE TRIGGER webhook_replays_endpoint BEFORE INSERT ON webhook_replays
    FOR EACH ROW
    WHEN (NEW.kind IN ('test', 'doctor') AND NEW.customer_id IS NOT NULL)
    EXECUTE FUNCTION webhook_replays_endpoint();

-- Of a result a customer reads the verdicts alone, and no address in them, whoever wrote it.
CREATE OR REPLACE VIEW webhook_customer_replays WITH (security_barrier = true, check_option = cascaded) AS
    SELECT r.id, r.kind, r.customer_id, r.filter, r.rate, r.requested_by, r.requested_at, r.started_at, r.due_at,
           r.pass, r.total, r.done, r.skipped, r.skipped_count, r.waiting_count, r.stopped_at, r.finished_at, r.error,
           CASE WHEN jsonb_typeof(r.result -> 'verdicts') = 'array' THEN (
               SELECT jsonb_build_object('verdicts', COALESCE(jsonb_agg(jsonb_build_object(
                   'check', v.one -> 'check', 'ok', v.one -> 'ok', 'says', webhook_customer_error(v.one ->> 'says'),
                   'fix', webhook_customer_error(v.one ->> 'fix')) ORDER BY v.place), '[]'))
               FROM jsonb_array_elements(r.result -> 'verdicts') WITH ORDINALITY AS v (one, place)) END AS result
    FROM webhook_replays r
    WHERE r.customer_id = (SELECT current_setting('postrider.customer')::uuid)
      AND r.kind IN ('replay', 'recover', 'test', 'doctor')
    ORDER BY r.requested_at DESC, r.id DESC;

-- The roles that "migrate --grant" was used for, so that their workers write what came of it.
DO $$
DECLARE
    worker regrole;
BEGIN
    FOR worker IN
        SELECT DISTINCT a.grantee::regrole
        FROM pg_attribute, aclexplode(attacl) a
        WHERE attrelid = 'webhook_replays'::regclass AND attname = 'finished_at'
          AND a.privilege_type = 'UPDATE' AND a.grantee <> 0
    LOOP
        EXECUTE format('GRANT UPDATE (result) ON webhook_replays TO %s', worker);
    END LOOP;
END
$$;
