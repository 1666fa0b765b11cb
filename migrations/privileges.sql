-- What the worker's role needs, and no more: "postrider migrate --grant" grants it (db/grant.c), and
-- the list of requirements looks whether it is there (requirements.sql). The columns are those that an
-- outcome writes, so that even a worker gone wrong can't change what was enqueued, nor open the
-- border for an endpoint: it may delete the row, but not make it again with allow. Without one of the
-- first eight places a worker sends nothing. Functions that everybody may call are named all the same: where
-- PUBLIC was denied that (ALTER DEFAULT PRIVILEGES), this is the only way to them.
VALUES
    (1, 'USAGE', format('SCHEMA %I', coalesce(current_schema(), ''))),
    (2, 'SELECT, DELETE, UPDATE (status, attempts, last_attempt_at, next_retry_at, response_status,'
        ' last_error)', 'webhook_deliveries'),
    (3, 'SELECT, DELETE, INSERT (customer_id, url, disabled_at, disabled_reason, failing_since,'
        ' noted_at), UPDATE (disabled_at, disabled_reason, failing_since, noted_at)',
        'webhook_endpoints'),
    (4, 'SELECT', 'webhook_secrets'),
    (5, 'SELECT, INSERT, DELETE', 'webhook_attempts'),
    (6, 'SELECT, UPDATE', 'webhook_lanes'),
    (7, 'SELECT, INSERT, UPDATE, DELETE', 'webhook_workers'),
    (8, 'SELECT', 'postrider_migrations'),
    -- Every read of due rows reads it; and without what orders them, outcomes are refused when requests were made.
    (8, 'SELECT, DELETE', 'webhook_events'),
    (8, 'SELECT, INSERT, DELETE', 'webhook_promotions'),
    (8, 'EXECUTE', 'FUNCTION webhook_ordering_head(uuid, text)'),
    (8, 'EXECUTE', 'FUNCTION webhook_ordering_promote(uuid, text)'),
    (8, 'EXECUTE', 'FUNCTION webhook_subscription_keys(text, text[])'),
    (9, 'UPDATE', 'webhook_wakeups'),
    (10, 'SELECT', 'webhook_removals'),
    (11, 'SELECT, INSERT, DELETE', 'webhook_balances'),
    (12, 'SELECT', 'postrider_adoptions'),
    (13, 'SELECT', 'webhook_adopted'),
    (14, 'SELECT', 'webhook_unlogged'),
    (17, 'SELECT, INSERT, DELETE, UPDATE (started_at, due_at, position, pass, ramp_from, total, done,'
        ' skipped, skipped_count, waiting_count, stopped_at, finished_at, error, result)',
        'webhook_replays'),
    (18, 'SELECT', 'webhook_erasures'),
    (19, 'EXECUTE', 'FUNCTION webhook_payloads_expire(uuid[], uuid[], timestamptz)'),
    (20, 'EXECUTE', 'FUNCTION webhook_events_retire(uuid[])'),
    (21, 'SELECT, INSERT, UPDATE, DELETE', 'webhook_alerts'),
    (22, 'SELECT, DELETE, INSERT (kind, detail)', 'webhook_alert_notes'),
    (23, 'SELECT', 'webhook_alert_endpoint'),
    (24, 'EXECUTE', 'FUNCTION webhook_alert_publish(uuid, uuid, text, text, jsonb)'),
    (25, 'EXECUTE', 'FUNCTION webhook_event_patterns(text)'),
    (26, 'EXECUTE', 'FUNCTION webhook_customer_error(text)'),
    (27, 'SELECT, INSERT, DELETE', 'webhook_history')
