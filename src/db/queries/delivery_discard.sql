-- POST /v1/deliveries/ID/discard: asks for one dead letter to be deleted. $1 its id, $2 who asks.
WITH d AS (
    SELECT id, status FROM {deliveries} WHERE id = $1::uuid
), made AS (
    INSERT INTO {replays} AS r (kind, filter, requested_by)
    SELECT 'discard', jsonb_build_object('ids', jsonb_build_array(d.id)), $2::text
    FROM d WHERE d.status = 'failed'
    RETURNING r.id, {replay} AS body
)
SELECT 201, body::text, concat('/v1/replays/', id) FROM made
UNION ALL
SELECT 409, concat('it is ', d.status, ': only what has failed can be discarded'), NULL
FROM d WHERE d.status <> 'failed'
