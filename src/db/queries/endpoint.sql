-- GET /v1/endpoints/ID. $1 its id.
SELECT {endpoint} FROM {endpoints} p WHERE p.id = $1::uuid
