-- The e-mail service: what was handed to the mail server. Nothing here keeps a mail from being written twice but that
-- each event is applied once.
CREATE TABLE sent (
    order_id uuid NOT NULL,
    kind text NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
