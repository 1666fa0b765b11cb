-- POST /v1/replays/ID/stop: it rests until it is resumed. $1 its id.
WITH changed AS (
    UPDATE {replays} r SET stopped_at = now()
    WHERE r.id = $1::uuid AND r.finished_at IS NULL AND r.stopped_at IS NULL
    RETURNING {replay} AS body
)
SELECT 200, body::text FROM changed
UNION ALL
SELECT CASE WHEN r.finished_at IS NULL THEN 200 ELSE 409 END,
       CASE WHEN r.finished_at IS NULL THEN {replay}::text ELSE 'it has finished' END
FROM {replays} r WHERE r.id = $1::uuid AND NOT EXISTS (SELECT FROM changed)
