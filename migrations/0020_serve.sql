-- What "postrider serve" needs: who may come in, what was answered to whom, and publishing many requests in one
-- transaction.

-- Bearer tokens, of which only hashes are kept. A name stays when its token is rotated, and with it the scope of
-- its idempotency keys. The hash before goes on being taken until previous_not_after.
CREATE TABLE webhook_tokens (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name varchar NOT NULL UNIQUE
        CONSTRAINT webhook_tokens_name_check CHECK (name ~ '^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$'),
    token_hash bytea NOT NULL UNIQUE
        CONSTRAINT webhook_tokens_token_hash_check CHECK (octet_length(token_hash) = 32),
    previous_hash bytea
        CONSTRAINT webhook_tokens_previous_hash_check CHECK (octet_length(previous_hash) = 32),
    previous_not_after timestamptz,
    scopes text[] NOT NULL
        CONSTRAINT webhook_tokens_scopes_check
        CHECK (array_ndims(scopes) = 1 AND array_position(scopes, NULL) IS NULL
               AND scopes <@ '{publish,read,operate}'::text[]),
    -- NULL: of every customer. No foreign key: a token must not keep a customer from going, and what it may do
    -- then is nothing.
    customer_id uuid,
    -- Events a second; NULL: as many as it likes.
    publish_rate double precision
        CONSTRAINT webhook_tokens_publish_rate_check CHECK (publish_rate BETWEEN 0.001 AND 1000000),
    created_at timestamptz NOT NULL DEFAULT now(),
    not_after timestamptz, -- NULL: until it is revoked
    last_used_on date
);

DO $$
BEGIN
    IF to_regclass('idempotency_keys') IS NOT NULL THEN
        RAISE EXCEPTION 'there is a table idempotency_keys that is not Postrider''s'
            USING HINT = 'rename it, and migrate again: Postrider needs the name';
    END IF;
END
$$;

-- What was answered to a request, so that the same one is answered the same. Not partitioned, and no reference
-- to events: the answer outlives them.
CREATE TABLE idempotency_keys (
    scope varchar NOT NULL,
    key varchar NOT NULL
        CONSTRAINT idempotency_keys_key_check CHECK (length(key) BETWEEN 1 AND 255),
    fingerprint bytea NOT NULL,
    ids uuid[] NOT NULL,
    status smallint NOT NULL,
    body text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (scope, key)
);
-- Retention.
CREATE INDEX idempotency_keys_created_at ON idempotency_keys (created_at);

-- Those of the customers that are there. In the name of its owner, for who publishes need not see the table of
-- customers, and without a word where the owner can't see all of it either: then the foreign key decides. events
-- is webhook_events, given by who calls, since the schema may be renamed; of any other table one learns no more
-- than a foreign key of it tells.
CREATE FUNCTION webhook_known_customers(events regclass, customers uuid[]) RETURNS uuid[]
LANGUAGE plpgsql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    referenced CONSTANT regclass := (
        SELECT k.confrelid::regclass FROM pg_constraint k
        JOIN pg_attribute a ON a.attrelid = k.conrelid AND k.conkey = ARRAY[a.attnum]
        WHERE k.conrelid = events AND k.contype = 'f' AND a.attname = 'customer_id'
        LIMIT 1);
    known uuid[];
BEGIN
    IF referenced IS NULL OR row_security_active(referenced::oid)
       OR NOT has_table_privilege(referenced::oid, 'SELECT') THEN
        RETURN customers;
    END IF;
    EXECUTE format('SELECT array_agg(id) FROM ONLY %s WHERE id OPERATOR(pg_catalog.=) ANY ($1)', referenced)
        INTO known USING customers;
    RETURN coalesce(known, '{}');
END
$$;
REVOKE EXECUTE ON FUNCTION webhook_known_customers(regclass, uuid[]) FROM PUBLIC;

-- Publishes many requests in the caller's transaction, and says what became of each. requests: an array of
-- {request, scope, key, fingerprint (hexadecimal), is_array}; events: their events, each with the number of its
-- request. verdict:
--   published         events are made, and the answer is kept
--   stored            the key has come before: its answer
--   other content     the key has come before with another fingerprint
--   in progress       somebody else is about to answer the key
--   unknown customer  body names it; nothing was done
-- A key is decided by a lock that is never waited for, and looked up by a snapshot that is younger than the lock:
-- this function must be VOLATILE, and its transaction READ COMMITTED. ON CONFLICT would wait for the other one.
CREATE FUNCTION webhook_publish_requests(requests json, events json)
RETURNS TABLE (request int, verdict text, status int, body text)
LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
    mine int[];
    known uuid[];
    named uuid[];
    old int[];
    ids uuid[];
    owners int[];
    types text[];
    moment CONSTANT text := pg_catalog.to_char(pg_catalog.now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');
BEGIN
    -- Who waits for a row that somebody else holds makes all the others wait.
    PERFORM pg_catalog.set_config('lock_timeout', '500ms', true);
    mine := ARRAY(
        SELECT r.request
        FROM pg_catalog.json_to_recordset(requests) AS r (request int, scope varchar, key varchar)
        WHERE pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtextextended(
                  pg_catalog.concat('postrider key ', r.scope, ' ', r.key), 0)));
    old := ARRAY(
        SELECT r.request
        FROM pg_catalog.json_to_recordset(requests) AS r (request int, scope varchar, key varchar)
        JOIN idempotency_keys k ON k.scope = r.scope AND k.key = r.key);
    IF pg_catalog.cardinality(old) > 0
       OR pg_catalog.cardinality(mine) < pg_catalog.json_array_length(requests) THEN
        RETURN QUERY
        SELECT r.request,
               CASE WHEN k.key IS NULL THEN 'in progress'
                    WHEN k.fingerprint = pg_catalog.decode(r.fingerprint, 'hex') THEN 'stored'
                    ELSE 'other content' END,
               k.status::int, k.body::text
        FROM pg_catalog.json_to_recordset(requests)
             AS r (request int, scope varchar, key varchar, fingerprint text)
        LEFT JOIN idempotency_keys k ON k.scope = r.scope AND k.key = r.key
        WHERE k.key IS NOT NULL OR NOT r.request = ANY (mine);
        mine := ARRAY(SELECT m FROM pg_catalog.unnest(mine) AS m WHERE NOT m = ANY (old));
    END IF;

    named := ARRAY(
        SELECT DISTINCT e.customer_id
        FROM pg_catalog.json_to_recordset(events) AS e (request int, customer_id uuid)
        WHERE e.request = ANY (mine));
    known := webhook_known_customers('webhook_events'::regclass, named);
    IF pg_catalog.cardinality(known) < pg_catalog.cardinality(named) THEN
        RETURN QUERY
        SELECT e.request, 'unknown customer', 0, pg_catalog.min(e.customer_id::text)
        FROM pg_catalog.json_to_recordset(events) AS e (request int, customer_id uuid)
        WHERE e.request = ANY (mine) AND NOT e.customer_id = ANY (known)
        GROUP BY e.request;
        mine := ARRAY(
            SELECT m FROM pg_catalog.unnest(mine) AS m
            WHERE NOT EXISTS (
                SELECT FROM pg_catalog.json_to_recordset(events) AS e (request int, customer_id uuid)
                WHERE e.request = m AND NOT e.customer_id = ANY (known)));
    END IF;
    IF pg_catalog.cardinality(mine) = 0 THEN
        RETURN;
    END IF;

    -- JSON's null is a payload like any other, but json_to_recordset() takes it for SQL's.
    WITH given AS MATERIALIZED (
        SELECT pg_catalog.gen_random_uuid() AS id, e.*
        FROM ROWS FROM (pg_catalog.json_to_recordset(events) AS
                        (request int, customer_id uuid, type varchar, data jsonb, ordering_key varchar,
                         correlation_id uuid, causation_id uuid, deliver_after timestamptz)) WITH ORDINALITY
             AS e (request, customer_id, type, data, ordering_key, correlation_id, causation_id, deliver_after, n)
        WHERE e.request = ANY (mine)
    ), made AS (
        INSERT INTO webhook_events (id, customer_id, event_type, payload, ordering_key, correlation_id,
                                    causation_id, deliver_after)
        SELECT id, customer_id, type, COALESCE(data, 'null'), ordering_key, correlation_id, causation_id,
               deliver_after
        FROM given ORDER BY n
    )
    SELECT pg_catalog.array_agg(id ORDER BY n), pg_catalog.array_agg(request ORDER BY n),
           pg_catalog.array_agg(type::text ORDER BY n)
    INTO ids, owners, types FROM given;

    -- The deliveries are there when the statement is over. A type has no letter that JSON would escape.
    RETURN QUERY
    WITH answered AS MATERIALIZED (
        SELECT g.request, g.id, g.n,
               pg_catalog.format('{"id":"%s","type":"%s","created_at":"%s","deliveries":%s}', g.id, g.type, moment,
                      (SELECT pg_catalog.count(*) FROM webhook_deliveries d
                       WHERE d.event_id = g.id AND d.endpoint_id IS NOT NULL)) AS body
        FROM ROWS FROM (pg_catalog.unnest(ids), pg_catalog.unnest(owners), pg_catalog.unnest(types))
             WITH ORDINALITY AS g (id, request, type, n)
    ), whole AS MATERIALIZED (
        SELECT a.request, pg_catalog.array_agg(a.id ORDER BY a.n) AS ids,
               pg_catalog.string_agg(a.body, ',' ORDER BY a.n) AS body
        FROM answered a GROUP BY a.request
    ), kept AS (
        INSERT INTO idempotency_keys (scope, key, fingerprint, ids, status, body)
        SELECT r.scope, r.key, pg_catalog.decode(r.fingerprint, 'hex'), w.ids, 201,
               CASE WHEN r.is_array THEN pg_catalog.concat('[', w.body, ']') ELSE w.body END
        FROM pg_catalog.json_to_recordset(requests)
             AS r (request int, scope varchar, key varchar, fingerprint text, is_array boolean)
        JOIN whole w ON w.request = r.request
        RETURNING scope, key, body
    )
    SELECT r.request, 'published', 201, k.body
    FROM kept k
    JOIN pg_catalog.json_to_recordset(requests) AS r (request int, scope varchar, key varchar)
      ON r.scope = k.scope AND r.key = k.key;
END
$$;

-- An endpoint that is let through the border (allow, client_certificate), or hears the events of every customer, is
-- the operator's: who may not set these must not turn them to another URL. serve's role is told by what it alone
-- has of those that lack the first: keys to write. The worker's, and an application's, go on as they did.
CREATE FUNCTION webhook_endpoints_protected() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF pg_catalog.has_table_privilege(
           current_user::name, pg_catalog.format('%I.idempotency_keys', TG_TABLE_SCHEMA), 'INSERT')
       AND NOT pg_catalog.has_column_privilege(current_user::name, TG_RELID, 'allow', 'UPDATE') THEN
        RAISE EXCEPTION 'the role "%" may not change endpoint %: it has allow, client_certificate or all_customers',
                        current_user, OLD.id
            USING ERRCODE = 'insufficient_privilege', HINT = 'let the operator''s role do it';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$$;

CREATE TRIGGER webhook_endpoints_protected BEFORE UPDATE OR DELETE ON webhook_endpoints
    FOR EACH ROW
    WHEN (OLD.allow IS NOT NULL OR OLD.client_certificate IS NOT NULL OR OLD.all_customers)
    EXECUTE FUNCTION webhook_endpoints_protected();
