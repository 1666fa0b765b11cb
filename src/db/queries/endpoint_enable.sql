-- POST /v1/endpoints/ID/enable. $1 its id, $2 the body or NULL, $3 who asks, $4 the token's customer. With
-- recover_since in the body what has failed for it since then is sent again, which the replay in the answer does.
WITH given AS (
    SELECT $2::jsonb ->> 'recover_since' AS since
), allowed AS MATERIALIZED (
    SELECT (SELECT since FROM given) IS NULL OR $4::uuid IS NULL OR {replays_running} < 20 AS is_one_more
), changed AS (
    UPDATE {endpoints} p SET disabled_at = NULL, disabled_reason = NULL
    WHERE p.id = $1::uuid AND (SELECT is_one_more FROM allowed)
    RETURNING p.url, p.customer_id, {endpoint} AS body
), made AS (
    INSERT INTO {replays} AS r (kind, customer_id, filter, requested_by)
    SELECT 'recover', $4::uuid,
           jsonb_build_object('endpoint', c.url, 'customer', c.customer_id, 'since', g.since), $3::text
    FROM changed c, given g WHERE g.since IS NOT NULL
    RETURNING {replay} AS body
)
SELECT 200, concat(left(c.body::text, -1), ',"replay":', COALESCE(m.body::text, 'null'), '}')
FROM changed c LEFT JOIN made m ON true
UNION ALL
SELECT 409, {too_many_replays}
FROM {endpoints} p, allowed WHERE p.id = $1::uuid AND NOT is_one_more
