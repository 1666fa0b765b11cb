-- GET /v1/deliveries/count?status=failed: how many dead letters there are, up to 100,000. $1 customer, $2 a URL, $3 the
-- id of an endpoint, $4 event_type, $5 error, $6 status_code, $7 since, $8 until, $9 failed_since.
-- The newest 500,000 are looked at; where there are more, the count is a least one.
WITH looked AS NOT MATERIALIZED (
    SELECT d.* FROM {deliveries} d
    WHERE d.status = 'failed'
      AND ($7::timestamptz IS NULL OR d.created_at >= $7::timestamptz)
      AND ($8::timestamptz IS NULL OR d.created_at < $8::timestamptz)
    ORDER BY d.created_at DESC, d.id DESC
    LIMIT 500000
), counted AS MATERIALIZED (
    SELECT count(*) AS found FROM (SELECT FROM looked d
    WHERE {delivery_choice}
      AND ($9::timestamptz IS NULL OR COALESCE(d.given_up_at, d.last_attempt_at, d.created_at) >= $9::timestamptz)
    LIMIT 100001) f
)
SELECT json_build_object('at', {utc now()}, 'count', LEAST(c.found, 100000), 'is_at_least',
    CASE WHEN c.found > 100000 THEN true ELSE EXISTS (
        SELECT FROM {deliveries} d
        WHERE d.status = 'failed'
          AND ($7::timestamptz IS NULL OR d.created_at >= $7::timestamptz)
          AND ($8::timestamptz IS NULL OR d.created_at < $8::timestamptz)
        ORDER BY d.created_at DESC, d.id DESC
        OFFSET 500000 LIMIT 1) END)
FROM counted c
