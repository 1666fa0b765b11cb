-- postrider endpoint add|set: the columns that are the operator's alone, as far as the body has them. $1 the
-- endpoint's id, $2 the body.
UPDATE {endpoints} p SET
    headers = CASE WHEN g.b ? 'headers' THEN COALESCE(NULLIF(g.b -> 'headers', 'null'), '{}') ELSE p.headers END,
    allow = CASE WHEN NOT g.b ? 'allow' THEN p.allow WHEN jsonb_typeof(g.b -> 'allow') = 'array' THEN ARRAY(
        SELECT a FROM jsonb_array_elements_text(g.b -> 'allow') WITH ORDINALITY AS s (a, n) ORDER BY n) END,
    client_certificate = CASE WHEN g.b ? 'client_certificate' THEN g.b ->> 'client_certificate'
        ELSE p.client_certificate END,
    all_customers = CASE WHEN g.b ? 'all_customers' THEN COALESCE((g.b ->> 'all_customers')::boolean, false)
        ELSE p.all_customers END
FROM (SELECT $2::jsonb) AS g (b)
WHERE p.id = $1::uuid
RETURNING 200
