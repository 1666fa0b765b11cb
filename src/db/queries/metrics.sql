-- GET /metrics of "postrider serve": what is the database's, in Prometheus's text format. Counts end at 10,000, since each
-- of them reads an index.
WITH paused AS MATERIALIZED (
    SELECT p.customer_id, p.url, hashtextextended(p.url, 0) AS hash
    FROM {endpoints} p WHERE p.paused_at IS NOT NULL LIMIT 1000
), due AS MATERIALIZED (
    SELECT r.*, EXISTS (SELECT FROM paused p WHERE p.customer_id = r.customer_id AND p.url = r.webhook_url) AS is_held
    FROM webhook_lanes l CROSS JOIN LATERAL (
        SELECT d.next_retry_at, d.customer_id, d.webhook_url FROM {deliveries} d
        WHERE d.status = 'pending' AND (hashtext(lower(split_part(d.webhook_url, '/', 3))) & 63) = l.lane
          AND d.next_retry_at <= now()
        ORDER BY d.next_retry_at, d.id LIMIT 10000) r
    LIMIT 10000
), heads AS MATERIALIZED (
    SELECT r.*, EXISTS (SELECT FROM paused p WHERE p.customer_id = r.customer_id AND p.url = r.webhook_url) AS is_held
    FROM webhook_lanes l CROSS JOIN LATERAL (
        SELECT d.next_retry_at, d.customer_id, d.webhook_url FROM {deliveries} d
        WHERE d.status = 'pending' AND (hashtext(lower(split_part(d.webhook_url, '/', 3))) & 63) = l.lane
          AND d.next_retry_at <= now()
        ORDER BY d.next_retry_at, d.id LIMIT 100) r
), later AS MATERIALIZED (
    SELECT count(*) AS number FROM (
        SELECT FROM webhook_lanes l CROSS JOIN LATERAL (
            SELECT FROM {deliveries} d
            WHERE d.status = 'pending' AND (hashtext(lower(split_part(d.webhook_url, '/', 3))) & 63) = l.lane
              AND d.next_retry_at > now()
            ORDER BY d.next_retry_at, d.id LIMIT 10000) r
        LIMIT 10000) w
), held AS MATERIALIZED (
    SELECT count(*) AS number FROM (
        SELECT FROM paused p CROSS JOIN LATERAL (
            SELECT FROM {deliveries} d
            WHERE d.status = 'pending' AND hashtextextended(d.webhook_url, 0) = p.hash
              AND d.customer_id = p.customer_id AND d.webhook_url = p.url AND d.next_retry_at <= now() LIMIT 10000) r
        LIMIT 10000) h
), dead AS MATERIALIZED (
    SELECT count(*) AS number FROM (SELECT FROM {deliveries} WHERE status = 'failed' LIMIT 10000) d
), endpoints AS MATERIALIZED (
    SELECT CASE WHEN disabled_at IS NOT NULL THEN 'disabled' WHEN paused_at IS NOT NULL THEN 'paused'
                WHEN failing_since IS NOT NULL THEN 'failing' ELSE 'enabled' END AS state
    FROM (SELECT disabled_at, paused_at, failing_since FROM {endpoints} ORDER BY id LIMIT 10000) p
), samples (metric, place, labels, value) AS (
    SELECT 'postrider_pending_deliveries', s.place, concat('state="', s.state, '"'), s.number::text
    FROM (VALUES (1, 'due', (SELECT count(*) FROM due WHERE NOT is_held)), (2, 'waiting', (SELECT number FROM later)),
                 (3, 'held', (SELECT number FROM held))) s (place, state, number)
    UNION ALL
    SELECT 'postrider_oldest_due_age_seconds', 1, '',
           COALESCE((SELECT extract(epoch FROM now() - min(next_retry_at)) FROM heads
                     WHERE NOT is_held AND isfinite(next_retry_at)), 0)::text
    UNION ALL
    SELECT 'postrider_dead_letters', 1, '', number::text FROM dead
    UNION ALL
    SELECT 'postrider_endpoints', s.place, concat('state="', s.state, '"'),
           (SELECT count(*) FROM endpoints e WHERE e.state = s.state)::text
    FROM (VALUES (1, 'enabled'), (2, 'failing'), (3, 'paused'), (4, 'disabled')) s (place, state)
    UNION ALL
    SELECT 'postrider_unowned_lanes', 1, '', count(*)::text FROM webhook_lanes WHERE (lease_expires_at > now()) IS NOT TRUE
    UNION ALL
    SELECT 'postrider_table_dead_rows', t.place, concat('table="', t.name, '"'),
           pg_stat_get_dead_tuples(to_regclass(t.name))::text
    FROM (VALUES (1, 'webhook_deliveries'), (2, 'webhook_events'), (3, 'webhook_attempts'), (4, 'webhook_endpoints'),
                 (5, 'webhook_lanes'), (6, 'webhook_workers'), (7, 'webhook_history')) t (place, name)
    UNION ALL
    -- Of others nobody but a member of pg_read_all_stats is told.
    SELECT 'postrider_oldest_transaction_age_seconds', 1, '',
           CASE WHEN pg_has_role('pg_read_all_stats', 'USAGE') THEN
               (SELECT COALESCE(max(GREATEST(extract(epoch FROM clock_timestamp() - a.xact_start), 0)), 0)::text
                FROM pg_stat_activity a WHERE a.backend_type = 'client backend') ELSE 'NaN' END
), helps (place, metric, help) AS (VALUES
    (1, 'postrider_pending_deliveries', 'Pending deliveries: due, waiting for their time, or held since their endpoint is paused; at most 10000.'),
    (2, 'postrider_oldest_due_age_seconds', 'For how long the oldest delivery has been due that is not held; 0: none is.'),
    (3, 'postrider_dead_letters', 'Deliveries that failed for good; at most 10000.'),
    (4, 'postrider_endpoints', 'Endpoints by their state, of the first 10000.'),
    (5, 'postrider_unowned_lanes', 'Lanes that no worker has leased.'),
    (6, 'postrider_table_dead_rows', 'Rows that vacuum is still to remove, as PostgreSQL estimates them.'),
    (7, 'postrider_oldest_transaction_age_seconds', 'Of the oldest transaction in the server; NaN: the role may not see those of others.')
)
SELECT string_agg(t.text, '' ORDER BY t.place) FROM (
    SELECT h.place, format(E'# HELP %s %s\n# TYPE %s gauge\n', h.metric, h.help, h.metric)
           || string_agg(s.metric || CASE WHEN s.labels <> '' THEN chr(123) || s.labels || chr(125) ELSE '' END
                         || ' ' || s.value || E'\n', '' ORDER BY s.place) AS text
    FROM helps h JOIN samples s USING (metric) GROUP BY 1, h.metric, h.help) t
