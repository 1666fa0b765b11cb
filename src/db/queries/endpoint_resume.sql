-- POST /v1/endpoints/ID/resume. $1 its id.
UPDATE {endpoints} p SET paused_at = NULL WHERE p.id = $1::uuid
RETURNING 200, {endpoint}::text
