-- {endpoint_members}: what a body b (JSON) says of them.
b ->> 'url' AS url,
(b ->> 'timeout_ms')::float8 * interval '1 millisecond' AS timeout,
(b ->> 'retry_max_attempts')::float8::int AS retry_max_attempts,
(b ->> 'retry_initial_delay_ms')::float8 * interval '1 millisecond' AS retry_initial_delay,
(b ->> 'retry_multiplier')::float8 AS retry_multiplier,
(b ->> 'retry_max_delay_ms')::float8 * interval '1 millisecond' AS retry_max_delay,
(b ->> 'retry_jitter')::float8 AS retry_jitter,
CASE WHEN jsonb_typeof(b -> 'retry_schedule_ms') = 'array' THEN ARRAY(
    SELECT ms::float8 * interval '1 millisecond'
    FROM jsonb_array_elements_text(b -> 'retry_schedule_ms') WITH ORDINALITY AS s (ms, n)
    ORDER BY n) END AS retry_schedule,
(b ->> 'max_in_flight')::float8::int AS max_in_flight,
(b ->> 'rate_limit')::float8 AS rate_limit,
CASE WHEN jsonb_typeof(b -> 'event_types') = 'array' THEN ARRAY(
    SELECT t FROM jsonb_array_elements_text(b -> 'event_types') WITH ORDINALITY AS s (t, n)
    ORDER BY n) END AS event_types,
NULLIF(b -> 'filter', 'null') AS filter,
COALESCE(b ->> 'ordering', 'skip') AS ordering
