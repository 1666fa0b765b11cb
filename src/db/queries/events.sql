-- GET /v1/events: the newest first. $1 customer, $2 type ("order.paid", or "order.*" for what begins so), $3 since,
-- $4 until, $5 correlation_id, $6 causation_id, $7 idempotency_key, $8 ordering_key, $9 and $10 the cursor, $11 limit.
-- What an index finds is chosen in looked; of what else is asked for, 10,000 rows are looked at in one page.
WITH looked AS NOT MATERIALIZED (
    SELECT e.*, row_number() OVER (ORDER BY e.created_at DESC, e.id DESC) AS n
    FROM {events} e
    WHERE ($1::uuid IS NULL OR e.customer_id = $1::uuid)
      AND ($3::timestamptz IS NULL OR e.created_at >= $3::timestamptz)
      AND ($4::timestamptz IS NULL OR e.created_at < $4::timestamptz)
      AND ($5::uuid IS NULL OR e.correlation_id = $5::uuid)
      AND ($6::uuid IS NULL OR e.causation_id = $6::uuid)
      AND ($7::varchar IS NULL OR e.idempotency_key = $7::varchar)
      AND ($9::timestamptz IS NULL OR (e.created_at, e.id) < ($9::timestamptz, $10::uuid))
    ORDER BY e.created_at DESC, e.id DESC
    LIMIT 10000
), found AS MATERIALIZED (
    SELECT id, customer_id, event_type, idempotency_key, ordering_key, correlation_id, causation_id, deliver_after,
           created_at, erased_at, row_number() OVER (ORDER BY created_at DESC, id DESC) AS place
    FROM looked
    WHERE ($2::text IS NULL OR event_type = $2::text
           OR (right($2::text, 2) = '.*' AND starts_with(event_type, left($2::text, -1))))
      AND ($8::varchar IS NULL OR ordering_key = $8::varchar)
    ORDER BY created_at DESC, id DESC
    LIMIT $11::int + 1
), last AS MATERIALIZED (
    SELECT created_at, id FROM looked WHERE n = 10000 AND (SELECT count(*) FROM found) <= $11::int
)
SELECT json_build_object(
    'data', COALESCE((SELECT json_agg(json_build_object(
        'id', f.id,
        'customer_id', f.customer_id,
        'type', f.event_type,
        'created_at', {utc f.created_at},
        'deliver_after', {utc f.deliver_after},
        'idempotency_key', f.idempotency_key,
        'ordering_key', f.ordering_key,
        'correlation_id', f.correlation_id,
        'causation_id', f.causation_id,
        'erased_at', {utc f.erased_at}) ORDER BY f.place) FROM found f WHERE f.place <= $11::int), '[]'),
    'next_cursor', COALESCE(
        (SELECT {cursor f.created_at, f.id} FROM found f
         WHERE f.place = $11::int AND (SELECT count(*) FROM found) > $11::int),
        (SELECT {cursor l.created_at, l.id} FROM last l)),
    'searched_until', (SELECT {utc l.created_at} FROM last l))
