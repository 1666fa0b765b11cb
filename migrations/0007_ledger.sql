-- What "postrider audit" needs to make the sum: a deleted row leaves a trace, and what was counted
-- once must be there the next time.

-- One row for each delivery that was deleted other than by retention, with who did it: "postrider
-- dead discard" or anybody's SQL. Written by the trigger below, and kept for 90 days. TRUNCATE, and
-- a DELETE with triggers switched off, leave no trace: the balances find those.
CREATE TABLE webhook_removals (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    removed_at timestamptz NOT NULL DEFAULT now(),
    removed_by varchar NOT NULL, -- the role that logged in
    is_discard boolean NOT NULL, -- by "postrider dead discard"
    delivery_id uuid NOT NULL,
    event_id uuid NOT NULL,
    customer_id uuid NOT NULL,
    webhook_url varchar NOT NULL,
    status varchar NOT NULL,
    attempts integer NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX webhook_removals_delivery ON webhook_removals (delivery_id);
CREATE INDEX webhook_removals_removed_at ON webhook_removals (removed_at);

-- In the name of its owner: who may delete a delivery need not be able to write the ledger. For that
-- reason it has a search_path of its own, and names the schema.
CREATE FUNCTION webhook_deliveries_removed() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format(
        'INSERT INTO %I.webhook_removals (removed_by, is_discard, delivery_id, event_id,'
        ' customer_id, webhook_url, status, attempts, created_at)'
        ' SELECT session_user, current_setting(''postrider.removal'', true)'
        ' IS NOT DISTINCT FROM ''discard'', id, event_id, customer_id, webhook_url, status,'
        ' attempts, created_at FROM removed', TG_TABLE_SCHEMA);
    -- A little more than what one statement adds, so that it never has much to do.
    EXECUTE format(
        'DELETE FROM %1$I.webhook_removals WHERE id IN (SELECT id FROM %1$I.webhook_removals'
        ' WHERE removed_at < now() - interval ''90 days'' ORDER BY removed_at LIMIT 1000'
        ' FOR UPDATE SKIP LOCKED)', TG_TABLE_SCHEMA);
    RETURN NULL;
END
$$;

-- Retention is the worker's and says so, for its own transaction only. It goes by created_at, so
-- what it has taken is known without a ledger.
CREATE TRIGGER webhook_deliveries_removed AFTER DELETE ON webhook_deliveries
    REFERENCING OLD TABLE AS removed
    FOR EACH STATEMENT
    WHEN (current_setting('postrider.removal', true) IS DISTINCT FROM 'retention')
    EXECUTE FUNCTION webhook_deliveries_removed();

-- What the last audit found, by customer and day of creation (UTC): rows that were there and rows
-- that were removed, together. That sum never shrinks. Only rows created before audited_at count, so
-- that those of the rest of the day can't stand in for what is lost.
CREATE TABLE webhook_balances (
    customer_id uuid NOT NULL,
    created_on date NOT NULL,
    deliveries bigint NOT NULL,
    audited_at timestamptz NOT NULL,
    PRIMARY KEY (customer_id, created_on)
);
