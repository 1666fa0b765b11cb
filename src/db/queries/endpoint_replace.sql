-- PUT /v1/endpoints/ID: what is not in the body becomes the configuration's. $1 its id, $2 the body.
WITH given AS (
    SELECT {endpoint_members},
        (b ->> 'customer_id')::uuid AS customer_id
    FROM (SELECT $2::jsonb) AS g (b)
), changed AS (
    UPDATE {endpoints} p SET ({endpoint_writable})
         = (SELECT {endpoint_writable} FROM given)
    WHERE p.id = $1::uuid AND p.customer_id = COALESCE((SELECT g.customer_id FROM given g), p.customer_id)
    RETURNING {endpoint} AS body
)
SELECT 200, body::text FROM changed
UNION ALL
SELECT 422, 'customer_id is another one; an endpoint stays with its customer'
FROM {endpoints} p WHERE p.id = $1::uuid AND NOT EXISTS (SELECT FROM changed)
