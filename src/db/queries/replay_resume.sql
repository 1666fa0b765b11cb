-- POST /v1/replays/ID/resume. $1 its id.
WITH changed AS (
    UPDATE {replays} r SET stopped_at = NULL{ramp_again}
    WHERE r.id = $1::uuid AND r.finished_at IS NULL AND r.stopped_at IS NOT NULL
      AND r.kind NOT IN ('test', 'doctor')
    RETURNING {replay} AS body
)
SELECT 200, body::text FROM changed
UNION ALL
SELECT CASE WHEN r.finished_at IS NULL AND r.kind NOT IN ('test', 'doctor') THEN 200 ELSE 409 END,
       CASE WHEN r.finished_at IS NOT NULL THEN 'it has finished'
            WHEN r.kind IN ('test', 'doctor') THEN 'a test or doctor that was stopped does not go on: ask for a new one'
            ELSE {replay}::text END
FROM {replays} r WHERE r.id = $1::uuid AND NOT EXISTS (SELECT FROM changed)
