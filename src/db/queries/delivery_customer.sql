-- GET /v1/deliveries/ID for a customer's token: JSON, and behind it the columns of delivery_record_at()
-- (db/delivery_record.h), of which its state is explained. $1 its id.
-- What the operator alone may see is NULL: lanes, workers, secrets, an adoption.
SELECT left({delivery}::text, -1) || ',' || substr(json_build_object(
           'payload', CASE WHEN b.bytes <= 1048576 THEN b.body::json END,
           'payload_bytes', b.bytes,
           'is_payload_left_out', b.bytes > 1048576,
           'attempt_log', COALESCE((SELECT json_agg(json_build_object(
                   'attempt', a.attempt, 'url', COALESCE(a.url, d.webhook_url), 'started_at', {utc a.started_at},
                   'duration_ms', a.duration_ms, 'phases', {phases},
                   'status_code', a.response_status, 'error', a.error, 'response_body', a.response_body)
                   ORDER BY a.started_at DESC, a.id DESC)
               FROM (SELECT * FROM {attempts} WHERE delivery_id = d.id
                     ORDER BY started_at DESC, id DESC LIMIT 200) a), '[]'))::text, 2),
       d.id, d.event_id, d.customer_id, d.webhook_url, d.event_type, d.status, d.attempts,
       {text d.last_attempt_at}, -{ms d.last_attempt_at}, {text d.next_retry_at}, {ms d.next_retry_at},
       {text d.created_at}, -{ms d.created_at}, d.response_status, d.last_error, b.bytes,
       NULL, NULL, NULL, NULL,
       p.id, {text p.disabled_at}, -{ms p.disabled_at}, -1,
       (SELECT count(*) FROM (SELECT FROM {deliveries} o WHERE o.status = 'pending' AND d.status = 'pending'
        AND {url_hash o} = hashtextextended(d.webhook_url, 0)
        AND (o.next_retry_at, o.id) < (d.next_retry_at, d.id) LIMIT 1001) ahead),
       {text p.failing_since}, -{ms p.failing_since}, NULL,
       false,
       {text f.failed_at}, -{ms f.failed_at},
       d.payload IS NULL, v.id IS NOT NULL,
       COALESCE((SELECT m.url::text <> d.webhook_url::text FROM {endpoints} m WHERE m.id = d.endpoint_id), false),
       d.ordering_key, d.ordering_head,
       CASE WHEN p.ordering = 'block' THEN (
           SELECT h.ordering_dead FROM {deliveries} h WHERE h.id = d.ordering_head OFFSET 0) END,
       true,
       {text x.erased_at}, -{ms x.erased_at},
       NULL, round(extract(epoch FROM p.timeout) * 1000)::bigint, p.disabled_at IS NOT NULL, p.disabled_reason,
       p.retry_max_attempts, round(extract(epoch FROM p.retry_initial_delay) * 1000)::bigint, p.retry_multiplier,
       round(extract(epoch FROM p.retry_max_delay) * 1000)::bigint, p.retry_jitter,
       (SELECT string_agg(round(extract(epoch FROM delay) * 1000)::bigint::text, ',' ORDER BY position)
        FROM unnest(p.retry_schedule) WITH ORDINALITY AS s (delay, position)),
       p.max_in_flight, p.rate_limit, -{ms p.failing_since}, NULL, NULL,
       -{ms p.noted_at}, p.id IS NOT NULL AND p.noted_at IS NULL, {text p.paused_at}, false
FROM {deliveries} d
-- A view is joined by a subquery that stays one: as a join it would be read through.
LEFT JOIN LATERAL (SELECT * FROM {endpoints} m
    WHERE m.url_hash = hashtextextended(d.webhook_url, 0) AND m.url = d.webhook_url OFFSET 0) p ON true
LEFT JOIN LATERAL (SELECT * FROM {events} m WHERE m.id = d.event_id AND d.payload IS NULL OFFSET 0) v ON true
CROSS JOIN LATERAL (SELECT CASE WHEN d.status = 'failed' THEN COALESCE(d.given_up_at, d.last_attempt_at, d.created_at) END
                    AS failed_at) f
CROSS JOIN LATERAL (SELECT t.body, octet_length(t.body) AS bytes FROM (
    SELECT CASE WHEN d.payload IS NULL THEN {body v} ELSE d.payload::text END AS body) t) b
CROSS JOIN LATERAL (SELECT COALESCE(d.erased_at, v.erased_at) AS erased_at) x
WHERE d.id = $1::uuid
