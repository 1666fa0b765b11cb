-- postrider: outside of a transaction
-- What 0022_customers.sql makes on small tables; here on those of any size, as 0015_event_indexes.sql.
CREATE INDEX CONCURRENTLY webhook_deliveries_dead ON webhook_deliveries USING btree (created_at, id, customer_id) WHERE ((status)::text = 'failed'::text);
CREATE INDEX CONCURRENTLY webhook_endpoints_customer ON webhook_endpoints USING btree (customer_id, id);
CREATE INDEX CONCURRENTLY webhook_events_feed ON webhook_events USING btree (customer_id, transaction_id, id);
CREATE INDEX CONCURRENTLY webhook_events_transaction ON webhook_events USING btree (transaction_id, id);
