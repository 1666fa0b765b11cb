-- Waking an idle worker with NOTIFY. It takes a database-wide lock at the producer's commit, so it
-- is sent only while a worker has said that it waits for it.

-- Until when a worker waits, in seconds since 1970. A sequence and not a table: it is read without
-- a snapshot, so a worker that has just said so is heard by every transaction, and writing it
-- leaves nothing to vacuum. It runs out by itself, so a worker that crashed costs producers nothing
-- for long.
CREATE SEQUENCE webhook_wakeups MINVALUE 0 START 0;

-- Read in the name of whoever inserts.
GRANT SELECT ON SEQUENCE webhook_wakeups TO PUBLIC;

CREATE FUNCTION webhook_deliveries_wake() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- As in webhook_deliveries_enqueue, every name says where it comes from. The table's number
    -- keeps two schemas in one database apart.
    -- A transaction that has notified can't be prepared: where two-phase commit is possible at all,
    -- workers find rows by polling.
    IF pg_catalog.current_setting('max_prepared_transactions') OPERATOR(pg_catalog.=) '0' THEN
        PERFORM pg_catalog.pg_notify('postrider_' OPERATOR(pg_catalog.||) TG_RELID, '');
    END IF;
    RETURN NULL;
END
$$;

-- The condition stands in WHEN, which refers to sequence and functions by their numbers: no
-- search_path and no renamed schema can make an INSERT fail, and a busy producer does not even
-- enter the function. CASE: without the privilege pg_sequence_last_value() would raise an error.
CREATE TRIGGER webhook_deliveries_wake AFTER INSERT ON webhook_deliveries
    FOR EACH STATEMENT
    WHEN (CASE WHEN has_sequence_privilege('webhook_wakeups'::regclass, 'SELECT')
               THEN pg_sequence_last_value('webhook_wakeups'::regclass)
                    > date_part('epoch', clock_timestamp()) END)
    EXECUTE FUNCTION webhook_deliveries_wake();

-- An operator sends again, or brings forward. What a worker writes is never that.
CREATE TRIGGER webhook_deliveries_requeue AFTER UPDATE ON webhook_deliveries
    FOR EACH ROW
    WHEN (NEW.status = 'pending'
          AND (OLD.status <> 'pending' OR NEW.next_retry_at < OLD.next_retry_at)
          AND CASE WHEN has_sequence_privilege('webhook_wakeups'::regclass, 'SELECT')
                   THEN pg_sequence_last_value('webhook_wakeups'::regclass)
                        > date_part('epoch', clock_timestamp()) END)
    EXECUTE FUNCTION webhook_deliveries_wake();
