-- Rows that were in the table before Postrider came are known as such: retention leaves them alone
-- until somebody agrees, and the audit does not judge them by rules that nobody had told whoever
-- wrote them.

-- Of before is what was created until then. Adopting makes an entry; so does this migration where
-- an earlier version has adopted, which nothing says but rows that are older than the schema.
CREATE TABLE postrider_adoptions (
    adopted_at timestamptz PRIMARY KEY,
    deliveries bigint NOT NULL, -- that were there
    retention_agreed_at timestamptz -- "postrider migrate --retention"; NULL: retention spares them
);

-- Rows of before whose times were later than the adoption: their clock, or their time zone, was
-- another one. Nearly always empty. "postrider migrate --adopt" has made and filled it.
CREATE TABLE IF NOT EXISTS webhook_adopted (delivery_id uuid);
ALTER TABLE webhook_adopted ADD PRIMARY KEY (delivery_id);

INSERT INTO postrider_adoptions (adopted_at, deliveries)
SELECT m.applied_at, d.number
FROM postrider_migrations m, LATERAL (
    SELECT count(*) AS number FROM webhook_deliveries d
    WHERE d.created_at <= m.applied_at
       OR d.id IN (SELECT delivery_id FROM webhook_adopted)) d
WHERE m.version = 1 AND d.number > 0;

-- The last word on it: workers do not ask for these rows, but one of a version that does not know
-- of them does, and then its whole batch is refused. In the name of the owner: a worker of before
-- may not read the tables above.
CREATE FUNCTION webhook_deliveries_kept() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    is_of_before boolean;
BEGIN
    EXECUTE format(
        'SELECT EXISTS (SELECT FROM removed r, %1$I.postrider_adoptions a'
        ' WHERE a.retention_agreed_at IS NULL AND (r.created_at <= a.adopted_at'
        ' OR r.id IN (SELECT delivery_id FROM %1$I.webhook_adopted)))', TG_TABLE_SCHEMA)
    INTO is_of_before;
    IF is_of_before THEN
        RAISE EXCEPTION 'retention may not delete rows that were here before Postrider'
            USING HINT = 'upgrade this worker; "postrider migrate --retention" agrees to it';
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER webhook_deliveries_kept AFTER DELETE ON webhook_deliveries
    REFERENCING OLD TABLE AS removed
    FOR EACH STATEMENT
    WHEN (current_setting('postrider.removal', true) = 'retention')
    EXECUTE FUNCTION webhook_deliveries_kept();

-- The roles that "migrate --grant" was used for: without this their retention would stop.
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
        EXECUTE format('GRANT SELECT ON postrider_adoptions, webhook_adopted TO %s', worker);
    END LOOP;
END
$$;

-- For applications whose ids of customers are no UUIDs: the same one for the same id, always and
-- everywhere. The first 16 bytes of SHA-256 over the id in UTF-8, with the bits of a UUID of version 8
-- (RFC 9562, 5.8), so that others can compute it, too.
CREATE FUNCTION postrider_customer(id text) RETURNS uuid
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT encode(set_byte(set_byte(h.hash, 6, get_byte(h.hash, 6) & 15 | 128),
                           8, get_byte(h.hash, 8) & 63 | 128), 'hex')::uuid
    FROM (SELECT substring(sha256(convert_to($1, 'UTF8')) FROM 1 FOR 16)) AS h (hash)
$$;
