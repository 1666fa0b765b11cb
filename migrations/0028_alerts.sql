-- Alerts (docs/alerts.md): what a worker has told of, so that no restart and no other worker repeats or forgets it; what
-- is to be told of and can't be seen from a state; and how an alert becomes an event like any other.

-- One row for each cause, of its present or last time. Written by the worker that owns lane 0 (src/db/alerts.h).
CREATE TABLE webhook_alerts (
    cause varchar PRIMARY KEY CONSTRAINT webhook_alerts_cause_check CHECK (cause ~ '^[a-z_]+(\.[a-z]+)?$'),
    id uuid NOT NULL DEFAULT gen_random_uuid(), -- new each time; the correlation_id of its events
    fault varchar NOT NULL CONSTRAINT webhook_alerts_fault_check CHECK (fault IN ('ours', 'receiver')),
    raised_at timestamptz NOT NULL DEFAULT now(),
    told_at timestamptz,     -- the last message; NULL: there was none yet
    resolved_at timestamptz, -- NULL: it is open
    pause_ms bigint NOT NULL DEFAULT 0, -- so long after its end it is not raised again
    summary text NOT NULL,
    detail jsonb NOT NULL DEFAULT '{}',
    version bigint NOT NULL DEFAULT 1 -- who changes it says which one it has read
);

-- What has happened and is to be told: endpoints that were disabled, or are no more, and what the last audit said.
CREATE TABLE webhook_alert_notes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind varchar NOT NULL CONSTRAINT webhook_alert_notes_kind_check
        CHECK (kind IN ('endpoint_disabled', 'endpoint_recovered', 'audit_failed', 'audit_passed')),
    endpoint_id uuid,
    customer_id uuid,
    url varchar,
    detail text,
    noted_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX webhook_alert_notes_noted_at ON webhook_alert_notes (noted_at);

-- The endpoint that hears of alerts: alerts.url and alerts.customer, as they were when the last one was sent.
CREATE TABLE webhook_alert_endpoint (
    is_only boolean PRIMARY KEY DEFAULT true CONSTRAINT webhook_alert_endpoint_is_only_check CHECK (is_only),
    endpoint_id uuid NOT NULL
);

-- Nobody may be there to tell, so what is older than a week goes.
CREATE FUNCTION webhook_endpoints_noted() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
BEGIN
    EXECUTE format('INSERT INTO %I.webhook_alert_notes (kind, endpoint_id, customer_id, url, detail)'
                   ' VALUES ($1, $2, $3, $4, $5)', TG_TABLE_SCHEMA)
        USING CASE WHEN NEW.disabled_at IS NULL THEN 'endpoint_recovered' ELSE 'endpoint_disabled' END,
              NEW.id, NEW.customer_id, NEW.url, left(NEW.disabled_reason, 500);
    EXECUTE format('DELETE FROM %I.webhook_alert_notes WHERE noted_at < now() - interval ''7 days'''
                   ' AND kind LIKE ''endpoint%%''', TG_TABLE_SCHEMA);
    RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION webhook_endpoints_noted() FROM PUBLIC;

CREATE TRIGGER webhook_endpoints_noted AFTER UPDATE ON webhook_endpoints
    FOR EACH ROW
    WHEN ((OLD.disabled_at IS NULL) <> (NEW.disabled_at IS NULL))
    EXECUTE FUNCTION webhook_endpoints_noted();
CREATE TRIGGER webhook_endpoints_noted_new AFTER INSERT ON webhook_endpoints
    FOR EACH ROW
    WHEN (NEW.disabled_at IS NOT NULL)
    EXECUTE FUNCTION webhook_endpoints_noted();

-- Publishes an alert to one URL, in the name of its owner, since a worker's role may publish nothing: by this it can
-- publish events of this kind alone. Its endpoint is made when it is not there. When the configuration names another
-- URL, an endpoint that was made here moves there, with what is pending; one that somebody else had made only stops
-- hearing of alerts. The schema is the function's own, as in postrider_publish().
CREATE FUNCTION webhook_alert_publish(alert uuid, customer uuid, url text, event_type text, data jsonb) RETURNS uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
DECLARE
    place text;
    former uuid;
    target uuid;
    event uuid;
BEGIN
    GET DIAGNOSTICS place = PG_CONTEXT;
    PERFORM set_config('search_path', 'pg_catalog, '
        || substring(place FROM '("(?:[^"]|"")+"|[^[:space:]".]+)\.webhook_alert_publish\(') || ', pg_temp', true);
    IF $4 !~ '^postrider\.alert\.[a-z_]+(\.resolved)?$' THEN
        RAISE EXCEPTION 'an alert''s event type begins with postrider.alert.' USING ERRCODE = 'invalid_parameter_value';
    END IF;

    former := (SELECT t.endpoint_id FROM webhook_alert_endpoint t);
    SELECT e.id INTO target FROM webhook_endpoints e
    WHERE e.customer_id = $2 AND hashtextextended(e.url::text, 0::bigint) = hashtextextended($3, 0::bigint)
      AND e.url::text = $3;
    IF target IS NULL THEN
        UPDATE webhook_endpoints e
        SET customer_id = $2, url = $3, disabled_at = NULL, disabled_reason = NULL, failing_since = NULL
        WHERE e.id = former AND e.event_types = '{postrider.alert.*}' RETURNING e.id INTO target;
    END IF;
    IF target IS NULL THEN
        INSERT INTO webhook_endpoints (customer_id, url, event_types) VALUES ($2, $3, '{postrider.alert.*}')
        RETURNING id INTO target;
    END IF;
    -- One that a worker had noted would go by itself.
    UPDATE webhook_endpoints e SET event_types = '{postrider.alert.*}', noted_at = NULL
    WHERE e.id = target AND e.noted_at IS NOT NULL;
    UPDATE webhook_endpoints e SET event_types = NULL
    WHERE e.id = former AND former <> target AND e.event_types = '{postrider.alert.*}';
    INSERT INTO webhook_alert_endpoint AS t (endpoint_id) VALUES (target)
    ON CONFLICT (is_only) DO UPDATE SET endpoint_id = EXCLUDED.endpoint_id
    WHERE t.endpoint_id <> EXCLUDED.endpoint_id;

    INSERT INTO webhook_events (customer_id, event_type, payload, correlation_id) VALUES ($2, $4, $5, $1)
    RETURNING id INTO event;
    -- Subscribed or not.
    INSERT INTO webhook_deliveries (event_id, endpoint_id, customer_id, webhook_url, event_type)
    VALUES (event, target, $2, $3, $4)
    ON CONFLICT (event_id, endpoint_id) WHERE endpoint_id IS NOT NULL DO NOTHING;
    RETURN event;
END
$$;
REVOKE ALL ON FUNCTION webhook_alert_publish(uuid, uuid, text, text, jsonb) FROM PUBLIC;

-- The roles that "migrate --grant" and "migrate --grant-serve" were used for, so that they go on.
DO $$
DECLARE
    granted regrole;
BEGIN
    FOR granted IN
        SELECT DISTINCT a.grantee::regrole
        FROM pg_attribute, aclexplode(attacl) a
        WHERE attrelid = 'webhook_endpoints'::regclass AND attname = 'failing_since'
          AND a.privilege_type = 'UPDATE' AND a.grantee <> 0
    LOOP
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_alerts TO %1$s;'
                       ' GRANT SELECT, INSERT (kind, detail), DELETE ON webhook_alert_notes TO %1$s;'
                       ' GRANT SELECT ON webhook_alert_endpoint TO %1$s;'
                       ' GRANT EXECUTE ON FUNCTION webhook_alert_publish(uuid, uuid, text, text, jsonb) TO %1$s',
                       granted);
    END LOOP;
    FOR granted IN
        SELECT DISTINCT a.grantee::regrole FROM pg_class, aclexplode(relacl) a
        WHERE oid = 'idempotency_keys'::regclass AND a.privilege_type = 'INSERT' AND a.grantee <> relowner
          AND a.grantee <> 0
    LOOP
        EXECUTE format('GRANT SELECT ON webhook_alerts TO %s', granted);
    END LOOP;
END
$$;
