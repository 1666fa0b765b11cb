-- What the role needs as which "postrider serve" asks for a customer, and no more: "postrider migrate
-- --grant-customers" grants it (db/grant.c). It reaches nothing but views, and the functions that those call. Of an
-- endpoint it may write what serve's own role may (privileges_serve.sql), but neither delete it nor move it to
-- somebody else; of a replay it says what is asked for, and may stop it. Writing is granted by columns alone: who
-- may write to a view as a whole may also lock the table behind it.
VALUES
    (1, 'USAGE', format('SCHEMA %I', coalesce(current_schema(), ''))),
    (2, 'SELECT', 'webhook_customer_events'),
    (3, 'SELECT', 'webhook_customer_deliveries'),
    (4, 'SELECT,'
        ' INSERT (customer_id, url, timeout, retry_max_attempts, retry_initial_delay, retry_multiplier,'
        ' retry_max_delay, retry_jitter, retry_schedule, disabled_at, disabled_reason,'
        ' max_in_flight, rate_limit, event_types, filter, ordering, paused_at),'
        ' UPDATE (url, timeout, retry_max_attempts, retry_initial_delay, retry_multiplier,'
        ' retry_max_delay, retry_jitter, retry_schedule, disabled_at, disabled_reason,'
        ' max_in_flight, rate_limit, event_types, filter, ordering, paused_at)',
        'webhook_customer_endpoints'),
    (5, 'SELECT', 'webhook_customer_attempts'),
    (6, 'SELECT, INSERT (kind, customer_id, filter, rate, requested_by), UPDATE (stopped_at)',
        'webhook_customer_replays'),
    (7, 'SELECT', 'webhook_customer_feed'),
    (8, 'SELECT', 'webhook_customer_epoch'),
    (9, 'SELECT', 'webhook_customer_marks'),
    (10, 'SELECT', 'webhook_customer_history'),
    -- What views and an index call in its name: everybody's, unless PUBLIC was denied that.
    (11, 'EXECUTE', 'FUNCTION webhook_customer_error(text)'),
    (12, 'EXECUTE', 'FUNCTION webhook_event_patterns(text)'),
    (13, 'EXECUTE', 'FUNCTION webhook_subscription_keys(text, text[])')
