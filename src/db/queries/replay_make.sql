-- POST /v1/replays. $1 the body, which serve/replay_request.h has found good, $2 who asks, $3 the token's customer.
INSERT INTO {replays} AS r (kind, customer_id, filter, rate, requested_by)
SELECT COALESCE(b ->> 'kind', 'replay'), $3::uuid, b -> 'filter', (b ->> 'rate')::float8::int, $2::text
FROM (SELECT $1::jsonb) AS g (b)
RETURNING 201, {replay}::text, concat('/v1/replays/', r.id)
