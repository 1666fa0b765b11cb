-- GET /v1/event-types: of the newest 10,000 events, and what the first 10,000 endpoints subscribe to. $1 customer.
WITH events AS MATERIALIZED (
    SELECT event_type, created_at FROM {events}
    WHERE $1::uuid IS NULL OR customer_id = $1::uuid
    ORDER BY created_at DESC, id DESC LIMIT 10000
), patterns AS MATERIALIZED (
    SELECT unnest(p.event_types) AS pattern FROM (
        SELECT event_types FROM {endpoints} WHERE $1::uuid IS NULL OR customer_id = $1::uuid ORDER BY id LIMIT 10000) p
)
SELECT json_build_object(
    'data', COALESCE((SELECT json_agg(json_build_object(
            'type', t.event_type, 'events', t.number, 'last_at', {utc t.last_at}) ORDER BY t.event_type COLLATE "C")
        FROM (SELECT event_type, count(*) AS number, max(created_at) AS last_at FROM events
              GROUP BY event_type ORDER BY number DESC LIMIT 1000) t), '[]'),
    'subscriptions', COALESCE((SELECT json_agg(json_build_object(
            'pattern', s.pattern, 'endpoints', s.number) ORDER BY s.pattern COLLATE "C")
        FROM (SELECT pattern, count(*) AS number FROM patterns GROUP BY pattern
              ORDER BY number DESC LIMIT 1000) s), '[]'),
    'searched_until', (SELECT {utc min(created_at)} FROM events HAVING count(*) = 10000))
