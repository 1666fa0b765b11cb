-- Reads the table through, beside inserts and deliveries: hence a migration, and a transaction, of
-- its own. It waits for nobody but another change of the table.
ALTER TABLE webhook_deliveries VALIDATE CONSTRAINT webhook_deliveries_status_check;
