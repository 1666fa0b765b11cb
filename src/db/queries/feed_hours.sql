-- GET /v1/endpoints/ID/feed/hours: how many events each hour of its feed has, and their digest. The newest first, and only
-- hours whose transactions have all ended. $1 its id, $2 until, $3 limit.
WITH target AS MATERIALIZED (
    SELECT p.customer_id, p.event_types, p.filter, {all_customers} AS all_customers
    FROM {endpoints} p WHERE p.id = $1::uuid
), hours AS MATERIALIZED (
    SELECT m.*, row_number() OVER (ORDER BY m.until DESC) AS place FROM (
        SELECT lag(k.marked_at) OVER w AS since, k.marked_at AS until,
               lag(k.transaction_id) OVER w AS first, k.transaction_id AS behind
        FROM {marks} k WINDOW w AS (ORDER BY k.marked_at)) m
    WHERE m.first <= m.behind AND m.behind <= pg_snapshot_xmin(pg_current_snapshot())
      AND ($2::timestamptz IS NULL OR m.until <= $2::timestamptz)
    ORDER BY m.until DESC
    LIMIT $3::int + 1
), counted AS MATERIALIZED (
    SELECT h.*, c.number, c.digest FROM target t CROSS JOIN hours h CROSS JOIN LATERAL (
        SELECT count(*) AS number,
               encode(sha256(convert_to(COALESCE(string_agg(x.id::text, '' ORDER BY x.transaction_id, x.id), ''), 'UTF8')),
                      'hex') AS digest
        FROM ((SELECT e.id, e.transaction_id, e.event_type, e.payload FROM {feed} e
               WHERE NOT t.all_customers AND e.customer_id = t.customer_id
                 AND e.transaction_id >= h.first AND e.transaction_id < h.behind OFFSET 0)
              UNION ALL
              (SELECT e.id, e.transaction_id, e.event_type, e.payload FROM {feed} e
               WHERE t.all_customers
                 AND e.transaction_id >= h.first AND e.transaction_id < h.behind OFFSET 0)) x
        WHERE CASE WHEN webhook_event_patterns(x.event_type::text) && t.event_types
                   THEN t.filter IS NULL OR x.payload @> t.filter END) c
    WHERE h.place <= $3::int
), verdict AS MATERIALIZED (
    SELECT o.epoch, CASE
        WHEN EXISTS (SELECT FROM {feed} e WHERE e.transaction_id >= pg_snapshot_xmax(pg_current_snapshot())) THEN 503
        ELSE 200 END AS status
    FROM (SELECT {feed_epoch} AS epoch FROM {epoch} o) o
)
SELECT v.status, CASE v.status WHEN 200 THEN json_build_object(
    'data', COALESCE((SELECT json_agg(json_build_object(
        'from', {utc h.since},
        'until', {utc h.until},
        'first_transaction_id', h.first::text,
        'behind_transaction_id', h.behind::text,
        'after', {feed_cursor v.epoch, (h.first::text::numeric - 1), 'ffffffff-ffff-ffff-ffff-ffffffffffff'},
        'count', h.number::text,
        'digest', h.digest) ORDER BY h.place) FROM counted h), '[]'),
    'next_until', (SELECT {utc h.until} FROM hours h WHERE h.place = $3::int + 1))::text END
FROM verdict v WHERE EXISTS (SELECT FROM target)
