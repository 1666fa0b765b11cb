-- What the audit needs to judge yesterday by what was in force then, not by today's configuration.

ALTER TABLE webhook_workers
    -- The worker's attempt_log; NULL: a version that does not say.
    ADD COLUMN attempt_log varchar,
    -- Since when it can be: an attempt that is written now may have begun an hour ago.
    ADD COLUMN attempt_log_since timestamptz NOT NULL DEFAULT now();

-- Times in which a worker wrote no attempts down, or did not say whether it does: of attempts that
-- began then, none is missed in webhook_attempts. Those of workers that run are in their own rows.
CREATE TABLE webhook_unlogged (
    owner varchar NOT NULL, -- as in webhook_workers; '': before there were these columns
    since timestamptz NOT NULL,
    until timestamptz NOT NULL
);

-- In the name of its owner, and with a search_path of its own, as webhook_deliveries_removed(). What
-- is older than a year is of no audit any more.
CREATE FUNCTION webhook_workers_unlogged() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('INSERT INTO %I.webhook_unlogged VALUES ($1, $2, $3)', TG_TABLE_SCHEMA)
        USING OLD.owner, OLD.attempt_log_since, LEAST(now(), OLD.lease_expires_at);
    EXECUTE format('DELETE FROM %I.webhook_unlogged WHERE until < now() - interval ''400 days''',
                   TG_TABLE_SCHEMA);
    RETURN NULL;
END
$$;

CREATE TRIGGER webhook_workers_unlogged AFTER DELETE ON webhook_workers
    FOR EACH ROW
    WHEN (OLD.attempt_log IS NULL OR OLD.attempt_log = 'none')
    EXECUTE FUNCTION webhook_workers_unlogged();

CREATE TRIGGER webhook_workers_relogged AFTER UPDATE ON webhook_workers
    FOR EACH ROW
    WHEN (OLD.attempt_log IS DISTINCT FROM NEW.attempt_log
          AND (OLD.attempt_log IS NULL OR OLD.attempt_log = 'none'))
    EXECUTE FUNCTION webhook_workers_unlogged();

-- Of a database that was in use before, nobody knows.
INSERT INTO webhook_unlogged
SELECT '', '-infinity', now()
WHERE EXISTS (SELECT FROM webhook_deliveries WHERE attempts > 0);

-- When retention, as it was configured for the audit that counted this, may begin to delete of this
-- day: from then on a missing row proves nothing, however long rows are kept by now. NULL: it is not
-- known.
ALTER TABLE webhook_balances ADD COLUMN kept_until timestamptz;

-- The roles that "migrate --grant" was used for, so that their audits go on.
DO $$
DECLARE
    worker regrole;
BEGIN
    FOR worker IN
        SELECT DISTINCT a.grantee::regrole
        FROM pg_class, aclexplode(relacl) a
        WHERE oid = 'webhook_balances'::regclass AND a.privilege_type = 'INSERT'
          AND a.grantee NOT IN (0, relowner)
    LOOP
        EXECUTE format('GRANT SELECT ON webhook_unlogged TO %s', worker);
    END LOOP;
END
$$;
