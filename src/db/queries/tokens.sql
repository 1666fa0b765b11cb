-- GET /v1/tokens: who may ask; never their hashes. The valid ones first. For the operator's tokens alone.
SELECT json_build_object(
    'at', {utc now()},
    'data', COALESCE((SELECT json_agg(json_build_object(
        'id', t.id, 'name', t.name, 'scopes', t.scopes, 'customer_id', t.customer_id,
        'is_valid', t.is_valid, 'created_at', {utc t.created_at}, 'not_after', {utc t.not_after},
        'last_used_on', t.last_used_on, 'publish_rate', t.publish_rate,
        'previous_until', CASE WHEN t.is_valid AND t.previous_not_after > now() THEN {utc t.previous_not_after} END)
        ORDER BY t.is_valid DESC, t.name COLLATE "C")
        FROM (SELECT *, (not_after IS NULL OR not_after > now()) AS is_valid FROM webhook_tokens
              ORDER BY is_valid DESC, name LIMIT 1000) t), '[]'),
    'is_more', (SELECT count(*) > 1000 FROM (SELECT FROM webhook_tokens LIMIT 1001) m))
