-- One row for each running worker, renewed together with its lanes: who is alive, so that the lanes
-- can be shared, and what "postrider status" shows. A worker deletes its row when it stops; one that
-- died is deleted by the others.
CREATE TABLE webhook_workers (
    owner varchar PRIMARY KEY, -- as in webhook_lanes: host, process, a random number
    host varchar NOT NULL,
    pid integer NOT NULL,
    version varchar NOT NULL,
    turn bigint NOT NULL, -- of its last request: one that comes late does nothing
    started_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    lease_expires_at timestamptz NOT NULL,
    is_leaving boolean NOT NULL DEFAULT false, -- it stops, and hands its lanes over
    lanes integer NOT NULL DEFAULT 0,
    in_flight integer NOT NULL DEFAULT 0,
    waiting integer NOT NULL DEFAULT 0,
    unwritten integer NOT NULL DEFAULT 0,
    delivered bigint NOT NULL DEFAULT 0, -- since its start, as the next two
    retried bigint NOT NULL DEFAULT 0,
    failed bigint NOT NULL DEFAULT 0,
    rate double precision NOT NULL DEFAULT 0, -- deliveries a second, lately
    problems jsonb NOT NULL DEFAULT '[]'
        CONSTRAINT webhook_workers_problems_check CHECK (jsonb_typeof(problems) = 'array')
) WITH (fillfactor = 50);
