-- What a customer sees of all this, and what it may write: views, each bound to the customer of the setting
-- postrider.customer. "postrider migrate --grant-customers ROLE" gives a role these and nothing else, and "postrider
-- serve" asks for a customer as that role. Without the setting, or with one that is no UUID, each statement fails.
--
-- security_barrier: what somebody asks for is not tried on rows of others first, where an error could show them. Only
-- leakproof operators on plain columns are tried early, and so only they find an index: = and < of uuid, text, numbers
-- and times. The planner does not carry an ORDER BY into such a view, so the views have the one of their lists.
-- check_option: what is written must be seen afterwards. It is looked at behind the unique indexes, too late to keep
-- secret what is there; so webhook_customer_inserted() looks before them.

-- Why a delivery failed, without what is the operator's own: addresses that a name has inside, proxies, roles, keys and
-- what is to be done about them. In the order of their reach.
CREATE FUNCTION webhook_customer_error(error text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE
        WHEN $1 OPERATOR(pg_catalog.~) 'network\.allow' THEN 'not sent: its address is not a public one'
        WHEN $1 OPERATOR(pg_catalog.~) '^given up by the role' THEN 'given up by the operator'
        WHEN $1 OPERATOR(pg_catalog.~) '^not sent: .*(no signing secret|secrets can''t be|signing\.)'
            THEN 'not sent: there is no signing secret that can be used'
        WHEN $1 OPERATOR(pg_catalog.~) 'webhook_endpoints|client_certificate|network\.'
            THEN 'not sent: the operator''s settings for it cannot be used'
        WHEN $1 OPERATOR(pg_catalog.~) '(the|resolve) proxy' THEN 'the receiver was not reached'
        ELSE pg_catalog.regexp_replace($1,
            '\[[0-9A-Fa-f:.%]+\](:[0-9]+)?|\m[0-9]{1,3}(\.[0-9]{1,3}){3}\M(:[0-9]+)?'
            '|(?<![[:alnum:]:])[0-9A-Fa-f:]*::[0-9A-Fa-f:.]*(?![[:alnum:]])'
            '|\m([0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}\M', 'its address', 'g')
    END
$$;

-- Lists that views give: endpoints by their ids, and what an endpoint is to hear of in the order of commits. Dead letters
-- have the customer behind their order, so that those of others are passed over within the index: rows that do not die
-- pay nothing for that. A small table is indexed here; a large one by the next migration, beside those who write.
DO $$
BEGIN
    IF pg_relation_size('webhook_deliveries') < 8 * 1024 * 1024 THEN
        CREATE INDEX webhook_deliveries_dead ON webhook_deliveries (created_at, id, customer_id)
            WHERE status = 'failed';
    END IF;
    IF pg_relation_size('webhook_endpoints') < 8 * 1024 * 1024 THEN
        CREATE INDEX webhook_endpoints_customer ON webhook_endpoints (customer_id, id);
    END IF;
    IF pg_relation_size('webhook_events') < 8 * 1024 * 1024 THEN
        CREATE INDEX webhook_events_feed ON webhook_events (customer_id, transaction_id, id);
        CREATE INDEX webhook_events_transaction ON webhook_events (transaction_id, id);
    END IF;
END
$$;

CREATE VIEW webhook_customer_events WITH (security_barrier = true, check_option = cascaded) AS
    SELECT e.id, e.customer_id, e.event_type, e.payload, e.idempotency_key, e.ordering_key, e.correlation_id,
           e.causation_id, e.traceparent, e.deliver_after, e.transaction_id, e.created_at, e.erased_at
    FROM webhook_events e
    WHERE e.customer_id = (SELECT current_setting('postrider.customer')::uuid)
    ORDER BY e.created_at DESC, e.id DESC;

-- One that was made for an event is the customer's when the event is, too: an internal service that hears of all
-- customers (all_customers) has deliveries of its own customer's with events of others, whatever has become of it
-- since. Those of an event that is not there are nobody's. Subqueries that give one value, since EXISTS could become a
-- hash of the whole table. url_hash is what pending ones of a URL are found by, and an endpoint by its URL.
-- ordering_head is the first of its ordering key that has not ended, ordering_dead a dead letter just before it: not
-- their numbers, which count what all customers publish.
CREATE VIEW webhook_customer_deliveries WITH (security_barrier = true, check_option = cascaded) AS
    SELECT d.id, d.event_id, d.endpoint_id, d.customer_id, d.webhook_url, d.event_type, d.payload, d.status,
           d.attempts, d.last_attempt_at, d.next_retry_at, d.created_at, d.response_status,
           webhook_customer_error(d.last_error::text)::varchar AS last_error, d.given_up_at, d.ordering_key,
           d.erased_at, hashtextextended(d.webhook_url, 0) AS url_hash,
           CASE WHEN d.ordering_key IS NOT NULL AND d.status = 'pending' THEN (
               SELECT h.id FROM webhook_deliveries h
               WHERE h.endpoint_id = d.endpoint_id AND h.ordering_key = d.ordering_key
                 AND (h.status = 'pending') >= true -- by the key's index: 0027_ordering_plans.sql
               ORDER BY (h.status = 'pending'), h.ordering_sequence LIMIT 1) END AS ordering_head,
           CASE WHEN d.ordering_key IS NOT NULL AND d.status = 'pending' THEN (
               SELECT CASE WHEN w.status = 'failed' THEN w.id END FROM webhook_deliveries w
               WHERE w.endpoint_id = d.endpoint_id AND w.ordering_key = d.ordering_key
                 AND (w.status = 'pending') IS FALSE AND w.ordering_sequence < d.ordering_sequence
               ORDER BY w.ordering_sequence DESC LIMIT 1) END AS ordering_dead
    FROM webhook_deliveries d
    WHERE d.customer_id = (SELECT current_setting('postrider.customer')::uuid)
      AND (d.endpoint_id IS NULL
           OR (d.customer_id = (SELECT e.customer_id FROM webhook_events e WHERE e.id = d.event_id)
               AND (SELECT p.all_customers FROM webhook_endpoints p WHERE p.id = d.endpoint_id) IS NOT TRUE))
    ORDER BY d.created_at DESC, d.id DESC;

-- Those that the operator lets through the border, or that hear of every customer, are the operator's: a customer can
-- neither see nor change them, nor make one.
CREATE VIEW webhook_customer_endpoints WITH (security_barrier = true, check_option = cascaded) AS
    SELECT p.id, p.customer_id, p.url, p.timeout, p.retry_max_attempts, p.retry_initial_delay, p.retry_multiplier,
           p.retry_max_delay, p.retry_jitter, p.retry_schedule, p.disabled_at, p.disabled_reason, p.created_at,
           p.max_in_flight, p.rate_limit, p.failing_since, p.noted_at, p.event_types, p.filter, p.ordering, p.paused_at,
           hashtextextended(p.url, 0) AS url_hash
    FROM webhook_endpoints p
    WHERE p.customer_id = (SELECT current_setting('postrider.customer')::uuid)
      AND p.allow IS NULL AND p.client_certificate IS NULL AND NOT p.all_customers
    ORDER BY p.id;

CREATE VIEW webhook_customer_attempts WITH (security_barrier = true, check_option = cascaded) AS
    SELECT a.id, a.delivery_id, a.attempt, a.started_at, a.duration_ms, a.response_status,
           webhook_customer_error(a.error::text)::varchar AS error, a.response_body
    FROM webhook_attempts a
    WHERE (SELECT d.customer_id = (SELECT current_setting('postrider.customer')::uuid)
                  AND (d.endpoint_id IS NULL
                       OR (d.customer_id = (SELECT e.customer_id FROM webhook_events e WHERE e.id = d.event_id)
                           AND (SELECT p.all_customers FROM webhook_endpoints p WHERE p.id = d.endpoint_id)
                               IS NOT TRUE))
           FROM webhook_deliveries d WHERE d.id = a.delivery_id);

-- Not position, which names the last row that was looked at, whosever it is.
CREATE VIEW webhook_customer_replays WITH (security_barrier = true, check_option = cascaded) AS
    SELECT r.id, r.kind, r.customer_id, r.filter, r.rate, r.requested_by, r.requested_at, r.started_at, r.due_at,
           r.pass, r.total, r.done, r.skipped, r.skipped_count, r.waiting_count, r.stopped_at, r.finished_at, r.error
    FROM webhook_replays r
    WHERE r.customer_id = (SELECT current_setting('postrider.customer')::uuid)
      AND r.kind IN ('replay', 'recover')
    ORDER BY r.requested_at DESC, r.id DESC;

-- Refuses another customer's row before a unique index could tell that there is one like it. Whoever may write to the
-- table itself, or was not given the view, is somebody else and goes on.
CREATE FUNCTION webhook_customer_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    seen CONSTANT regclass := pg_catalog.to_regclass(pg_catalog.format('%I.%I', TG_TABLE_SCHEMA,
        pg_catalog.replace(TG_TABLE_NAME, 'webhook_', 'webhook_customer_')));
    customer CONSTANT uuid := NULLIF(pg_catalog.current_setting('postrider.customer', true), '')::uuid;
BEGIN
    IF COALESCE(NEW.customer_id OPERATOR(pg_catalog.=) customer, false) THEN
        RETURN NEW;
    END IF;
    IF pg_catalog.has_any_column_privilege(current_user::name, seen::oid, 'INSERT')
       AND NOT pg_catalog.has_column_privilege(current_user::name, TG_RELID, 'customer_id', 'INSERT') THEN
        RAISE EXCEPTION 'the role "%" may not write for customer %', current_user, NEW.customer_id
            USING ERRCODE = 'with_check_option_violation', HINT = 'postrider.customer says for whom it may';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER webhook_endpoints_inserted BEFORE INSERT ON webhook_endpoints
    FOR EACH ROW EXECUTE FUNCTION webhook_customer_inserted();
CREATE TRIGGER webhook_replays_inserted BEFORE INSERT ON webhook_replays
    FOR EACH ROW EXECUTE FUNCTION webhook_customer_inserted();

-- As it was (0020_serve.sql), and for the role of customers, which is told by the view that it may write to. The view
-- hides such endpoints from it, but may be made anew by somebody one day.
CREATE OR REPLACE FUNCTION webhook_endpoints_protected() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT pg_catalog.has_column_privilege(current_user::name, TG_RELID, 'allow', 'UPDATE')
       AND (pg_catalog.has_table_privilege(
                current_user::name, pg_catalog.format('%I.idempotency_keys', TG_TABLE_SCHEMA), 'INSERT')
            OR pg_catalog.has_any_column_privilege(
                current_user::name,
                pg_catalog.to_regclass(pg_catalog.format('%I.webhook_customer_endpoints', TG_TABLE_SCHEMA))::oid,
                'UPDATE')) THEN
        RAISE EXCEPTION 'the role "%" may not change endpoint %: it has allow, client_certificate or all_customers',
                        current_user, OLD.id
            USING ERRCODE = 'insufficient_privilege', HINT = 'let the operator''s role do it';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$$;
