-- GET /v1/deliveries?status=pending: what is due first. Parameters as of deliveries_failed.sql.
-- An index has the pending rows of each lane, or of one URL, in this order. Of each lane a page of rows is looked at,
-- or 250 with a further filter, but none behind the page's end where the first few of each lane tell it (edge); of one
-- URL up to 10,000, or 1,000 with q, which reads payloads. Where there are more, what is behind the first of those ends
-- is not known yet.
WITH target AS MATERIALIZED (
    SELECT customer_id, url FROM {endpoints} WHERE id = $3::uuid
), url AS MATERIALIZED (
    SELECT COALESCE($2::text, (SELECT t.url FROM target t)) AS text
), few AS MATERIALIZED (
    SELECT l.lane, d.*, row_number() OVER (ORDER BY d.next_retry_at, d.id) AS place,
           count(*) OVER (PARTITION BY l.lane) AS number
    FROM generate_series(0, 63) AS l (lane) CROSS JOIN LATERAL (
        SELECT d.next_retry_at, d.id FROM {deliveries} d
        WHERE $2::text IS NULL AND $3::uuid IS NULL AND d.status = 'pending'
          AND (hashtext(lower(split_part(d.webhook_url, '/', 3))) & 63) = l.lane
          AND num_nulls($1::uuid, $4::text, $5::text, $6::int, $7::timestamptz, $8::timestamptz, $9::text) = 7
          AND ($10::timestamptz IS NULL OR (d.next_retry_at, d.id) > ($10::timestamptz, $11::uuid))
        ORDER BY d.next_retry_at, d.id LIMIT 8) d
), edge AS MATERIALIZED (
    SELECT f.next_retry_at, f.id FROM few f
    WHERE f.place = $12::int + 1 AND f.place <= COALESCE((
        SELECT min(z.last) FROM (SELECT max(place) AS last FROM few WHERE number = 8 GROUP BY lane) z), f.place)
), looked AS MATERIALIZED (
    SELECT d.*, NULL::int AS source FROM (
        SELECT d.id, d.event_id, d.event_type, d.customer_id, d.endpoint_id, d.webhook_url, d.status, d.attempts,
               d.created_at, d.next_retry_at, d.last_attempt_at, d.given_up_at, d.response_status, d.last_error,
               d.ordering_key, d.erased_at
        FROM {deliveries} d
        WHERE ($2::text IS NOT NULL OR $3::uuid IS NOT NULL) AND d.status = 'pending'
          AND {url_hash} = hashtextextended((SELECT text FROM url), 0)
          AND ($10::timestamptz IS NULL OR (d.next_retry_at, d.id) > ($10::timestamptz, $11::uuid))
        ORDER BY d.next_retry_at, d.id
        LIMIT CASE WHEN num_nulls($1::uuid, $4::text, $5::text, $6::int, $7::timestamptz, $8::timestamptz, $9::text) = 7
              THEN $12::int + 1 WHEN $9::text IS NULL THEN 10000 ELSE 1000 END) d
    UNION ALL
    SELECT d.*, l.lane FROM generate_series(0, 63) AS l (lane) CROSS JOIN LATERAL (
        SELECT d.id, d.event_id, d.event_type, d.customer_id, d.endpoint_id, d.webhook_url, d.status, d.attempts,
               d.created_at, d.next_retry_at, d.last_attempt_at, d.given_up_at, d.response_status, d.last_error,
               d.ordering_key, d.erased_at
        FROM {deliveries} d
        WHERE $2::text IS NULL AND $3::uuid IS NULL AND d.status = 'pending'
          AND (hashtext(lower(split_part(d.webhook_url, '/', 3))) & 63) = l.lane
          AND (d.next_retry_at, d.id) <= (COALESCE((SELECT e.next_retry_at FROM edge e), 'infinity'),
                                          COALESCE((SELECT e.id FROM edge e), 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
          AND ($10::timestamptz IS NULL OR (d.next_retry_at, d.id) > ($10::timestamptz, $11::uuid))
        ORDER BY d.next_retry_at, d.id
        LIMIT CASE WHEN num_nulls($1::uuid, $4::text, $5::text, $6::int, $7::timestamptz, $8::timestamptz, $9::text) = 7
              THEN $12::int + 1 ELSE 250 END) d
), ends AS MATERIALIZED (
    SELECT e.next_retry_at, e.id FROM (
        SELECT source, count(*) AS number,
               (array_agg(next_retry_at ORDER BY next_retry_at DESC, id DESC))[1] AS next_retry_at,
               (array_agg(id ORDER BY next_retry_at DESC, id DESC))[1] AS id
        FROM looked GROUP BY source) e
    WHERE e.number >= CASE WHEN num_nulls($1::uuid, $4::text, $5::text, $6::int, $7::timestamptz, $8::timestamptz,
                                          $9::text) = 7
                           THEN $12::int + 1 WHEN e.source IS NOT NULL THEN 250
                           WHEN $9::text IS NULL THEN 10000 ELSE 1000 END
    ORDER BY e.next_retry_at, e.id LIMIT 1
), found AS MATERIALIZED (
    SELECT d.*, row_number() OVER (ORDER BY d.next_retry_at, d.id) AS place
    FROM looked d LEFT JOIN ends z ON true
    WHERE (z.id IS NULL OR (d.next_retry_at, d.id) <= (z.next_retry_at, z.id))
      AND ($1::uuid IS NULL OR d.customer_id = $1::uuid)
      AND ($2::text IS NULL OR d.webhook_url = $2::text)
      AND ($3::uuid IS NULL OR (d.customer_id, d.webhook_url::text) = (SELECT customer_id, t.url::text FROM target t))
      AND ($4::text IS NULL OR d.event_type = $4::text
           OR (right($4::text, 2) = '.*' AND starts_with(d.event_type, left($4::text, -1))))
      AND ($5::text IS NULL OR strpos(lower(d.last_error), lower($5::text)) > 0)
      AND ($6::int IS NULL OR d.response_status = $6::int)
      AND ($7::timestamptz IS NULL OR d.created_at >= $7::timestamptz)
      AND ($8::timestamptz IS NULL OR d.created_at < $8::timestamptz)
      AND ($9::text IS NULL OR strpos((
          SELECT COALESCE(w.payload, (SELECT e.payload FROM {events} e
                                      WHERE e.id = w.event_id AND w.endpoint_id IS NOT NULL))
          FROM {deliveries} w WHERE w.id = d.id)::text, $9::text) > 0)
    ORDER BY d.next_retry_at, d.id
    LIMIT $12::int + 1
), last AS MATERIALIZED (
    SELECT * FROM ends WHERE (SELECT count(*) FROM found) <= $12::int
)
SELECT json_build_object(
    'data', COALESCE((SELECT json_agg({delivery} ORDER BY d.place) FROM found d WHERE d.place <= $12::int), '[]'),
    'next_cursor', COALESCE(
        (SELECT {cursor d.next_retry_at, d.id} FROM found d
         WHERE d.place = $12::int AND (SELECT count(*) FROM found) > $12::int),
        (SELECT {cursor l.next_retry_at, l.id} FROM last l)),
    'searched_until', (SELECT {utc l.next_retry_at} FROM last l))
