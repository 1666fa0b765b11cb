-- GET /v1/deliveries?status=failed: dead letters, the newest first. $1 customer, $2 a URL, $3 the id of an endpoint,
-- $4 event_type, $5 error, $6 status_code, $7 since, $8 until, $9 q, $10 and $11 the cursor, $12 limit.
-- Of what the index does not find, 10,000 rows are looked at in one page, or 1,000 with q, which reads payloads.
WITH looked AS NOT MATERIALIZED (
    SELECT d.*, row_number() OVER (ORDER BY d.created_at DESC, d.id DESC) AS n
    FROM {deliveries} d
    WHERE d.status = 'failed'
      AND ($7::timestamptz IS NULL OR d.created_at >= $7::timestamptz)
      AND ($8::timestamptz IS NULL OR d.created_at < $8::timestamptz)
      AND ($10::timestamptz IS NULL OR (d.created_at, d.id) < ($10::timestamptz, $11::uuid))
    ORDER BY d.created_at DESC, d.id DESC
    LIMIT CASE WHEN $9::text IS NULL THEN 10000 ELSE 1000 END
), found AS MATERIALIZED (
    SELECT d.*, row_number() OVER (ORDER BY d.created_at DESC, d.id DESC) AS place
    FROM looked d
    WHERE {delivery_choice}
      AND ($9::text IS NULL OR strpos(COALESCE(d.payload, (SELECT e.payload FROM {events} e WHERE e.id = d.event_id
                                                           AND d.endpoint_id IS NOT NULL))::text, $9::text) > 0)
    ORDER BY d.created_at DESC, d.id DESC
    LIMIT $12::int + 1
), last AS MATERIALIZED (
    SELECT created_at, id FROM looked
    WHERE n = CASE WHEN $9::text IS NULL THEN 10000 ELSE 1000 END AND (SELECT count(*) FROM found) <= $12::int
)
SELECT json_build_object(
    'data', COALESCE((SELECT json_agg({delivery} ORDER BY d.place) FROM found d WHERE d.place <= $12::int), '[]'),
    'next_cursor', COALESCE(
        (SELECT {cursor d.created_at, d.id} FROM found d
         WHERE d.place = $12::int AND (SELECT count(*) FROM found) > $12::int),
        (SELECT {cursor l.created_at, l.id} FROM last l)),
    'searched_until', (SELECT {utc l.created_at} FROM last l))
