-- {delivery}: a row d of deliveries, as JSON.
json_build_object(
    'id', d.id, 'event_id', d.event_id, 'event_type', d.event_type, 'customer_id', d.customer_id,
    'endpoint_id', d.endpoint_id, 'url', d.webhook_url, 'status', d.status, 'attempts', d.attempts,
    'created_at', {utc d.created_at},
    'next_attempt_at', CASE WHEN d.status = 'pending' THEN {utc d.next_retry_at} END,
    'last_attempt_at', {utc d.last_attempt_at},
    'failed_at', CASE WHEN d.status = 'failed'
        THEN {utc COALESCE(d.given_up_at, d.last_attempt_at, d.created_at)} END,
    'status_code', d.response_status, 'error', d.last_error, 'ordering_key', d.ordering_key,
    'erased_at', {utc d.erased_at})
