-- webhook_deliveries_dead has its order, and the customer behind it.
DROP INDEX webhook_deliveries_failed;
