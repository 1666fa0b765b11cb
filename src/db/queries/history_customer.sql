-- GET /v1/endpoints/ID/history for a customer's token, which is not told of what others do. $1 its id, $2 since,
-- $3 until, $4 step in seconds.
WITH asked AS MATERIALIZED (
    SELECT a.since, a.until, a.step, to_timestamp(floor(extract(epoch FROM a.since) / a.step) * a.step) AS first
    FROM (SELECT u.until, COALESCE($2::timestamptz, u.until - interval '60 minutes') AS since,
                 (ceil($4::numeric / 60) * 60)::bigint AS step
          FROM (SELECT COALESCE($3::timestamptz, date_trunc('minute', now()) + interval '1 minute') AS until) u) a
), verdict AS MATERIALIZED (
    SELECT CASE WHEN a.since >= a.until THEN 400
                WHEN (extract(epoch FROM a.until) - extract(epoch FROM a.since)) / a.step > 1500 THEN 422
                ELSE 200 END AS status
    FROM asked a
), points AS MATERIALIZED (
    SELECT to_timestamp(floor(extract(epoch FROM h.at) / a.step) * a.step) AS at,
           sum(h.delivered) AS delivered, sum(h.retried) AS retried, sum(h.failed) AS failed,
           json_build_array(sum(h.first_attempt_delay[1]), sum(h.first_attempt_delay[2]),
               sum(h.first_attempt_delay[3]), sum(h.first_attempt_delay[4]), sum(h.first_attempt_delay[5]),
               sum(h.first_attempt_delay[6]), sum(h.first_attempt_delay[7]), sum(h.first_attempt_delay[8]),
               sum(h.first_attempt_delay[9]), sum(h.first_attempt_delay[10]), sum(h.first_attempt_delay[11]),
               sum(h.first_attempt_delay[12]), sum(h.first_attempt_delay[13]), sum(h.first_attempt_delay[14]),
               sum(h.first_attempt_delay[15]), sum(h.first_attempt_delay[16])) AS first_attempt_delay,
           json_build_array(sum(h.attempt_duration[1]), sum(h.attempt_duration[2]), sum(h.attempt_duration[3]),
               sum(h.attempt_duration[4]), sum(h.attempt_duration[5]), sum(h.attempt_duration[6]),
               sum(h.attempt_duration[7]), sum(h.attempt_duration[8]), sum(h.attempt_duration[9]),
               sum(h.attempt_duration[10]), sum(h.attempt_duration[11]), sum(h.attempt_duration[12]),
               sum(h.attempt_duration[13]), sum(h.attempt_duration[14]), sum(h.attempt_duration[15]),
               sum(h.attempt_duration[16])) AS attempt_duration,
           json_build_object('2xx', sum(h.statuses[1]), '3xx', sum(h.statuses[2]), '4xx', sum(h.statuses[3]),
                             '5xx', sum(h.statuses[4]), 'none', sum(h.statuses[5])) AS statuses
    FROM asked a CROSS JOIN LATERAL (
        SELECT * FROM {history} m WHERE m.endpoint_id = $1::uuid AND m.at >= a.first AND m.at < a.until OFFSET 0) h
    WHERE (SELECT status FROM verdict) = 200
    GROUP BY 1
)
SELECT v.status, CASE v.status WHEN 200 THEN json_build_object(
    'since', {utc a.first}, 'until', {utc a.until}, 'step_s', a.step, 'covers', 'trouble',
    'buckets_ms', json_build_array(5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000,
        1800000, NULL),
    'data', COALESCE((SELECT json_agg(json_build_object(
        'at', {utc p.at}, 'delivered', p.delivered::text, 'retried', p.retried::text, 'failed', p.failed::text,
        'first_attempt_delay', p.first_attempt_delay, 'attempt_duration', p.attempt_duration,
        'statuses', p.statuses) ORDER BY p.at) FROM points p), '[]'))::text END
FROM asked a CROSS JOIN verdict v WHERE EXISTS (SELECT FROM {endpoints} p WHERE p.id = $1::uuid)
