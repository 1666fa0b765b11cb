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
      WHERE {delivery_choice}
      AND ($7::timestamptz IS NULL OR d.created_at >= $7::timestamptz)
      AND ($8::timestamptz IS NULL OR d.created_at < $8::timestamptz)
      AND $9::timestamptz IS NULL
    ) AS found
    FROM looked d
)
SELECT json_build_object('at', {utc now()}, 'count', LEAST(c.found, 100000), 'is_at_least', c.looked > 100000)
FROM counted c
