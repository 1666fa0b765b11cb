-- What screens show and nothing knew: how long the parts of an attempt took, what workers send just now, and by which
-- limits.

-- Milliseconds. Of a connection that was kept, only wait_ms; of an attempt that came to nothing, the last one that is
-- there is the one that it ended in. The rest of duration_ms is the reading of the answer. NULL in all four: not
-- recorded, as in rows of before, and in those of older workers.
ALTER TABLE webhook_attempts
    ADD COLUMN dns_ms real,
    ADD COLUMN connect_ms real,
    ADD COLUMN tls_ms real,
    ADD COLUMN wait_ms real; -- from there to the first byte of the answer

-- Renewed with the lease; NULL: by an older worker. The endpoints with the most requests in flight, a bounded number of
-- them; and what holds for an endpoint whose row says nothing else, since nobody but a worker reads its configuration.
ALTER TABLE webhook_workers
    ADD COLUMN busy jsonb,
    ADD COLUMN defaults jsonb;

CREATE OR REPLACE VIEW webhook_customer_attempts WITH (security_barrier = true, check_option = cascaded) AS
    SELECT a.id, a.delivery_id, a.attempt, a.started_at, a.duration_ms, a.response_status,
           webhook_customer_error(a.error::text)::varchar AS error, a.response_body, a.url,
           a.dns_ms, a.connect_ms, a.tls_ms, a.wait_ms
    FROM webhook_attempts a
    WHERE (SELECT d.customer_id = (SELECT current_setting('postrider.customer')::uuid)
                  AND (d.endpoint_id IS NULL
                       OR (d.customer_id = (SELECT e.customer_id FROM webhook_events e WHERE e.id = d.event_id)
                           AND (SELECT p.all_customers FROM webhook_endpoints p WHERE p.id = d.endpoint_id)
                               IS NOT TRUE))
           FROM webhook_deliveries d WHERE d.id = a.delivery_id);
