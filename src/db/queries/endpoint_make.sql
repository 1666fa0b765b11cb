-- POST /v1/endpoints. $1 the body, which serve/endpoint_request.h has found good, $2 the token's customer.
WITH given AS (
    SELECT {endpoint_members},
        (b ->> 'customer_id')::uuid AS customer_id
    FROM (SELECT $1::jsonb) AS g (b)
), made AS (
    INSERT INTO {endpoints} AS p (customer_id, {endpoint_writable})
    SELECT COALESCE(g.customer_id, $2::uuid), {endpoint_writable}
    FROM given g WHERE COALESCE(g.customer_id, $2::uuid) IS NOT NULL
    RETURNING p.id, {endpoint} AS body
)
SELECT 201, body::text, concat('/v1/endpoints/', id) FROM made
UNION ALL
SELECT 422, 'customer_id is missing', NULL FROM given g WHERE COALESCE(g.customer_id, $2::uuid) IS NULL
