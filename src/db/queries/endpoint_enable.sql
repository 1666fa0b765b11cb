-- POST /v1/endpoints/ID/enable. $1 its id.
UPDATE {endpoints} p SET disabled_at = NULL, disabled_reason = NULL WHERE p.id = $1::uuid
RETURNING 200, {endpoint}::text
