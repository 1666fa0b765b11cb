-- Which deliveries d are meant: $1 customer, $2 a URL, $3 the id of an endpoint, $4 event_type, $5 error, $6 status_code.
($1::uuid IS NULL OR d.customer_id = $1::uuid)
AND ($2::text IS NULL OR d.webhook_url = $2::text)
AND ($3::uuid IS NULL OR d.endpoint_id = $3::uuid
     OR (d.customer_id, d.webhook_url::text)
        = (SELECT customer_id, url::text FROM {endpoints} WHERE id = $3::uuid))
AND ($4::text IS NULL OR d.event_type = $4::text
     OR (right($4::text, 2) = '.*' AND starts_with(d.event_type, left($4::text, -1))))
AND ($5::text IS NULL OR strpos(lower(d.last_error), lower($5::text)) > 0)
AND ($6::int IS NULL OR d.response_status = $6::int)
