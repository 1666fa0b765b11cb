-- DELETE /v1/endpoints/ID: what was made for it fails. $1 its id. The answer is what it was.
DELETE FROM {endpoints} p WHERE p.id = $1::uuid
RETURNING 200, {endpoint}::text
