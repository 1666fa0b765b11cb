-- The saga of the hybrid (orchestration/saga.sql) holds order and money together. In between, the others see to the
-- goods by themselves; the saga waits for how that ends.
INSERT INTO saga_moves (from_state, reply, to_state, publish) VALUES
    ('placed',     'order.created',         'charging',   'payment.charge'),
    ('charging',   'payment.processed',     'fulfilling', 'order.paid'),
    ('fulfilling', 'shipment.scheduled',    'completed',  'order.completed'),  -- the pivot
    -- refused: the money goes back
    ('charging',   'payment.failed',        'cancelled',  'order.cancelled'),
    ('fulfilling', 'stock.refused',         'refunding',  'payment.refund'),
    ('fulfilling', 'stock.released',        'refunding',  'payment.refund'),
    ('refunding',  'payment.refunded',      'cancelled',  'order.cancelled'),
    -- the customer thinks better of it: the charge that is out may come after its refund
    ('charging',   'order.cancel',          'refunding',  'payment.refund'),
    -- a compensation was refused: a person has to look
    ('refunding',  'payment.refund_failed', 'stuck',      'order.stuck'),
    ('stuck',      'operator.resolved',     'refunding',  'payment.refund');
