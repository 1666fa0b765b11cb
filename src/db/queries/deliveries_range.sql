-- GET /v1/deliveries of a time range, the newest first. Parameters as of deliveries_failed.sql, and $13 status.
-- No B-tree has these rows (it would cost every outcome): BRIN finds the range, which is read and sorted for each
-- page. q reads the payloads of 1,000 rows in one page.
WITH looked AS NOT MATERIALIZED (
    SELECT d.*, row_number() OVER (ORDER BY d.created_at DESC, d.id DESC) AS n
    FROM {deliveries} d
    WHERE d.created_at >= $7::timestamptz
      AND d.created_at < LEAST($8::timestamptz, $10::timestamptz + interval '1 microsecond', 'infinity')
      AND ($13::text IS NULL OR d.status = $13::text)
      AND ($10::timestamptz IS NULL OR (d.created_at, d.id) < ($10::timestamptz, $11::uuid))
      AND {delivery_choice}
    ORDER BY d.created_at DESC, d.id DESC
    LIMIT CASE WHEN $9::text IS NULL THEN $12::int + 1 ELSE 1000 END
), found AS MATERIALIZED (
    SELECT d.*, row_number() OVER (ORDER BY d.created_at DESC, d.id DESC) AS place
    FROM looked d
    WHERE $9::text IS NULL
       OR strpos(COALESCE(d.payload, (SELECT e.payload FROM {events} e WHERE e.id = d.event_id
                                      AND d.endpoint_id IS NOT NULL))::text, $9::text) > 0
    ORDER BY d.created_at DESC, d.id DESC
    LIMIT $12::int + 1
), last AS MATERIALIZED (
    SELECT created_at, id FROM looked
    WHERE $9::text IS NOT NULL AND n = 1000 AND (SELECT count(*) FROM found) <= $12::int
)
SELECT json_build_object(
    'data', COALESCE((SELECT json_agg({delivery} ORDER BY d.place) FROM found d WHERE d.place <= $12::int), '[]'),
    'next_cursor', COALESCE(
        (SELECT {cursor d.created_at, d.id} FROM found d
         WHERE d.place = $12::int AND (SELECT count(*) FROM found) > $12::int),
        (SELECT {cursor l.created_at, l.id} FROM last l)),
    'searched_until', (SELECT {utc l.created_at} FROM last l))
