-- A worker that ends an ordered delivery and goes on with the next of its key at once does not write that this one is
-- due: that was half of what an ordered delivery cost. It promises to send it, for all of a batch in one row of
-- webhook_promotions, and next_retry_at stays 'infinity'. A promise is kept when the delivery has ended or has a time;
-- what a worker can't send soon it makes due. Whoever deletes the promise of another looks at each of its deliveries;
-- the owner of lane 0 does so with those of workers that are no more, and a worker of before this deletes all, which
-- makes due what they are about.
ALTER TABLE webhook_promotions
    ALTER COLUMN event_id DROP NOT NULL,
    ALTER COLUMN endpoint_id DROP NOT NULL,
    ALTER COLUMN ordering_key DROP NOT NULL,
    ADD COLUMN owner varchar,         -- who promises, as in webhook_workers
    ADD COLUMN delivery_ids uuid[],   -- what
    ADD CONSTRAINT webhook_promotions_check CHECK (
        CASE WHEN owner IS NULL THEN delivery_ids IS NULL AND event_id IS NOT NULL AND endpoint_id IS NOT NULL
                                     AND ordering_key IS NOT NULL
             ELSE delivery_ids IS NOT NULL END);

-- Those of before are looked for twenty times a second, among what is left of rows that are gone.
CREATE INDEX webhook_promotions_noted ON webhook_promotions (id) WHERE owner IS NULL;

-- Makes due what is still the first of its key and has no time. By its id alone: the next of the key is another's.
CREATE FUNCTION webhook_promises_broken(ids uuid[]) RETURNS void LANGUAGE plpgsql
SET enable_seqscan = off SET enable_sort = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    promised record;
    first record;
BEGIN
    FOR promised IN
        SELECT d.id, d.event_id, d.endpoint_id, d.ordering_key FROM unnest($1) AS i (id)
        CROSS JOIN LATERAL (SELECT w.* FROM webhook_deliveries w
                            WHERE w.id OPERATOR(pg_catalog.=) i.id OFFSET 0) d
        WHERE d.ordering_key IS NOT NULL AND d.status::text OPERATOR(pg_catalog.=) 'pending'
          AND d.next_retry_at OPERATOR(pg_catalog.=) 'infinity'
    LOOP
        first := webhook_ordering_head(promised.endpoint_id, promised.ordering_key::text);
        CONTINUE WHEN first.is_blocked OR first.head IS DISTINCT FROM promised.id;
        UPDATE webhook_deliveries d
        SET next_retry_at = GREATEST(clock_timestamp(), (
            SELECT e.deliver_after FROM webhook_events e WHERE e.id OPERATOR(pg_catalog.=) promised.event_id))
        WHERE d.id OPERATOR(pg_catalog.=) promised.id
          AND (d.status::text OPERATOR(pg_catalog.=) 'pending') OPERATOR(pg_catalog.>=) true
          AND d.next_retry_at OPERATOR(pg_catalog.=) 'infinity';
    END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION webhook_promotions_tried() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
DECLARE
    is_quiet boolean;
BEGIN
    PERFORM set_config('search_path', 'pg_catalog, ' || quote_ident(TG_TABLE_SCHEMA) || ', pg_temp', true);
    IF OLD.delivery_ids IS NOT NULL THEN
        PERFORM webhook_promises_broken(OLD.delivery_ids);
        RETURN OLD;
    END IF;
    is_quiet := webhook_ordering_is_quiet(OLD.event_id);
    PERFORM webhook_ordering_promote(OLD.endpoint_id, OLD.ordering_key::text);
    RETURN CASE WHEN is_quiet THEN OLD END;
END
$$;

-- A worker says that it has kept a promise (src/db/ordering.h).
DROP TRIGGER webhook_promotions_tried ON webhook_promotions;
CREATE TRIGGER webhook_promotions_tried BEFORE DELETE ON webhook_promotions
    FOR EACH ROW
    WHEN (OLD.owner IS NULL OR current_setting('postrider.promotion', true) IS DISTINCT FROM 'worker')
    EXECUTE FUNCTION webhook_promotions_tried();
