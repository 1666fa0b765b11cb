-- POST /v1/replays. $1 the body, which serve/replay_request.h has found good, $2 who asks, $3 the token's customer, of
-- whom so many may run.
WITH allowed AS MATERIALIZED (
    SELECT $3::uuid IS NULL OR {replays_running} < 20 AS is_one_more
), made AS (
    INSERT INTO {replays} AS r (kind, customer_id, filter, rate, requested_by)
    SELECT COALESCE(b ->> 'kind', 'replay'), $3::uuid, b -> 'filter', (b ->> 'rate')::float8::int, $2::text
    FROM (SELECT $1::jsonb) AS g (b), allowed WHERE is_one_more
    RETURNING r.id, {replay} AS body
)
SELECT 201, body::text, concat('/v1/replays/', id) FROM made
UNION ALL
SELECT 409, {too_many_replays}, NULL FROM allowed WHERE NOT is_one_more
