-- PATCH /v1/endpoints/ID, a merge patch (RFC 7396): what is not in the body stays. $1 its id, $2 the body.
WITH given AS (
    SELECT {endpoint_members},
        (b ->> 'customer_id')::uuid AS customer_id, b
    FROM (SELECT $2::jsonb) AS g (b)
), changed AS (
    UPDATE {endpoints} p SET
        url = CASE WHEN g.b ? 'url' THEN g.url ELSE p.url END,
        timeout = CASE WHEN g.b ? 'timeout_ms' THEN g.timeout ELSE p.timeout END,
        retry_max_attempts = CASE WHEN g.b ? 'retry_max_attempts'
            THEN g.retry_max_attempts ELSE p.retry_max_attempts END,
        retry_initial_delay = CASE WHEN g.b ? 'retry_initial_delay_ms'
            THEN g.retry_initial_delay ELSE p.retry_initial_delay END,
        retry_multiplier = CASE WHEN g.b ? 'retry_multiplier' THEN g.retry_multiplier ELSE p.retry_multiplier END,
        retry_max_delay = CASE WHEN g.b ? 'retry_max_delay_ms' THEN g.retry_max_delay ELSE p.retry_max_delay END,
        retry_jitter = CASE WHEN g.b ? 'retry_jitter' THEN g.retry_jitter ELSE p.retry_jitter END,
        retry_schedule = CASE WHEN g.b ? 'retry_schedule_ms' THEN g.retry_schedule ELSE p.retry_schedule END,
        max_in_flight = CASE WHEN g.b ? 'max_in_flight' THEN g.max_in_flight ELSE p.max_in_flight END,
        rate_limit = CASE WHEN g.b ? 'rate_limit' THEN g.rate_limit ELSE p.rate_limit END,
        event_types = CASE WHEN g.b ? 'event_types' THEN g.event_types ELSE p.event_types END,
        filter = CASE WHEN g.b ? 'filter' THEN g.filter ELSE p.filter END,
        ordering = CASE WHEN g.b ? 'ordering' THEN g.ordering ELSE p.ordering END
    FROM given g
    WHERE p.id = $1::uuid AND p.customer_id = COALESCE(g.customer_id, p.customer_id)
    RETURNING {endpoint} AS body
)
SELECT 200, body::text FROM changed
UNION ALL
SELECT 422, 'customer_id is another one; an endpoint stays with its customer'
FROM {endpoints} p WHERE p.id = $1::uuid AND NOT EXISTS (SELECT FROM changed)
