-- {backlog}: what waits for a row p of endpoints, as further members of its JSON. Counted to 1,000.
(SELECT json_build_object(
    'backlog', json_build_object('count', LEAST(count(*), 1000), 'is_at_least', count(*) > 1000),
    'oldest_due_at', CASE WHEN min(w.next_retry_at) <= now() THEN {utc min(w.next_retry_at)} END)
 FROM (SELECT d.next_retry_at FROM {deliveries} d
       WHERE d.status = 'pending' AND {url_hash} = hashtextextended(p.url, 0)
         AND d.customer_id = p.customer_id AND d.webhook_url = p.url
       ORDER BY d.next_retry_at, d.id LIMIT 1001) w)
