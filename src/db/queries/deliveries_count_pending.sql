-- GET /v1/deliveries/count?status=pending: how many wait for one endpoint. Parameters as of deliveries_count_failed.sql;
-- of $2 and $3 one is there. An index has the pending rows of a URL, of which 100,000 are looked at.
WITH url AS MATERIALIZED (
    SELECT COALESCE($2::text, (SELECT t.url::text FROM {endpoints} t WHERE t.id = $3::uuid)) AS text
), looked AS NOT MATERIALIZED (
    SELECT d.* FROM {deliveries} d
    WHERE d.status = 'pending' AND {url_hash} = hashtextextended((SELECT text FROM url), 0)
    ORDER BY d.next_retry_at, d.id
    LIMIT 100001
), counted AS MATERIALIZED (
    SELECT count(*) AS looked, count(*) FILTER (
      WHERE ($1::uuid IS NULL OR d.customer_id = $1::uuid)
      AND ($2::text IS NULL OR d.webhook_url = $2::text)
      AND ($3::uuid IS NULL OR d.endpoint_id = $3::uuid
           OR (d.customer_id, d.webhook_url::text)
              = (SELECT customer_id, url::text FROM {endpoints} WHERE id = $3::uuid))
      AND ($4::text IS NULL OR d.event_type = $4::text
           OR (right($4::text, 2) = '.*' AND starts_with(d.event_type, left($4::text, -1))))
      AND ($5::text IS NULL OR strpos(lower(d.last_error), lower($5::text)) > 0)
      AND ($6::int IS NULL OR d.response_status = $6::int)
      AND ($7::timestamptz IS NULL OR d.created_at >= $7::timestamptz)
      AND ($8::timestamptz IS NULL OR d.created_at < $8::timestamptz)
      AND $9::timestamptz IS NULL
    ) AS found
    FROM looked d
)
SELECT json_build_object('at', {utc now()}, 'count', LEAST(c.found, 100000), 'is_at_least', c.looked > 100000)
FROM counted c
