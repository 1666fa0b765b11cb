-- POST /v1/endpoints/ID/pause: its deliveries wait. $1 its id.
UPDATE {endpoints} p SET paused_at = COALESCE(p.paused_at, now()) WHERE p.id = $1::uuid
RETURNING 200, {endpoint}::text
