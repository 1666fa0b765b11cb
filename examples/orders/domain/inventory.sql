-- The inventory service. There are no unicorns.
CREATE TABLE stock (item text PRIMARY KEY, bought int NOT NULL, on_shelf int NOT NULL CHECK (on_shelf >= 0));
INSERT INTO stock VALUES ('teapot', 100000, 100000), ('lamp', 100000, 100000), ('rug', 100000, 100000),
                         ('unicorn', 0, 0);
CREATE TABLE reservations (
    order_id uuid PRIMARY KEY,
    item text NOT NULL,
    quantity int NOT NULL,
    -- void: the release came before the reservation, which is refused from then on (a tombstone).
    status text NOT NULL CHECK (status IN ('reserved', 'refused', 'released', 'void', 'sent'))
);
