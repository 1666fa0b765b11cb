# SPDX-License-Identifier: MIT
"""A second record of what is written, kept by triggers in the database itself: each change of a
delivery's row and each lane's change of hands, with the time. Statements that take back what they did
leave nothing here either. That a row's turn has come in its ordering key is no change (its time
alone is another one): requests show it.

"at" is in seconds since the machine has started, which nobody can set; what else is a time is by the
database's own clock."""

SCHEMA = """
CREATE FUNCTION torture_uptime() RETURNS float8 LANGUAGE sql AS
    $$ SELECT split_part(pg_read_file('/proc/uptime'), ' ', 1)::float8 $$;
CREATE TABLE torture_changes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    delivery uuid NOT NULL,
    at float8 NOT NULL DEFAULT torture_uptime(),
    transaction_at timestamptz NOT NULL DEFAULT now(),
    old_status varchar, new_status varchar, old_attempts int, new_attempts int,
    response_status int, last_error varchar, next_retry_at timestamptz);
CREATE TABLE torture_lanes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lane int NOT NULL, at float8 NOT NULL DEFAULT torture_uptime(),
    old_owner varchar, new_owner varchar);
CREATE FUNCTION torture_note_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NEW.ordering_key IS NOT NULL AND to_jsonb(OLD) - 'next_retry_at'
           = to_jsonb(NEW) - 'next_retry_at' THEN
            RETURN NULL;
        END IF;
    END IF;
    INSERT INTO public.torture_changes (delivery, old_status, new_status, old_attempts, new_attempts,
        response_status, last_error, next_retry_at)
    VALUES (OLD.id, OLD.status, NEW.status, OLD.attempts, NEW.attempts, NEW.response_status,
        NEW.last_error, NEW.next_retry_at);
    RETURN NULL;
END $$;
CREATE FUNCTION torture_note_lane() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO public.torture_lanes (lane, old_owner, new_owner)
    VALUES (NEW.lane, OLD.owner, NEW.owner);
    RETURN NULL;
END $$;
CREATE TRIGGER torture_note_change AFTER UPDATE OR DELETE ON webhook_deliveries
    FOR EACH ROW EXECUTE FUNCTION torture_note_change();
CREATE TRIGGER torture_note_lane AFTER UPDATE ON webhook_lanes
    FOR EACH ROW WHEN (OLD.owner IS DISTINCT FROM NEW.owner)
    EXECUTE FUNCTION torture_note_lane();
"""


def prepare(cluster):
    cluster.query(SCHEMA)
