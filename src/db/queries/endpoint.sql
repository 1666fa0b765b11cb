-- GET /v1/endpoints/ID. $1 its id.
SELECT (left({endpoint}::text, -1) || ',' || substr({backlog}::text, 2))::json FROM {endpoints} p WHERE p.id = $1::uuid
