-- POST /v1/endpoints/ID/doctor: a worker looks for what is wrong with it. $1 its id, $2 who asks, $3 the token's customer.
WITH asked AS (
    SELECT 'doctor' AS kind
), {endpoint_check}
