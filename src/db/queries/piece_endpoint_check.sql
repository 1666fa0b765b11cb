-- What endpoint_test and endpoint_doctor share: "asked" has the kind. $1 the endpoint's id, $2 who asks, $3 the token's
-- customer. One at a time for an endpoint, and so many a minute; one that nobody has
-- carried out in 5 minutes stands in nobody's way, nor does one that was asked for before the clock was set back.
p AS MATERIALIZED (
    SELECT p.id FROM {endpoints} p WHERE p.id = $1::uuid
), stale AS (
    UPDATE {replays} r SET stopped_at = now()
    WHERE r.kind IN ('test', 'doctor') AND r.filter ->> 'endpoint_id' = $1::uuid::text AND r.finished_at IS NULL
      AND r.stopped_at IS NULL
      AND r.requested_at NOT BETWEEN now() - interval '5 minutes' AND now() + interval '5 minutes'
    RETURNING r.id
), allowed AS MATERIALIZED (
    SELECT p.id, (SELECT count(*) FROM stale) AS stale,
           (SELECT count(*) FROM {replays} r WHERE r.kind IN ('test', 'doctor')
            AND r.filter ->> 'endpoint_id' = $1::uuid::text
            AND r.requested_at BETWEEN now() - interval '1 minute' AND now() + interval '1 minute') < 10 AS is_calm,
           $3::uuid IS NULL OR {replays_running} < 20 AS is_one_more
    FROM p
), made AS (
    INSERT INTO {replays} AS r (kind, customer_id, filter, requested_by)
    SELECT asked.kind, $3::uuid, jsonb_build_object('endpoint_id', a.id), $2::text
    FROM allowed a, asked WHERE a.stale >= 0 AND a.is_calm AND a.is_one_more
    ON CONFLICT DO NOTHING
    RETURNING r.id, {replay} AS body
)
SELECT 202, body::text, concat('/v1/replays/', id) FROM made
UNION ALL
SELECT CASE WHEN a.is_calm THEN 409 ELSE 429 END,
       CASE WHEN NOT a.is_calm THEN 'it was tested or examined 10 times within a minute: wait a moment'
            WHEN NOT a.is_one_more THEN {too_many_replays}
            ELSE concat('another test or doctor of this endpoint has not finished yet',
                        (SELECT concat(' (', r.id, ')') FROM {replays} r WHERE r.kind IN ('test', 'doctor')
                         AND r.filter ->> 'endpoint_id' = $1::uuid::text AND r.finished_at IS NULL
                         AND r.stopped_at IS NULL LIMIT 1),
                        ': wait until it has, or stop it') END, NULL
FROM allowed a WHERE NOT EXISTS (SELECT FROM made)
