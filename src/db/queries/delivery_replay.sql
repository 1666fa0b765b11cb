-- POST /v1/deliveries/ID/replay: asks for one dead letter to be sent again. $1 its id, $2 who asks,
-- $3 the token's customer.
WITH d AS (
    SELECT id, status, erased_at, $3::uuid IS NULL OR {replays_running} < 20 AS is_one_more
    FROM {deliveries} WHERE id = $1::uuid
), made AS (
    INSERT INTO {replays} AS r (kind, customer_id, filter, requested_by)
    SELECT 'replay', $3::uuid, jsonb_build_object('ids', jsonb_build_array(d.id)), $2::text
    FROM d WHERE d.status = 'failed' AND d.erased_at IS NULL AND d.is_one_more
    RETURNING r.id, {replay} AS body
)
SELECT 201, body::text, concat('/v1/replays/', id) FROM made
UNION ALL
SELECT 409, CASE WHEN d.erased_at IS NOT NULL THEN 'its payload was erased: there is nothing to send'
            WHEN d.status <> 'failed' THEN concat('it is ', d.status, ': only what has failed can be sent again')
            ELSE {too_many_replays} END, NULL
FROM d WHERE d.status <> 'failed' OR d.erased_at IS NOT NULL OR NOT d.is_one_more
