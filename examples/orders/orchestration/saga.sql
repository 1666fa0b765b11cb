-- The saga of an order: a state machine. What it may do is a table; what it did is another one.
CREATE TABLE saga_moves (
    from_state text,
    reply text,
    to_state text NOT NULL,
    publish text NOT NULL,                -- the next command, or what became of the order
    PRIMARY KEY (from_state, reply)
);
-- How long a state may wait for its reply. Hours, in earnest; here one wants to see it. A state that is not here waits
-- for nobody, or for a person.
CREATE TABLE saga_deadlines (state text PRIMARY KEY, within interval NOT NULL);
INSERT INTO saga_deadlines
SELECT unnest('{charging,reserving,shipping,dispatching,fulfilling,releasing,refunding}'::text[]), '20 s';
CREATE TABLE order_sagas (
    order_id uuid PRIMARY KEY REFERENCES orders,
    state text NOT NULL DEFAULT 'placed',
    data jsonb NOT NULL,                  -- what its commands carry
    traceparent text,
    command text,                         -- what was published last: the reply to it is waited for
    asked int NOT NULL DEFAULT 0,         -- how often it was
    due_at timestamptz,                   -- the deadline; NULL: there is none
    is_overdue boolean NOT NULL DEFAULT false  -- asked often enough: a person has to look
);
CREATE INDEX ON order_sagas (due_at);
CREATE TABLE saga_steps (
    n bigint GENERATED ALWAYS AS IDENTITY,
    order_id uuid NOT NULL REFERENCES order_sagas,
    reply text NOT NULL,
    cause uuid,                           -- the event that brought the reply
    from_state text NOT NULL,
    to_state text,                        -- NULL: late or unknown, so it was not applied; the same: asked again
    published uuid,
    note text,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX ON saga_steps (order_id, n);

CREATE FUNCTION saga_publish(saga order_sagas, event_type text, cause uuid) RETURNS uuid
LANGUAGE sql SET search_path = orders, postrider AS $$
    SELECT postrider_publish(customer => o.customer_id, type => event_type, payload => saga.data,
                             ordering_key => CASE WHEN event_type LIKE 'order.%' THEN o.id::text END,
                             correlation_id => o.id, causation_id => cause, traceparent => saga.traceparent)
    FROM orders o WHERE o.id = saga.order_id
$$;

-- In the transaction that consumes the reply. Returns the new state, and NULL when there was no such move.
CREATE FUNCTION saga_advance(for_order uuid, reply text, cause uuid, note text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql SET search_path = orders, postrider AS $$
DECLARE
    saga order_sagas;
    move saga_moves;
    event uuid;
BEGIN
    SELECT s.* INTO saga FROM order_sagas s WHERE s.order_id = for_order FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no saga of order %', for_order USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT m.* INTO move FROM saga_moves m WHERE m.from_state = saga.state AND m.reply = $2;
    IF FOUND THEN
        UPDATE order_sagas SET state = move.to_state, command = move.publish, asked = 1, is_overdue = false,
            due_at = now() + (SELECT within FROM saga_deadlines d WHERE d.state = move.to_state)
        WHERE order_id = for_order;
        UPDATE orders SET status = move.to_state WHERE id = for_order AND move.to_state IN ('completed', 'cancelled');
        event := saga_publish(saga, move.publish, cause);
    END IF;
    INSERT INTO saga_steps (order_id, reply, cause, from_state, to_state, published, note)
    VALUES (for_order, reply, cause, saga.state, move.to_state, event, note);
    RETURN move.to_state;
END
$$;

-- No reply says nothing: a payment may have been made, and only a refusal is undone. So the state stays, and the
-- command is given again, which does no harm: each service says once more what it said then. After the third time a
-- person has to look (order.overdue); a reply that comes after all is applied as ever.
CREATE FUNCTION saga_ask(saga order_sagas, note text) RETURNS void
LANGUAGE plpgsql SET search_path = orders, postrider AS $$
DECLARE
    is_last CONSTANT boolean := saga.asked >= 3;
    last uuid := (SELECT published FROM saga_steps s WHERE s.order_id = saga.order_id AND published IS NOT NULL
                  ORDER BY n DESC LIMIT 1);
BEGIN
    UPDATE order_sagas s SET asked = s.asked + 1, is_overdue = is_last, due_at = CASE WHEN NOT is_last THEN
        now() + (SELECT within FROM saga_deadlines d WHERE d.state = s.state) * 2 ^ saga.asked END
    WHERE s.order_id = saga.order_id;
    INSERT INTO saga_steps (order_id, reply, cause, from_state, to_state, published, note)
    VALUES (saga.order_id, 'deadline.passed', last, saga.state, saga.state,
            saga_publish(saga, CASE WHEN is_last THEN 'order.overdue' ELSE saga.command END, last), note);
END
$$;

-- By the order service, every second; several of them don't wait for each other.
CREATE FUNCTION saga_sweep() RETURNS bigint
LANGUAGE sql SET search_path = orders, postrider AS $$
    WITH due AS MATERIALIZED (
        SELECT s FROM order_sagas s WHERE due_at < now() ORDER BY due_at LIMIT 100 FOR UPDATE SKIP LOCKED
    ), asked AS MATERIALIZED (SELECT saga_ask(s, format('no reply to %s', (s).command)) FROM due)
    SELECT count(*) FROM asked
$$;

-- For an operator, when a saga is stuck or overdue and its reason is mended: it goes on where it stopped. Who has found
-- out what became of a command gives that as the reply: saga_advance(ID, 'payment.failed', NULL, 'how you know').
CREATE FUNCTION saga_resolve(for_order uuid, note text) RETURNS text
LANGUAGE plpgsql SET search_path = orders, postrider AS $$
DECLARE
    saga order_sagas;
BEGIN
    SELECT s.* INTO saga FROM order_sagas s WHERE s.order_id = for_order FOR UPDATE;
    IF NOT saga.is_overdue THEN
        RETURN saga_advance(for_order, 'operator.resolved', (SELECT published FROM saga_steps WHERE order_id = for_order
                                                             AND published IS NOT NULL ORDER BY n DESC LIMIT 1), note);
    END IF;
    saga.asked := 0;
    UPDATE order_sagas SET asked = 0 WHERE order_id = for_order;
    PERFORM saga_ask(saga, note);
    RETURN saga.state;
END
$$;
