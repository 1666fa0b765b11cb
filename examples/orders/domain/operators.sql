-- The operators' desk: alerts of Postrider, as they came.
CREATE TABLE alerts (
    alert_id uuid NOT NULL,
    type text NOT NULL,
    summary text NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
