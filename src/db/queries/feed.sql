-- GET /v1/endpoints/ID/feed: the events that it subscribes to, in the order of transactions, of those that have all
-- ended. $1 its id, $2 to $4 the cursor (epoch, transaction, event), $5 limit.
-- 1,000 events are looked at for a page, and one of large events ends after 2 MiB as they are stored.
WITH target AS MATERIALIZED (
    SELECT p.customer_id, p.event_types, p.filter, {all_customers} AS all_customers
    FROM {endpoints} p WHERE p.id = $1::uuid
), looked AS MATERIALIZED (
    SELECT u.* FROM target t CROSS JOIN LATERAL (
        (SELECT e.id, e.customer_id, e.event_type, e.payload, e.ordering_key, e.correlation_id, e.causation_id,
                e.traceparent, e.deliver_after, e.transaction_id, e.created_at, e.erased_at
         FROM {feed} e
         WHERE NOT t.all_customers AND e.customer_id = t.customer_id
           AND e.transaction_id < pg_snapshot_xmin(pg_current_snapshot())
           AND ($3::text IS NULL OR (e.transaction_id, e.id) > ($3::text::xid8, $4::uuid))
         ORDER BY e.transaction_id, e.id LIMIT 1000)
        UNION ALL
        (SELECT e.id, e.customer_id, e.event_type, e.payload, e.ordering_key, e.correlation_id, e.causation_id,
                e.traceparent, e.deliver_after, e.transaction_id, e.created_at, e.erased_at
         FROM {feed} e
         WHERE t.all_customers
           AND e.transaction_id < pg_snapshot_xmin(pg_current_snapshot())
           AND ($3::text IS NULL OR (e.transaction_id, e.id) > ($3::text::xid8, $4::uuid))
         ORDER BY e.transaction_id, e.id LIMIT 1000)) u
), matching AS MATERIALIZED (
    SELECT l.*, row_number() OVER w AS place, sum(pg_column_size(l.payload)) OVER w AS bytes
    FROM (SELECT l.* FROM looked l, target t
          WHERE CASE WHEN webhook_event_patterns(l.event_type::text) && t.event_types
                     THEN t.filter IS NULL OR l.payload @> t.filter END
          ORDER BY l.transaction_id, l.id LIMIT $5::int + 1) l
    WINDOW w AS (ORDER BY l.transaction_id, l.id)
), given AS MATERIALIZED (
    SELECT * FROM matching WHERE place <= $5::int AND (place = 1 OR bytes <= 2097152)
), place AS MATERIALIZED (
    SELECT * FROM (
        (SELECT 1 AS choice, g.transaction_id::text AS transaction_id, g.id FROM given g
         WHERE (SELECT count(*) FROM matching) > (SELECT count(*) FROM given) ORDER BY g.place DESC LIMIT 1)
        UNION ALL
        (SELECT 2, l.transaction_id::text, l.id FROM looked l
         WHERE (SELECT count(*) FROM looked) = 1000 ORDER BY l.transaction_id DESC, l.id DESC LIMIT 1)
        UNION ALL
        SELECT 3, (pg_snapshot_xmin(pg_current_snapshot())::text::numeric - 1)::text,
               'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid) c
    ORDER BY c.choice LIMIT 1
), verdict AS MATERIALIZED (
    SELECT o.epoch, CASE
        WHEN EXISTS (SELECT FROM {feed} e WHERE e.transaction_id >= pg_snapshot_xmax(pg_current_snapshot())) THEN 503
        WHEN $2::text <> o.epoch THEN 410 ELSE 200 END AS status
    FROM (SELECT {feed_epoch} AS epoch FROM {epoch} o) o
)
SELECT v.status, CASE v.status WHEN 200 THEN json_build_object(
    'data', COALESCE((SELECT json_agg(json_build_object(
        'id', g.id,
        'customer_id', g.customer_id,
        'type', g.event_type,
        'created_at', {utc g.created_at},
        'deliver_after', {utc g.deliver_after},
        'ordering_key', g.ordering_key,
        'correlation_id', g.correlation_id,
        'causation_id', g.causation_id,
        'traceparent', g.traceparent,
        'erased_at', {utc g.erased_at},
        'transaction_id', g.transaction_id::text,
        'data', g.payload) ORDER BY g.place) FROM given g), '[]'),
    'next_cursor', (SELECT {feed_cursor v.epoch, c.transaction_id, c.id} FROM place c),
    'is_more', (SELECT c.choice < 3 FROM place c))::text END
FROM verdict v WHERE EXISTS (SELECT FROM target)
