-- GET /v1/overview. For the operator's tokens alone. Counts of what is pending end at 1,000, others at 10,000.
WITH due AS MATERIALIZED (
    SELECT r.next_retry_at FROM webhook_lanes l CROSS JOIN LATERAL (
        SELECT d.next_retry_at FROM {deliveries} d
        WHERE d.status = 'pending' AND (hashtext(lower(split_part(d.webhook_url, '/', 3))) & 63) = l.lane
          AND d.next_retry_at <= now()
        ORDER BY d.next_retry_at, d.id LIMIT 1001) r
    LIMIT 1001
), oldest AS MATERIALIZED (
    SELECT min(r.next_retry_at) AS at FROM webhook_lanes l CROSS JOIN LATERAL (
        SELECT d.next_retry_at FROM {deliveries} d
        WHERE d.status = 'pending' AND (hashtext(lower(split_part(d.webhook_url, '/', 3))) & 63) = l.lane
          AND d.next_retry_at <= now()
        ORDER BY d.next_retry_at, d.id LIMIT 1) r
), later AS MATERIALIZED (
    SELECT r.attempts FROM webhook_lanes l CROSS JOIN LATERAL (
        SELECT d.attempts FROM {deliveries} d
        WHERE d.status = 'pending' AND (hashtext(lower(split_part(d.webhook_url, '/', 3))) & 63) = l.lane
          AND d.next_retry_at > now()
        ORDER BY d.next_retry_at, d.id LIMIT 1001) r
    LIMIT 1001
), dead AS MATERIALIZED (
    SELECT count(*) AS number FROM (SELECT FROM {deliveries} WHERE status = 'failed' LIMIT 10001) d
), endpoints AS MATERIALIZED (
    SELECT disabled_at, paused_at, failing_since FROM {endpoints} ORDER BY id LIMIT 10001
)
SELECT json_build_object(
    'at', {utc now()},
    'due', (SELECT json_build_object('count', LEAST(count(*), 1000), 'is_at_least', count(*) > 1000) FROM due),
    'oldest_due_at', (SELECT {utc at} FROM oldest),
    'waiting', (SELECT json_build_object('count', LEAST(count(*), 1000), 'is_at_least', count(*) > 1000) FROM later),
    'retrying', (SELECT json_build_object('count', count(*) FILTER (WHERE attempts > 0),
                                          'is_at_least', count(*) > 1000) FROM later),
    'dead_letters', (SELECT json_build_object('count', LEAST(number, 10000), 'is_at_least', number > 10000) FROM dead),
    'endpoints', (SELECT json_build_object(
        'count', LEAST(count(*), 10000), 'is_at_least', count(*) > 10000,
        'disabled', count(*) FILTER (WHERE disabled_at IS NOT NULL),
        'paused', count(*) FILTER (WHERE disabled_at IS NULL AND paused_at IS NOT NULL),
        'failing', count(*) FILTER (WHERE disabled_at IS NULL AND paused_at IS NULL AND failing_since IS NOT NULL))
        FROM endpoints),
    'workers', (SELECT json_build_object(
        'count', count(*), 'late', count(*) FILTER (WHERE lease_expires_at < now()),
        'in_flight', COALESCE(sum(in_flight), 0), 'rate', COALESCE(sum(rate), 0),
        'delivered', COALESCE(sum(delivered), 0)::text, 'retried', COALESCE(sum(retried), 0)::text,
        'failed', COALESCE(sum(failed), 0)::text) FROM webhook_workers),
    'unowned_lanes', (SELECT count(*) FROM webhook_lanes WHERE (lease_expires_at > now()) IS NOT TRUE),
    'open_replays', (SELECT count(*) FROM (SELECT FROM {replays} WHERE finished_at IS NULL LIMIT 1000) r),
    'alerts', (SELECT COALESCE(json_agg(json_build_object(
        'cause', cause, 'fault', fault, 'summary', summary, 'raised_at', {utc raised_at}, 'told_at', {utc told_at}, 'detail', detail)
        ORDER BY raised_at, cause), '[]') FROM webhook_alerts WHERE resolved_at IS NULL))
