-- The shipping service.
CREATE TABLE shipments (
    order_id uuid PRIMARY KEY,
    country text NOT NULL,
    status text NOT NULL CHECK (status IN ('scheduled', 'refused'))
);
