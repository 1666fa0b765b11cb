-- What a receiver needs to apply each event once ("postrider migrate --consumer"): in its own database, which need not
-- be the one that Postrider reads. Not one of the numbered migrations. postrider.keep: see src/db/consumer.c.
DO $consumer$
DECLARE
    here CONSTANT name := current_schema();
    wanted CONSTANT text := 'event_id uuid, service_name character varying, processed_at timestamp with time zone';
    found text;
    keep interval := NULLIF(current_setting('postrider.keep', true), '')::interval;
BEGIN
    CREATE TABLE IF NOT EXISTS processed_events (
        event_id uuid,
        service_name varchar,
        processed_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (event_id, service_name)
    );
    -- One that was there before: without this key, an event would be applied as often as it comes.
    SELECT string_agg(concat(a.attname, ' ', format_type(a.atttypid, NULL)), ', ' ORDER BY a.attnum) INTO found
    FROM pg_attribute a WHERE a.attrelid = 'processed_events'::regclass AND a.attnum > 0 AND NOT a.attisdropped;
    IF found <> wanted OR NOT EXISTS (
        SELECT FROM pg_index i WHERE i.indrelid = 'processed_events'::regclass AND i.indisunique AND i.indisvalid
            AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL AND i.indnkeyatts = 2
            AND pg_get_indexdef(i.indexrelid) ~ '\((event_id, service_name|service_name, event_id)\)') THEN
        RAISE EXCEPTION 'there is a table processed_events of another kind: (%)', found
            USING HINT = format('it is to be (%s), unique by (event_id, service_name); rename it, or use another'
                                ' schema (database.schema)', wanted);
    END IF;

    -- How long a repeat is recognised; NULL: for ever. A run that says nothing leaves it.
    IF keep IS NULL AND to_regprocedure(format('%I.postrider_processed_keep()', here)) IS NOT NULL THEN
        EXECUTE format('SELECT %I.postrider_processed_keep()', here) INTO keep;
    ELSIF keep = '0' THEN
        keep := NULL;
    END IF;
    EXECUTE format('CREATE OR REPLACE FUNCTION %I.postrider_processed_keep() RETURNS interval LANGUAGE sql IMMUTABLE'
                   ' AS %L', here, format('SELECT %L::interval', keep));
    IF keep IS NOT NULL THEN
        CREATE INDEX IF NOT EXISTS processed_events_processed_at ON processed_events (processed_at);
    END IF;

    EXECUTE format($format$
CREATE OR REPLACE FUNCTION %1$I.postrider_forget_processed(keep interval, most integer) RETURNS void
LANGUAGE plpgsql AS $function$
BEGIN
    DELETE FROM %1$I.processed_events p WHERE p.ctid = ANY (ARRAY(
        SELECT o.ctid FROM %1$I.processed_events o WHERE o.processed_at < pg_catalog.now() - $1
        ORDER BY o.processed_at LIMIT $2 FOR UPDATE SKIP LOCKED));
END
$function$
$format$, here);

    -- Two at once: the second waits for the end of the first one's transaction, and is told that it is a repeat, or
    -- that it is the first after all. Each first one takes some of the oldest away, if a time was said. In a
    -- transaction of one snapshot only one of 64 does, and more of them: two that look for the oldest fail each other.
    EXECUTE format($format$
CREATE OR REPLACE FUNCTION %1$I.postrider_first_time(event_id uuid, service_name varchar) RETURNS boolean
LANGUAGE plpgsql AS $function$
DECLARE
    keep CONSTANT interval := %1$I.postrider_processed_keep();
BEGIN
    INSERT INTO %1$I.processed_events (event_id, service_name) VALUES ($1, $2) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF keep IS NULL THEN
        RETURN true;
    END IF;
    IF pg_catalog.current_setting('transaction_isolation') NOT IN ('repeatable read', 'serializable') THEN
        PERFORM %1$I.postrider_forget_processed(keep, 10);
    ELSIF pg_catalog.uuid_hash($1) %% 64 = 0 THEN
        BEGIN
            PERFORM %1$I.postrider_forget_processed(keep, 1000);
        EXCEPTION WHEN serialization_failure THEN
            NULL; -- another one has taken them away
        END;
    END IF;
    RETURN true;
END
$function$
$format$, here);
END
$consumer$;
