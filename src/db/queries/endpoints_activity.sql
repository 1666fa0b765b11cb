-- GET /v1/endpoints/activity: what endpoints have had in the last day, as far as the history keeps them apart. For the
-- operator's tokens alone. $1 their ids.
-- A minute in which some were left out, and of an endpoint nothing is kept, says nothing about it: how many of those
-- there were is left_out_minutes. Where there is none, what is here is all.
WITH span AS MATERIALIZED (
    SELECT date_trunc('minute', now()) - interval '1 day' AS since, date_trunc('minute', now()) AS until
), partly AS MATERIALIZED (
    SELECT DISTINCT h.at FROM {history} h, span s
    WHERE h.endpoint_id IS NULL AND h.at >= s.since AND h.at < s.until AND h.left_out > 0
), asked AS MATERIALIZED (
    SELECT DISTINCT a.id FROM unnest($1::uuid[]) a (id) LIMIT 50
), found AS MATERIALIZED (
    SELECT a.id, k.*,
           (SELECT json_build_object('at', {utc l.at}, 'statuses', json_build_object(
                '2xx', l.statuses[1], '3xx', l.statuses[2], '4xx', l.statuses[3], '5xx', l.statuses[4],
                'none', l.statuses[5]), 'status', l.last_status)
            FROM {history} l WHERE l.endpoint_id = a.id AND l.at >= (SELECT since FROM span)
            ORDER BY l.at DESC LIMIT 1) AS last
    FROM asked a CROSS JOIN LATERAL (
        SELECT count(DISTINCT h.at) AS kept, count(DISTINCT h.at) FILTER (WHERE h.at IN (SELECT at FROM partly)) AS kept_partly,
               COALESCE(sum(h.delivered), 0) AS delivered, COALESCE(sum(h.retried), 0) AS retried,
               COALESCE(sum(h.failed), 0) AS failed,
               sum(h.statuses[1]) AS n2, sum(h.statuses[2]) AS n3, sum(h.statuses[3]) AS n4, sum(h.statuses[4]) AS n5,
               sum(h.statuses[5]) AS none,
               json_build_array(sum(h.attempt_duration[1]), sum(h.attempt_duration[2]), sum(h.attempt_duration[3]),
                   sum(h.attempt_duration[4]), sum(h.attempt_duration[5]), sum(h.attempt_duration[6]),
                   sum(h.attempt_duration[7]), sum(h.attempt_duration[8]), sum(h.attempt_duration[9]),
                   sum(h.attempt_duration[10]), sum(h.attempt_duration[11]), sum(h.attempt_duration[12]),
                   sum(h.attempt_duration[13]), sum(h.attempt_duration[14]), sum(h.attempt_duration[15]),
                   sum(h.attempt_duration[16])) AS attempt_duration
        FROM {history} h
        WHERE h.endpoint_id = a.id AND h.at >= (SELECT since FROM span) AND h.at < (SELECT until FROM span)) k
)
SELECT json_build_object(
    'since', (SELECT {utc since} FROM span), 'until', (SELECT {utc until} FROM span),
    'buckets_ms', json_build_array(5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000,
        1800000, NULL),
    'data', COALESCE((SELECT json_agg(json_build_object(
        'endpoint_id', f.id, 'kept_minutes', f.kept,
        'left_out_minutes', (SELECT count(*) FROM partly) - f.kept_partly,
        'delivered', f.delivered::text, 'retried', f.retried::text, 'failed', f.failed::text,
        'statuses', CASE WHEN f.kept > 0 THEN json_build_object('2xx', f.n2, '3xx', f.n3, '4xx', f.n4, '5xx', f.n5,
                                                                'none', f.none) END,
        'attempt_duration', CASE WHEN f.kept > 0 THEN f.attempt_duration END, 'last', f.last) ORDER BY f.id)
        FROM found f), '[]'))
