-- Workers make rows for endpoints that fail, and a customer chooses how many there are: the URL may
-- be another one for each event. So these rows are told apart, and retention deletes those that
-- nothing has needed for a month. A worker of before this migration makes rows that count as
-- somebody's own, and makes those that it updates so.
ALTER TABLE webhook_endpoints
    -- When a worker last had to do with this row, which a worker made; it writes that once a day at
    -- most. NULL: the row is an application's or an operator's, and is never deleted.
    ADD COLUMN noted_at timestamptz;

-- What retention looks through, oldest first.
CREATE INDEX webhook_endpoints_noted_at ON webhook_endpoints (noted_at) WHERE noted_at IS NOT NULL;

-- Who changes such a row takes it over: workers write noted_at, and nobody else has a reason to.
CREATE FUNCTION webhook_endpoints_owned() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.noted_at := NULL;
    RETURN NEW;
END
$$;

CREATE TRIGGER webhook_endpoints_owned BEFORE UPDATE ON webhook_endpoints
    FOR EACH ROW
    WHEN (OLD.noted_at IS NOT NULL AND NEW.noted_at IS NOT DISTINCT FROM OLD.noted_at)
    EXECUTE FUNCTION webhook_endpoints_owned();

-- The roles that "migrate --grant" was used for: without this their workers would stop.
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
        EXECUTE format('GRANT DELETE, UPDATE (noted_at) ON webhook_endpoints TO %s', worker);
    END LOOP;
END
$$;
