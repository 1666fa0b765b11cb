-- GET /v1/endpoints, in the order of their ids. $1 customer, $2 url, $3 state, $4 and $5 the cursor, $6 limit.
WITH looked AS NOT MATERIALIZED (
    SELECT {endpoint_columns}, row_number() OVER (ORDER BY p.id) AS n
    FROM {endpoints} p
    WHERE ($1::uuid IS NULL OR p.customer_id = $1::uuid)
      AND ($5::uuid IS NULL OR p.id > $5::uuid)
      AND $4::timestamptz IS NOT DISTINCT FROM $4::timestamptz
    ORDER BY p.id
    LIMIT 10000
), found AS MATERIALIZED (
    SELECT p.*, row_number() OVER (ORDER BY p.id) AS place
    FROM looked p
    WHERE ($2::text IS NULL OR p.url = $2::text)
      AND ($3::text IS NULL OR $3::text = CASE WHEN p.disabled_at IS NOT NULL THEN 'disabled'
           WHEN p.paused_at IS NOT NULL THEN 'paused' WHEN p.failing_since IS NOT NULL THEN 'failing'
           ELSE 'enabled' END)
    ORDER BY p.id
    LIMIT $6::int + 1
), last AS MATERIALIZED (
    SELECT created_at, id FROM looked WHERE n = 10000 AND (SELECT count(*) FROM found) <= $6::int
)
SELECT json_build_object(
    'data', COALESCE((SELECT json_agg((left({endpoint}::text, -1) || ',' || substr({backlog}::text, 2))::json
                               ORDER BY p.place) FROM found p WHERE p.place <= $6::int), '[]'),
    'next_cursor', COALESCE(
        (SELECT {cursor p.created_at, p.id} FROM found p
         WHERE p.place = $6::int AND (SELECT count(*) FROM found) > $6::int),
        (SELECT {cursor l.created_at, l.id} FROM last l)))
