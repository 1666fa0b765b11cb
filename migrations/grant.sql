-- What the worker's role ($1) needs, and no more: one GRANT in each row. The columns are those that
-- an outcome writes, so that even a worker gone wrong can't change what was enqueued.
SELECT format('GRANT %s ON %s TO %I', privileges, object, $1::text)
FROM (VALUES
    (1, 'USAGE', format('SCHEMA %I', current_schema())),
    (2, 'SELECT, DELETE, UPDATE (status, attempts, last_attempt_at, next_retry_at, response_status,'
        ' last_error)', 'webhook_deliveries'),
    (3, 'SELECT, INSERT, UPDATE (disabled_at, disabled_reason)', 'webhook_endpoints'),
    (4, 'SELECT', 'webhook_secrets'),
    (5, 'SELECT, INSERT, DELETE', 'webhook_attempts'),
    (6, 'SELECT, UPDATE', 'webhook_lanes'),
    (7, 'SELECT', 'postrider_migrations')
) AS needed (position, privileges, object)
ORDER BY position
