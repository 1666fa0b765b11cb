-- postrider attempts: attempts of deliveries, the newest first. $1 the ids of the deliveries, $2 limit.
-- What a delivery's last attempt has come to stands in its row, also where attempt_log keeps no line of it
-- (is_logged). The URL is the one that was hit.
WITH d AS MATERIALIZED (
    SELECT id, event_id, webhook_url, attempts, last_attempt_at, response_status, last_error
    FROM {deliveries} WHERE id = ANY ($1::uuid[])
), known AS (
    SELECT d.id, d.event_id, COALESCE(a.url, d.webhook_url) AS webhook_url, a.attempt, a.started_at, a.duration_ms,
           a.response_status, a.error,
           a.response_body, {phases} AS phases, true AS is_logged, a.id AS number
    FROM d CROSS JOIN LATERAL (SELECT * FROM {attempts} l WHERE l.delivery_id = d.id
                               ORDER BY l.started_at DESC, l.id DESC LIMIT $2::int + 1) a
    UNION ALL
    SELECT d.id, d.event_id, d.webhook_url, d.attempts, d.last_attempt_at, NULL, d.response_status, d.last_error,
           NULL, NULL, false, NULL
    FROM d
    WHERE d.attempts > 0 AND d.last_attempt_at IS NOT NULL AND NOT EXISTS (
        SELECT FROM {attempts} l WHERE l.delivery_id = d.id AND l.attempt = d.attempts
          AND l.started_at >= d.last_attempt_at - interval '5 s')
), newest AS MATERIALIZED (
    SELECT *, row_number() OVER (ORDER BY started_at DESC, number DESC NULLS FIRST, id) AS place FROM known
    ORDER BY started_at DESC, number DESC NULLS FIRST, id LIMIT $2::int + 1
)
SELECT json_build_object(
    'data', COALESCE((SELECT json_agg(json_build_object(
        'delivery_id', n.id, 'event_id', n.event_id, 'url', n.webhook_url, 'attempt', n.attempt,
        'started_at', {utc n.started_at}, 'duration_ms', n.duration_ms, 'phases', n.phases, 'status_code', n.response_status,
        'error', n.error, 'response_body', n.response_body, 'is_logged', n.is_logged) ORDER BY n.place)
        FROM newest n WHERE n.place <= $2::int), '[]'),
    'has_more', (SELECT count(*) > $2::int FROM newest))
