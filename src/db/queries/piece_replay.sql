-- {replay}: a row r of replays, as JSON.
json_build_object(
    'id', r.id, 'kind', r.kind, 'customer_id', r.customer_id, 'filter', r.filter, 'rate', r.rate,
    'requested_by', r.requested_by, 'requested_at', {utc r.requested_at}, 'started_at', {utc r.started_at},
    'stopped_at', {utc r.stopped_at}, 'finished_at', {utc r.finished_at}, 'error', r.error,
    'total', r.total::text, 'done', r.done::text, 'pass', r.pass, 'skipped', r.skipped,
    'skipped_count', r.skipped_count::text, 'result', r.result)
