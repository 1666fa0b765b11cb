-- Every legal move. What is not here is recorded, and not applied. Compensation goes backwards: what was done last is
-- undone first. shipping is the pivot: when it has said yes there is no way back, and what follows is tried until it
-- is done.
INSERT INTO saga_moves (from_state, reply, to_state, publish) VALUES
    ('placed',      'order.created',         'charging',    'payment.charge'),
    ('charging',    'payment.processed',     'reserving',   'inventory.reserve'),
    ('reserving',   'stock.updated',         'shipping',    'shipping.schedule'),
    ('shipping',    'shipment.scheduled',    'dispatching', 'inventory.dispatch'),  -- the pivot
    ('dispatching', 'stock.dispatched',      'completed',   'order.completed'),
    -- refused: the way back
    ('charging',    'payment.failed',        'cancelled',   'order.cancelled'),
    ('reserving',   'stock.refused',         'refunding',   'payment.refund'),
    ('shipping',    'shipment.refused',      'releasing',   'inventory.release'),
    ('releasing',   'stock.released',        'refunding',   'payment.refund'),
    ('refunding',   'payment.refunded',      'cancelled',   'order.cancelled'),
    -- the customer thinks better of it: the command that is out may come after its compensation
    ('charging',    'order.cancel',          'refunding',   'payment.refund'),
    ('reserving',   'order.cancel',          'releasing',   'inventory.release'),
    -- a compensation was refused: a person has to look
    ('refunding',   'payment.refund_failed', 'stuck',       'order.stuck'),
    ('stuck',       'operator.resolved',     'refunding',   'payment.refund');
