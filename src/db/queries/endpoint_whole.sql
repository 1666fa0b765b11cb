-- postrider endpoint set: a row as JSON, with what is the operator's alone; of headers, which may hold credentials,
-- the names. $1 its id.
SELECT {endpoint}::jsonb || jsonb_build_object(
    'headers', ARRAY(SELECT h FROM jsonb_object_keys(p.headers) h ORDER BY h), 'allow', p.allow,
    'client_certificate', p.client_certificate, 'all_customers', p.all_customers)
FROM {endpoints} p WHERE p.id = $1::uuid
FOR UPDATE
