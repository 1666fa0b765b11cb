-- {endpoint_columns}: those of a row p of endpoints. Not headers, which serve's role can't read, nor what a customer's
-- can't.
p.id, p.customer_id, p.url, p.timeout, p.retry_max_attempts, p.retry_initial_delay, p.retry_multiplier,
p.retry_max_delay, p.retry_jitter, p.retry_schedule, p.disabled_at, p.disabled_reason, p.created_at,
p.max_in_flight, p.rate_limit, p.failing_since, p.noted_at, p.event_types, p.filter, p.ordering, p.paused_at
