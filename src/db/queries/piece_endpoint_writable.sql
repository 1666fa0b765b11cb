-- {endpoint_writable}: the columns that a body sets.
url, timeout, retry_max_attempts, retry_initial_delay, retry_multiplier, retry_max_delay, retry_jitter,
retry_schedule, max_in_flight, rate_limit, event_types, filter, ordering
