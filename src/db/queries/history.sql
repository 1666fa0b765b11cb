-- GET /v1/history: what all workers have done, by the minute or a longer step. For the operator's tokens alone.
-- $1 since, $2 until, $3 step in seconds.
WITH asked AS MATERIALIZED (
    SELECT a.since, a.until, a.step, to_timestamp(floor(extract(epoch FROM a.since) / a.step) * a.step) AS first
    FROM (SELECT u.until, COALESCE($1::timestamptz, u.until - interval '60 minutes') AS since,
                 (ceil($3::numeric / 60) * 60)::bigint AS step
          FROM (SELECT COALESCE($2::timestamptz, date_trunc('minute', now()) + interval '1 minute') AS until) u) a
), verdict AS MATERIALIZED (
    {history_verdict}
), points AS MATERIALIZED (
    {history_sums}
    FROM asked a CROSS JOIN LATERAL (
        SELECT * FROM {history} m WHERE m.endpoint_id IS NULL AND m.at >= a.first AND m.at < a.until OFFSET 0) h
    WHERE (SELECT status FROM verdict) = 200
    GROUP BY 1
)
SELECT v.status, CASE v.status WHEN 200 THEN json_build_object(
    'since', {utc a.first}, 'until', {utc a.until}, 'step_s', a.step,
    {history_data})::text END
FROM asked a CROSS JOIN verdict v
