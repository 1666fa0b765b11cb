-- GET /v1/endpoints/ID/history. $1 its id, $2 since, $3 until, $4 step in seconds.
WITH asked AS MATERIALIZED (
    SELECT a.since, a.until, a.step, to_timestamp(floor(extract(epoch FROM a.since) / a.step) * a.step) AS first
    FROM (SELECT u.until, COALESCE($2::timestamptz, u.until - interval '60 minutes') AS since,
                 (ceil($4::numeric / 60) * 60)::bigint AS step
          FROM (SELECT COALESCE($3::timestamptz, date_trunc('minute', now()) + interval '1 minute') AS until) u) a
), verdict AS MATERIALIZED (
    {history_verdict}
), points AS MATERIALIZED (
    {history_sums}
    FROM asked a CROSS JOIN LATERAL (
        SELECT * FROM {history} m WHERE m.endpoint_id = $1::uuid AND m.at >= a.first AND m.at < a.until OFFSET 0) h
    WHERE (SELECT status FROM verdict) = 200
    GROUP BY 1
)
SELECT v.status, CASE v.status WHEN 200 THEN json_build_object(
    'since', {utc a.first}, 'until', {utc a.until}, 'step_s', a.step,
    -- What has no point: 'all': it had no outcomes. 'trouble': that, or none that were of interest.
    'covers', CASE WHEN EXISTS (SELECT FROM {history} m WHERE m.endpoint_id IS NULL AND m.left_out > 0
                                  AND m.at >= a.first AND m.at < a.until) THEN 'trouble' ELSE 'all' END,
    {history_data})::text END
FROM asked a CROSS JOIN verdict v WHERE EXISTS (SELECT FROM {endpoints} p WHERE p.id = $1::uuid)
