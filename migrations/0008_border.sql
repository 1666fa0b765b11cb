-- What one endpoint may do at the network's border that others may not. Whoever may write these
-- columns decides where requests go: give them to the operator's role, not to the application's.
ALTER TABLE webhook_endpoints
    -- Ranges exempt from the address check, beside network.allow and in its syntax: '10.1.0.0/16',
    -- 'fd00::/8', '10.1.2.3:8080', '[fd00::1]:8080'. The worker reads them exactly; what the check
    -- lets through and the worker can't read, stops this endpoint's deliveries and opens nothing.
    ADD COLUMN allow text[]
        CONSTRAINT webhook_endpoints_allow_check
        CHECK (cardinality(allow) <= 64
               AND coalesce(array_ndims(allow), 1) = 1
               AND array_position(allow, NULL) IS NULL
               AND array_to_string(allow, E'\n')
                   ~ '^((\[[0-9A-Fa-f:.]+\]:[0-9]{1,5}|[0-9A-Fa-f:.]+(/[0-9]{1,3})?(:[0-9]{1,5})?)(\n|$))*$'),
    -- The NAME of NAME.pem in the directory network.client_certificates, to be shown to this
    -- receiver alone. The key itself is never in the database.
    ADD COLUMN client_certificate varchar
        CONSTRAINT webhook_endpoints_client_certificate_check
        CHECK (client_certificate ~ '^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$');
