-- GET /v1/deliveries/ID for a token of all customers: JSON, and behind it the columns of delivery_record_at()
-- (db/delivery_record.h), of which its state is explained. $1 its id.
-- Secrets are nothing that can be seen here: -1 of them.
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
       hashtext(lower(split_part(d.webhook_url, '/', 3))) & 63, l.owner, {ms l.lease_expires_at}, -{ms w.seen_at},
       p.id, {text p.disabled_at}, -{ms p.disabled_at}, -1,
       (SELECT count(*) FROM (SELECT FROM {deliveries} o WHERE o.status = 'pending' AND d.status = 'pending'
        AND {url_hash o} = hashtextextended(d.webhook_url, 0)
        AND (o.next_retry_at, o.id) < (d.next_retry_at, d.id) LIMIT 1001) ahead),
       {text p.failing_since}, -{ms p.failing_since}, w.problems,
       GREATEST(d.created_at, d.last_attempt_at) <= (SELECT max(adopted_at) FROM postrider_adoptions)
           OR EXISTS (SELECT FROM webhook_adopted o WHERE o.delivery_id = d.id),
       {text f.failed_at}, -{ms f.failed_at},
       d.payload IS NULL, v.id IS NOT NULL,
       EXISTS (SELECT FROM {endpoints} m
               WHERE m.id = d.endpoint_id AND (m.customer_id, m.url::text) <> (d.customer_id, d.webhook_url::text)),
       k.ordering_key, k.head, k.dead, k.is_noted,
       {text x.erased_at}, -{ms x.erased_at},
       NULL, round(extract(epoch FROM p.timeout) * 1000)::bigint, p.disabled_at IS NOT NULL, p.disabled_reason,
       p.retry_max_attempts, round(extract(epoch FROM p.retry_initial_delay) * 1000)::bigint, p.retry_multiplier,
       round(extract(epoch FROM p.retry_max_delay) * 1000)::bigint, p.retry_jitter,
       (SELECT string_agg(round(extract(epoch FROM delay) * 1000)::bigint::text, ',' ORDER BY position)
        FROM unnest(p.retry_schedule) WITH ORDINALITY AS s (delay, position)),
       p.max_in_flight, p.rate_limit, -{ms p.failing_since}, array_to_string(p.allow, E'\n'), p.client_certificate,
       -{ms p.noted_at}, p.id IS NOT NULL AND p.noted_at IS NULL, {text p.paused_at}, p.all_customers
FROM {deliveries} d
LEFT JOIN {endpoints} p ON p.customer_id = d.customer_id
    AND hashtextextended(p.url, 0) = hashtextextended(d.webhook_url, 0) AND p.url = d.webhook_url
LEFT JOIN {events} v ON d.payload IS NULL AND v.id = d.event_id
LEFT JOIN webhook_lanes l ON l.lane = (hashtext(lower(split_part(d.webhook_url, '/', 3))) & 63)
LEFT JOIN webhook_workers w ON w.owner = l.owner
CROSS JOIN LATERAL (SELECT CASE WHEN d.status = 'failed'
                           THEN COALESCE(d.given_up_at, d.last_attempt_at, d.created_at) END AS failed_at) f
CROSS JOIN LATERAL (SELECT t.body, octet_length(t.body) AS bytes FROM (
    SELECT CASE WHEN d.payload IS NULL THEN {body v} ELSE d.payload::text END AS body) t) b
CROSS JOIN LATERAL (SELECT COALESCE(d.erased_at, v.erased_at) AS erased_at) x
LEFT JOIN LATERAL (
    SELECT d.ordering_key, h.head,
           CASE WHEN h.is_blocked THEN (
               SELECT w.id FROM {deliveries} w
               WHERE w.endpoint_id = d.endpoint_id AND w.ordering_key = d.ordering_key
                 AND (w.status = 'pending') IS FALSE
                 AND w.ordering_sequence < (SELECT f.ordering_sequence FROM {deliveries} f WHERE f.id = h.head)
               ORDER BY w.ordering_sequence DESC LIMIT 1) END AS dead,
           EXISTS (SELECT FROM webhook_promotions n
                   WHERE n.delivery_ids @> ARRAY[d.id]
                      OR (n.endpoint_id = d.endpoint_id AND n.ordering_key = d.ordering_key)) AS is_noted
    FROM webhook_ordering_head(d.endpoint_id, d.ordering_key) h) k
    ON d.ordering_key IS NOT NULL AND d.status = 'pending'
WHERE d.id = $1::uuid
