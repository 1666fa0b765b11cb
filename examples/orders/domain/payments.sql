-- The payment service. ledger is what its bank would say: a row for each time that money has moved.
CREATE TABLE payments (
    order_id uuid PRIMARY KEY,
    card text NOT NULL,
    cents bigint NOT NULL,
    -- void: the refund came before the charge, which is refused from then on (a tombstone).
    status text NOT NULL CHECK (status IN ('charged', 'declined', 'refunded', 'void'))
);
CREATE TABLE ledger (
    order_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('charge', 'refund')),
    cents bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
