-- GET /v1/events/ID: with what it was caused by and what followed, and its deliveries. $1 its id.
-- Each list has 100 entries; "is_more" says that there are others.
SELECT json_build_object(
    'id', e.id,
    'customer_id', e.customer_id,
    'type', e.event_type,
    'created_at', {utc e.created_at},
    'deliver_after', {utc e.deliver_after},
    'idempotency_key', e.idempotency_key,
    'ordering_key', e.ordering_key,
    'correlation_id', e.correlation_id,
    'causation_id', e.causation_id,
    'traceparent', e.traceparent,
    'erased_at', {utc e.erased_at},
    'data', CASE WHEN s.bytes <= 1048576 THEN e.payload END,
    'data_bytes', s.bytes,
    'is_data_left_out', s.bytes > 1048576,
    'deliveries', json_build_object(
        'data', COALESCE((SELECT json_agg({delivery} ORDER BY d.endpoint_id) FROM (
            SELECT * FROM {deliveries} WHERE event_id = e.id AND endpoint_id IS NOT NULL
            ORDER BY endpoint_id LIMIT 100) d), '[]'),
        'is_more', (SELECT count(*) > 100 FROM (
            SELECT FROM {deliveries} WHERE event_id = e.id AND endpoint_id IS NOT NULL
            ORDER BY endpoint_id LIMIT 101) d)),
    'cause', (SELECT json_build_object('id', c.id, 'type', c.event_type, 'created_at', {utc c.created_at})
              FROM {events} c WHERE c.id = e.causation_id),
    'followed', json_build_object(
        'data', COALESCE((SELECT json_agg(json_build_object(
                'id', f.id, 'type', f.event_type, 'created_at', {utc f.created_at}) ORDER BY f.created_at, f.id)
            FROM (SELECT id, event_type, created_at FROM {events} WHERE causation_id = e.id LIMIT 100) f), '[]'),
        'is_more', (SELECT count(*) > 100 FROM (SELECT FROM {events} WHERE causation_id = e.id LIMIT 101) f)))
FROM {events} e CROSS JOIN LATERAL (SELECT octet_length(e.payload::text) AS bytes) s
WHERE e.id = $1::uuid
