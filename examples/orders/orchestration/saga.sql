-- The saga of an order: a state machine. What it may do is a table; what it did is another one.
CREATE TABLE saga_moves (
    from_state text,
    reply text,
    to_state text NOT NULL,
    publish text NOT NULL,                -- the next command, or what became of the order
    PRIMARY KEY (from_state, reply)
);
CREATE TABLE order_sagas (
    order_id uuid PRIMARY KEY REFERENCES orders,
    state text NOT NULL DEFAULT 'placed',
    data jsonb NOT NULL,                  -- what its commands carry
    traceparent text
);
CREATE TABLE saga_steps (
    n bigint GENERATED ALWAYS AS IDENTITY,
    order_id uuid NOT NULL REFERENCES order_sagas,
    reply text NOT NULL,
    cause uuid,                           -- the event that brought the reply
    from_state text NOT NULL,
    to_state text,                        -- NULL: late or unknown, so it was not applied
    published uuid,
    note text,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX ON saga_steps (order_id, n);

-- In the transaction that consumes the reply. Returns the new state, and NULL when there was no such move.
CREATE FUNCTION saga_advance(for_order uuid, reply text, cause uuid, note text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql SET search_path = orders, postrider AS $$
DECLARE
    saga record;
    move record;
    event uuid;
BEGIN
    SELECT s.*, o.customer_id INTO saga FROM order_sagas s JOIN orders o ON o.id = s.order_id
    WHERE s.order_id = for_order FOR UPDATE OF s;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no saga of order %', for_order USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT m.* INTO move FROM saga_moves m WHERE m.from_state = saga.state AND m.reply = $2;
    IF FOUND THEN
        UPDATE order_sagas SET state = move.to_state WHERE order_id = for_order;
        UPDATE orders SET status = move.to_state WHERE id = for_order AND move.to_state IN ('completed', 'cancelled');
        event := postrider_publish(customer => saga.customer_id, type => move.publish, payload => saga.data,
                                   ordering_key => CASE WHEN move.publish LIKE 'order.%' THEN for_order::text END,
                                   correlation_id => for_order, causation_id => cause,
                                   traceparent => saga.traceparent);
    END IF;
    INSERT INTO saga_steps (order_id, reply, cause, from_state, to_state, published, note)
    VALUES (for_order, reply, cause, saga.state, move.to_state, event, note);
    RETURN move.to_state;
END
$$;

-- For an operator, when a saga is stuck and its reason is mended: it goes on where it stopped.
CREATE FUNCTION saga_resolve(for_order uuid, note text) RETURNS text
LANGUAGE sql SET search_path = orders, postrider AS $$
    SELECT saga_advance(for_order, 'operator.resolved',
                        (SELECT published FROM saga_steps WHERE order_id = for_order AND published IS NOT NULL
                         ORDER BY n DESC LIMIT 1), note)
$$;
