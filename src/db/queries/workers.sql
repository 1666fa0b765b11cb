-- GET /v1/workers: those that have a row, and how many lanes have an owner. For the operator's tokens alone.
SELECT json_build_object(
    'data', COALESCE((SELECT json_agg(json_build_object(
        'owner', w.owner, 'host', w.host, 'pid', w.pid, 'version', w.version,
        'started_at', {utc w.started_at}, 'seen_at', {utc w.seen_at},
        'is_late', w.lease_expires_at < now(), 'is_leaving', w.is_leaving,
        'lanes', w.lanes, 'in_flight', w.in_flight, 'waiting', w.waiting, 'unwritten', w.unwritten,
        'delivered', w.delivered::text, 'retried', w.retried::text, 'failed', w.failed::text,
        'rate', w.rate, 'problems', w.problems, 'busy', w.busy, 'defaults', w.defaults) ORDER BY w.owner COLLATE "C")
        FROM (SELECT * FROM webhook_workers ORDER BY owner LIMIT 1000) w), '[]'),
    'lanes', (SELECT json_build_object('owned', count(*) FILTER (WHERE lease_expires_at > now()),
                                       'unowned', count(*) FILTER (WHERE (lease_expires_at > now()) IS NOT TRUE))
              FROM webhook_lanes))
