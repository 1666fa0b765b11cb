-- Replays as rows: what is to be sent again, and how far that has come. Workers carry them out, so that they go on
-- when the terminal is closed, and after every crash. INSERT INTO webhook_replays (kind, filter) asks for one.

CREATE TABLE webhook_replays (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    -- replay: dead letters, by the filter. recover: all that failed for one endpoint since a time. A worker leaves a
    -- kind alone that it does not know.
    kind varchar NOT NULL DEFAULT 'replay'
        CONSTRAINT webhook_replays_kind_check
        CHECK (kind IN ('replay', 'recover', 'backfill', 'test', 'doctor')),
    -- Whose rows alone it touches, whatever the filter says; NULL: anybody's. No foreign key: of a customer who is
    -- gone there is nothing to replay, and who asked for what stays known.
    customer_id uuid,
    filter jsonb NOT NULL
        CONSTRAINT webhook_replays_filter_check CHECK (jsonb_typeof(filter) = 'object'),
    -- Rows a second; NULL: as many as workers can take, after a ramp.
    rate integer
        CONSTRAINT webhook_replays_rate_check CHECK (rate BETWEEN 1 AND 1000000),
    requested_by varchar NOT NULL DEFAULT session_user,
    -- Only what failed before this is replayed, or a row that dies again would be sent for ever.
    requested_at timestamptz NOT NULL DEFAULT now()
        CONSTRAINT webhook_replays_requested_at_check CHECK (isfinite(requested_at)),

    -- What follows is written by who carries it out, in the transaction that does what it says.
    started_at timestamptz,
    due_at timestamptz NOT NULL DEFAULT clock_timestamp(), -- the next batch
    -- created_at and id of the last row that was looked at in this pass; NULL: a pass begins.
    position varchar,
    -- Rows of endpoints that fail are looked at once more, in a further pass.
    pass integer NOT NULL DEFAULT 1,
    ramp_from bigint NOT NULL DEFAULT 0, -- done, where the ramp began
    total bigint, -- NULL: nobody has counted them
    done bigint NOT NULL DEFAULT 0,
    -- Rows that were left as they are in this pass, by URL (of many the first ones), all of them, and those of them
    -- for which there may be a further pass.
    skipped jsonb NOT NULL DEFAULT '{}'
        CONSTRAINT webhook_replays_skipped_check CHECK (jsonb_typeof(skipped) = 'object'),
    skipped_count bigint NOT NULL DEFAULT 0,
    waiting_count bigint NOT NULL DEFAULT 0,
    stopped_at timestamptz, -- it rests until this is NULL again
    finished_at timestamptz,
    error varchar, -- why it has ended without being carried out
    CONSTRAINT webhook_replays_error_check CHECK (error IS NULL OR finished_at IS NOT NULL),

    -- A filter with a key that nobody knows would choose more than was meant, and so would one without keys: whoever
    -- means all says {"all": true}.
    CONSTRAINT webhook_replays_filter_keys_check
        CHECK (CASE kind
            WHEN 'replay' THEN filter <> '{}' AND (filter = '{"all": true}' OR filter
                - '{endpoint,customer,event_type,since,until,error,ids}'::text[] = '{}')
            WHEN 'recover' THEN filter ? 'endpoint' AND filter ? 'since'
                AND filter - '{endpoint,customer,since}'::text[] = '{}'
                AND right(filter ->> 'endpoint', 1) <> '*'
            ELSE true END),
    -- Of a key that is not there all of these are NULL.
    CONSTRAINT webhook_replays_filter_texts_check
        CHECK (kind NOT IN ('replay', 'recover')
               OR (jsonb_typeof(filter -> 'endpoint') = 'string' AND filter ->> 'endpoint' <> ''
                   AND jsonb_typeof(filter -> 'event_type') = 'string'
                   AND jsonb_typeof(filter -> 'error') = 'string'
                   AND filter ->> 'customer' ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$')),
    -- With a time zone, or it would be another time for each role: "2031-05-17T12:00:00Z".
    CONSTRAINT webhook_replays_filter_times_check
        CHECK (kind NOT IN ('replay', 'recover')
               OR (jsonb_typeof(filter -> 'since') = 'string'
                   AND filter ->> 'since' ~ '^(-?infinity|\d{4,6}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d)?))$'
                   AND jsonb_typeof(filter -> 'until') = 'string'
                   AND filter ->> 'until' ~ '^(-?infinity|\d{4,6}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d)?))$')),
    CONSTRAINT webhook_replays_filter_ids_check
        CHECK (kind NOT IN ('replay', 'recover')
               OR CASE jsonb_typeof(filter -> 'ids')
                   WHEN 'array' THEN jsonb_array_length(filter -> 'ids') BETWEEN 1 AND 1000
                       AND NOT jsonb_path_exists(filter -> 'ids',
                           'strict $[*] ? (@.type() != "string"
                            || !(@ like_regex "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$" flag "i"))')
                   ELSE NOT filter ? 'ids' END)
);

-- What there is to do, and lists.
CREATE INDEX webhook_replays_due ON webhook_replays (due_at) WHERE finished_at IS NULL AND stopped_at IS NULL;
CREATE INDEX webhook_replays_requested_at ON webhook_replays (requested_at, id);

-- The roles that "migrate --grant" was used for, so that their workers carry replays out.
DO $$
DECLARE
    worker regrole;
BEGIN
    FOR worker IN
        SELECT DISTINCT a.grantee::regrole
        FROM pg_attribute, aclexplode(attacl) a
        WHERE attrelid = 'webhook_endpoints'::regclass AND attname = 'failing_since'
          AND a.privilege_type = 'UPDATE' AND a.grantee <> 0
    LOOP
        EXECUTE format('GRANT SELECT, INSERT, DELETE, UPDATE (started_at, due_at, position, pass, ramp_from, total,'
                       ' done, skipped, skipped_count, waiting_count, stopped_at, finished_at, error)'
                       ' ON webhook_replays TO %s', worker);
    END LOOP;
END
$$;
