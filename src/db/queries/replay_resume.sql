-- POST /v1/replays/ID/resume. $1 its id.
WITH changed AS (
    UPDATE {replays} r SET stopped_at = NULL{ramp_again}
    WHERE r.id = $1::uuid AND r.finished_at IS NULL AND r.stopped_at IS NOT NULL
    RETURNING {replay} AS body
)
SELECT 200, body::text FROM changed
UNION ALL
SELECT CASE WHEN r.finished_at IS NULL THEN 200 ELSE 409 END,
       CASE WHEN r.finished_at IS NULL THEN {replay}::text ELSE 'it has finished' END
FROM {replays} r WHERE r.id = $1::uuid AND NOT EXISTS (SELECT FROM changed)
