-- What an endpoint may take, over the configuration's endpoint.*; NULL = the configuration's value.
ALTER TABLE webhook_endpoints
    ADD COLUMN max_in_flight integer
        CONSTRAINT webhook_endpoints_max_in_flight_check
        CHECK (max_in_flight BETWEEN 1 AND 65536),
    -- Requests per second, 0 = no limit.
    ADD COLUMN rate_limit double precision
        CONSTRAINT webhook_endpoints_rate_limit_check
        CHECK (rate_limit = 0 OR rate_limit BETWEEN 0.001 AND 1000000),
    -- Nothing but failures since then, NULL = it answers. Kept by the worker: set when the breaker
    -- opens, cleared by the first answer.
    ADD COLUMN failing_since timestamptz;
