-- {endpoint}: a row p of endpoints, as JSON.
json_build_object(
    'id', p.id, 'customer_id', p.customer_id, 'url', p.url,
    'state', CASE WHEN p.disabled_at IS NOT NULL THEN 'disabled' WHEN p.paused_at IS NOT NULL THEN 'paused'
        WHEN p.failing_since IS NOT NULL THEN 'failing' ELSE 'enabled' END,
    'event_types', p.event_types, 'filter', p.filter, 'ordering', p.ordering,
    'timeout_ms', {interval p.timeout},
    'retry_max_attempts', p.retry_max_attempts,
    'retry_initial_delay_ms', {interval p.retry_initial_delay},
    'retry_multiplier', p.retry_multiplier,
    'retry_max_delay_ms', {interval p.retry_max_delay},
    'retry_jitter', p.retry_jitter,
    'retry_schedule_ms', (SELECT json_agg({interval delay} ORDER BY position)
        FROM unnest(p.retry_schedule) WITH ORDINALITY AS s (delay, position)),
    'max_in_flight', p.max_in_flight, 'rate_limit', p.rate_limit,
    'disabled_at', {utc p.disabled_at}, 'disabled_reason', p.disabled_reason, 'paused_at', {utc p.paused_at},
    'failing_since', {utc p.failing_since}, 'is_noted', p.noted_at IS NOT NULL, 'created_at', {utc p.created_at})
