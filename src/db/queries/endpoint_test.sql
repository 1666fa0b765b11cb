-- POST /v1/endpoints/ID/test: a worker sends it one signed test event. $1 its id, $2 who asks, $3 the token's customer.
WITH asked AS (
    SELECT 'test' AS kind
), {endpoint_check}
