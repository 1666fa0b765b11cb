-- Discards as rows of webhook_replays: dead letters that are deleted for good, by the same filters as those of a
-- replay, and by workers, so that who may ask for it needs no DELETE. A worker of before leaves the kind alone.

ALTER TABLE webhook_replays
    DROP CONSTRAINT webhook_replays_kind_check,
    DROP CONSTRAINT webhook_replays_filter_keys_check,
    DROP CONSTRAINT webhook_replays_filter_texts_check,
    DROP CONSTRAINT webhook_replays_filter_times_check,
    DROP CONSTRAINT webhook_replays_filter_ids_check;

-- As they were (0019_replays.sql), and of a discard the same as of a replay. What was not delivered is the operator's
-- evidence, so no customer's row is a discard.
ALTER TABLE webhook_replays
    ADD CONSTRAINT webhook_replays_kind_check
        CHECK (kind IN ('replay', 'recover', 'backfill', 'test', 'doctor', 'discard')),
    ADD CONSTRAINT webhook_replays_discard_check CHECK (kind <> 'discard' OR customer_id IS NULL),
    ADD CONSTRAINT webhook_replays_filter_keys_check
        CHECK (CASE
            WHEN kind IN ('replay', 'discard') THEN filter <> '{}' AND (filter = '{"all": true}' OR filter
                - '{endpoint,customer,event_type,since,until,error,ids}'::text[] = '{}')
            WHEN kind = 'recover' THEN filter ? 'endpoint' AND filter ? 'since'
                AND filter - '{endpoint,customer,since}'::text[] = '{}'
                AND right(filter ->> 'endpoint', 1) <> '*'
            ELSE true END),
    ADD CONSTRAINT webhook_replays_filter_texts_check
        CHECK (kind NOT IN ('replay', 'recover', 'discard')
               OR (jsonb_typeof(filter -> 'endpoint') = 'string' AND filter ->> 'endpoint' <> ''
                   AND jsonb_typeof(filter -> 'event_type') = 'string'
                   AND jsonb_typeof(filter -> 'error') = 'string'
                   AND filter ->> 'customer' ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$')),
    ADD CONSTRAINT webhook_replays_filter_times_check
        CHECK (kind NOT IN ('replay', 'recover', 'discard')
               OR (jsonb_typeof(filter -> 'since') = 'string'
                   AND filter ->> 'since' ~ '^(-?infinity|\d{4,6}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d)?))$'
                   AND jsonb_typeof(filter -> 'until') = 'string'
                   AND filter ->> 'until' ~ '^(-?infinity|\d{4,6}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d)?))$')),
    ADD CONSTRAINT webhook_replays_filter_ids_check
        CHECK (kind NOT IN ('replay', 'recover', 'discard')
               OR CASE jsonb_typeof(filter -> 'ids')
                   WHEN 'array' THEN jsonb_array_length(filter -> 'ids') BETWEEN 1 AND 1000
                       AND NOT jsonb_path_exists(filter -> 'ids',
                           'strict $[*] ? (@.type() != "string"
                            || !(@ like_regex "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$" flag "i"))')
                   ELSE NOT filter ? 'ids' END);

-- Which discard it was: who asked for it, and for what, stands in its row. removed_by is the role of who carried it out.
ALTER TABLE webhook_removals ADD COLUMN replay_id uuid;

-- As it was (0007_ledger.sql), and with what a discard says of itself (db/replays.c).
CREATE OR REPLACE FUNCTION webhook_deliveries_removed() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    is_discard CONSTANT boolean := current_setting('postrider.removal', true) IS NOT DISTINCT FROM 'discard';
    replay CONSTANT text := substring(current_setting('postrider.removal_replay', true)
                                      FROM '^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$');
BEGIN
    EXECUTE format(
        'INSERT INTO %I.webhook_removals (removed_by, is_discard, replay_id, delivery_id, event_id,'
        ' customer_id, webhook_url, status, attempts, created_at)'
        ' SELECT session_user, $1, $2, id, event_id, customer_id, webhook_url, status,'
        ' attempts, created_at FROM removed', TG_TABLE_SCHEMA)
        USING is_discard, CASE WHEN is_discard THEN replay::uuid END;
    -- A little more than what one statement adds, so that it never has much to do.
    EXECUTE format(
        'DELETE FROM %1$I.webhook_removals WHERE id IN (SELECT id FROM %1$I.webhook_removals'
        ' WHERE removed_at < now() - interval ''90 days'' ORDER BY removed_at LIMIT 1000'
        ' FOR UPDATE SKIP LOCKED)', TG_TABLE_SCHEMA);
    RETURN NULL;
END
$$;
