-- The order service: what was ordered, and whether it is done with.
CREATE TABLE prices (item text PRIMARY KEY, cents bigint NOT NULL);
INSERT INTO prices VALUES ('teapot', 2490), ('lamp', 3999), ('rug', 12950), ('unicorn', 9990);

-- 'pending' is a lock that others can see (a semantic lock): somebody is still at work on this order.
CREATE TABLE orders (
    id uuid PRIMARY KEY,
    customer_id uuid NOT NULL,
    item text NOT NULL REFERENCES prices,
    quantity int NOT NULL CHECK (quantity > 0),
    cents bigint NOT NULL,
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'completed', 'cancelled')),
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON orders (id) WHERE status = 'pending';

-- What a key of POST /orders was answered with.
CREATE TABLE idempotency_keys (
    key text PRIMARY KEY,
    fingerprint text NOT NULL,
    answer jsonb
);
