-- What an answer says of its points; the last members of it.
'buckets_ms', json_build_array(5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000,
    1800000, NULL),
'data', COALESCE((SELECT json_agg(json_build_object(
    'at', {utc p.at}, 'delivered', p.delivered::text, 'retried', p.retried::text, 'failed', p.failed::text,
    'first_attempt_delay', p.first_attempt_delay, 'attempt_duration', p.attempt_duration,
    'statuses', p.statuses) ORDER BY p.at) FROM points p), '[]')
