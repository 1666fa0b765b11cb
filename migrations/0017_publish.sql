-- Publishing by a key, and what retention of events may not do.

-- For an application that may say the same twice: the id of the event. With a key that the customer has used before
-- it is the first event's id, where the same was published, and an error (unique_violation) where something else was.
-- In the name of its owner, who may look at events: who publishes need not.
--
-- ON CONFLICT DO NOTHING waits for a transaction that has the key and has not ended. READ COMMITTED sees its event in
-- the next statement; REPEATABLE READ and SERIALIZABLE may not, and then the INSERT has failed with 40001, which is
-- to be tried again. A traceparent may differ: a repeat is another request. The schema is the function's own, which
-- may be renamed, so it is read from where we are. A varchar is made text before it is compared, or an operator of
-- the schema's for the two could be meant.
CREATE FUNCTION postrider_publish(customer uuid, type text, payload jsonb, idempotency_key text DEFAULT NULL,
                                  ordering_key text DEFAULT NULL, correlation_id uuid DEFAULT NULL,
                                  causation_id uuid DEFAULT NULL, traceparent text DEFAULT NULL,
                                  deliver_after timestamptz DEFAULT NULL) RETURNS uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
#variable_conflict use_column
DECLARE
    place text;
    event uuid;
    others text[];
BEGIN
    GET DIAGNOSTICS place = PG_CONTEXT;
    PERFORM set_config('search_path', 'pg_catalog, '
        || substring(place FROM '("(?:[^"]|"")+"|[^[:space:]".]+)\.postrider_publish\(') || ', pg_temp', true);
    LOOP
        INSERT INTO webhook_events (customer_id, event_type, payload, idempotency_key, ordering_key, correlation_id,
                                    causation_id, traceparent, deliver_after)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT ON CONSTRAINT webhook_events_idempotency_key DO NOTHING
        RETURNING id INTO event;
        IF event IS NOT NULL THEN
            RETURN event;
        END IF;
        SELECT e.id, array_remove(ARRAY[
                   CASE WHEN e.event_type::text <> $2 THEN 'type' END,
                   CASE WHEN e.payload <> $3 AND e.erased_at IS NULL THEN 'payload' END,
                   CASE WHEN e.ordering_key::text IS DISTINCT FROM $5 THEN 'ordering_key' END,
                   CASE WHEN e.correlation_id IS DISTINCT FROM $6 THEN 'correlation_id' END,
                   CASE WHEN e.causation_id IS DISTINCT FROM $7 THEN 'causation_id' END,
                   CASE WHEN e.deliver_after IS DISTINCT FROM $9 THEN 'deliver_after' END], NULL)
        INTO event, others
        FROM webhook_events e WHERE e.customer_id = $1 AND e.idempotency_key::text = $4;
        IF others <> '{}' THEN
            RAISE EXCEPTION 'customer % has published another event with the idempotency key "%"', $1, $4
                USING ERRCODE = 'unique_violation', CONSTRAINT = 'webhook_events_idempotency_key',
                      DETAIL = format('Event %s differs in: %s.', event, array_to_string(others, ', ')),
                      HINT = 'a new event needs a key of its own';
        END IF;
        IF event IS NOT NULL THEN
            RETURN event;
        END IF;
        -- Retention has taken it since the INSERT: the key is free.
    END LOOP;
END
$$;
REVOKE ALL ON FUNCTION postrider_publish(uuid, text, jsonb, text, text, uuid, uuid, text, timestamptz) FROM PUBLIC;

-- Retention takes an event when none of its deliveries is left. By now the event is locked as FOR UPDATE, so nobody
-- makes a further delivery who takes it FOR KEY SHARE first (as a backfill does), and one that was made since the
-- DELETE began is seen here. What somebody deletes by hand is their own matter: its deliveries wait.
CREATE FUNCTION webhook_events_expire() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    is_needed boolean;
BEGIN
    IF pg_catalog.current_setting('postrider.removal', true) OPERATOR(pg_catalog.=) 'retention' THEN
        EXECUTE pg_catalog.format('SELECT EXISTS (SELECT FROM %I.webhook_deliveries WHERE event_id = $1'
                                  ' AND endpoint_id IS NOT NULL)', TG_TABLE_SCHEMA)
            INTO is_needed USING OLD.id;
        IF is_needed THEN
            RETURN NULL;
        END IF;
    END IF;
    RETURN OLD;
END
$$;
CREATE TRIGGER webhook_events_expire BEFORE DELETE ON webhook_events
    FOR EACH ROW EXECUTE FUNCTION webhook_events_expire();
