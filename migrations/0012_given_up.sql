-- When a delivery was given up: a dead letter that was never sent had no time but that of its
-- insertion, and one that waited for long that of an attempt long ago.

-- A table that was adopted may have a column of this name, which is somebody else's to write. One
-- that stands behind last_error was made by an earlier Postrider, whose table was restored from a
-- dump: an adoption adds last_error behind all that an application has.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_attribute a JOIN pg_attribute e
                   ON e.attrelid = a.attrelid AND e.attname = 'last_error' AND NOT e.attisdropped
               WHERE a.attrelid = 'webhook_deliveries'::regclass
               AND a.attname = 'given_up_at' AND NOT a.attisdropped
               AND (a.attnum < e.attnum OR a.atttypid <> 'timestamptz'::regtype)) THEN
        RAISE EXCEPTION 'webhook_deliveries has a column given_up_at, which is not Postrider''s'
            USING HINT = 'rename it, and migrate again: Postrider needs the name';
    END IF;
END
$$;

-- The last time that status became 'failed'; NULL: never, or before this migration.
ALTER TABLE webhook_deliveries ADD COLUMN IF NOT EXISTS given_up_at timestamptz;

-- Who fails a delivery, a worker of whatever version or somebody by hand, need not know of it. A row
-- that nobody has said why of says at least who: so an operator's plain "SET status = 'failed'" is
-- told from a row that lost its last_error.
-- It runs with the caller's search_path, as webhook_deliveries_enqueue().
CREATE FUNCTION webhook_deliveries_given_up() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status OPERATOR(pg_catalog.=) 'failed' THEN
        RETURN NEW;
    END IF;
    NEW.given_up_at := pg_catalog.now();
    NEW.last_error := COALESCE(NEW.last_error,
        pg_catalog.concat('given up by the role "', session_user, '"'));
    RETURN NEW;
END
$$;

-- As few words as can be: each costs 3,500 instructions a statement (0005_producer.sql), also where
-- nothing has failed.
CREATE TRIGGER webhook_deliveries_given_up BEFORE UPDATE OF status ON webhook_deliveries
    FOR EACH ROW
    WHEN (NEW.status = 'failed')
    EXECUTE FUNCTION webhook_deliveries_given_up();
