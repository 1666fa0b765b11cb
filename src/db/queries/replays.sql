-- GET /v1/replays, the newest first. $1 state (open: it has not finished), $2 and $3 the cursor, $4 limit.
-- Rows of replays are few: those that have finished go after 90 days.
WITH found AS MATERIALIZED (
    SELECT r.*, row_number() OVER (ORDER BY r.requested_at DESC, r.id DESC) AS place FROM (
        SELECT * FROM {replays} r
        WHERE ($1::text IS NULL OR (r.finished_at IS NULL) = ($1::text = 'open'))
          AND ($2::timestamptz IS NULL OR (r.requested_at, r.id) < ($2::timestamptz, $3::uuid))
        ORDER BY r.requested_at DESC, r.id DESC LIMIT $4::int + 1) r
)
SELECT json_build_object(
    'data', COALESCE((SELECT json_agg({replay} ORDER BY r.place) FROM found r WHERE r.place <= $4::int), '[]'),
    'next_cursor', (SELECT {cursor r.requested_at, r.id} FROM found r
                    WHERE r.place = $4::int AND (SELECT count(*) FROM found) > $4::int))
