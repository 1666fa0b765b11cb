-- postrider: outside of a transaction
-- What 0014_events.sql makes on a small table; here on one of any size, while others write to it. An index that is
-- there is not made again. Each stands as pg_get_indexdef() would write it, so that one of somebody else's with the
-- same name is told from ours (src/db/migrate_beside.h).
CREATE UNIQUE INDEX CONCURRENTLY webhook_deliveries_event ON webhook_deliveries USING btree (event_id, endpoint_id) WHERE (endpoint_id IS NOT NULL);
CREATE INDEX CONCURRENTLY webhook_deliveries_ordering ON webhook_deliveries USING btree (endpoint_id, ordering_key, (((status)::text = 'pending'::text)), ordering_sequence) WHERE (ordering_key IS NOT NULL);
