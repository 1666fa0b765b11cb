-- What the role of "postrider serve" needs, and no more: "postrider migrate --grant-serve" grants it (db/grant.c).
-- It listens to strangers, so it is thought of as taken over: it can neither read what signs (webhook_secrets) nor
-- what may hold a credential (webhook_endpoints.headers), nor open the border for an endpoint, nor touch one that
-- has it open (webhook_endpoints_protected() in 0020_serve.sql). SECURITY.md says what is left.
VALUES
    (1, 'USAGE', format('SCHEMA %I', coalesce(current_schema(), ''))),
    (2, 'SELECT', 'postrider_migrations'),
    (3, 'SELECT, INSERT', 'webhook_events'),
    (4, 'SELECT', 'webhook_deliveries'),
    (5, 'SELECT', 'webhook_attempts'),
    (6, 'SELECT (id, customer_id, url, timeout, retry_max_attempts, retry_initial_delay, retry_multiplier,'
        ' retry_max_delay, retry_jitter, retry_schedule, disabled_at, disabled_reason,'
        ' created_at, max_in_flight, rate_limit, failing_since, noted_at, allow, client_certificate,'
        ' event_types, filter, ordering, paused_at, all_customers), DELETE,'
        ' INSERT (customer_id, url, timeout, retry_max_attempts, retry_initial_delay, retry_multiplier,'
        ' retry_max_delay, retry_jitter, retry_schedule, disabled_at, disabled_reason,'
        ' max_in_flight, rate_limit, event_types, filter, ordering, paused_at),'
        ' UPDATE (url, timeout, retry_max_attempts, retry_initial_delay, retry_multiplier,'
        ' retry_max_delay, retry_jitter, retry_schedule, disabled_at, disabled_reason,'
        ' max_in_flight, rate_limit, event_types, filter, ordering, paused_at)',
        'webhook_endpoints'),
    (7, 'SELECT, UPDATE (last_used_on)', 'webhook_tokens'),
    (8, 'SELECT, INSERT, DELETE', 'idempotency_keys'),
    (9, 'EXECUTE', 'FUNCTION webhook_known_customers(regclass, uuid[])'),
    -- What the API shows: who delivers what, and what was here before Postrider.
    (10, 'SELECT', 'webhook_lanes'),
    (11, 'SELECT', 'webhook_workers'),
    (12, 'SELECT', 'postrider_adoptions'),
    (13, 'SELECT', 'webhook_adopted'),
    -- It asks for replays, and stops them; workers carry them out, and it can change nothing of what they write.
    (14, 'SELECT, INSERT (kind, customer_id, filter, rate, requested_by),'
         ' UPDATE (stopped_at, ramp_from, due_at)', 'webhook_replays'),
    (15, 'SELECT', 'webhook_feed_epoch'),
    (16, 'SELECT, INSERT, DELETE', 'webhook_feed_marks'),
    -- Whose turn it is in an ordering key.
    (17, 'SELECT', 'webhook_promotions'),
    (18, 'EXECUTE', 'FUNCTION webhook_ordering_head(uuid, text)'),
    (19, 'SELECT', 'webhook_alerts'),
    (20, 'SELECT', 'webhook_history'),
    -- Everybody's, unless PUBLIC was denied that.
    (21, 'EXECUTE', 'FUNCTION webhook_publish_requests(json, json)'),
    (22, 'EXECUTE', 'FUNCTION webhook_event_patterns(text)'),
    (23, 'EXECUTE', 'FUNCTION webhook_subscription_keys(text, text[])')
