-- POST /v1/endpoints/ID/disable: its pending deliveries fail. $1 its id, $2 who asks.
UPDATE {endpoints} p
SET disabled_at = COALESCE(p.disabled_at, now()),
    disabled_reason = CASE WHEN p.disabled_at IS NULL THEN concat('disabled by ', $2::text) ELSE p.disabled_reason END
WHERE p.id = $1::uuid
RETURNING 200, {endpoint}::text
