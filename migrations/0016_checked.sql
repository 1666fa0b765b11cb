-- Reads the table through, beside inserts and deliveries: hence a migration, and a transaction, of its own, as
-- 0006_status.sql.
ALTER TABLE webhook_deliveries VALIDATE CONSTRAINT webhook_deliveries_status_check;
