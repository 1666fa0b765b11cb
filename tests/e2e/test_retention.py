"""Old rows are deleted: what is finished and past its time, and nothing else."""


def insert_old(database, name, status, days, **columns):
    columns = {"last_attempt_at": None, **columns}
    delivery = database.insert_delivery(f"http://127.0.0.1:9/{name}", status=status,
                                        event_type=name, **columns)
    database.execute("UPDATE webhook_deliveries SET created_at = now() - interval '1 day' * %s"
                     " WHERE id = %s", days, delivery)


def names(database):
    return {row["event_type"] for row in database.rows()}


def test_old_rows_are_deleted(service, migrated_database):
    later = {"next_retry_at": "infinity"}
    insert_old(migrated_database, "old delivered", "delivered", 8)
    insert_old(migrated_database, "new delivered", "delivered", 6)
    insert_old(migrated_database, "old failed", "failed", 31)
    insert_old(migrated_database, "new failed", "failed", 29)
    insert_old(migrated_database, "old pending", "pending", 400, **later)
    insert_old(migrated_database, "old but delivered today", "delivered", 40,
               last_attempt_at="now")
    insert_old(migrated_database, "old but failed today", "failed", 40, last_attempt_at="now")
    service(migrated_database)
    migrated_database.wait_for(lambda db: not names(db) & {"old delivered", "old failed"})
    assert names(migrated_database) == {"new delivered", "new failed", "old pending",
                                        "old but delivered today", "old but failed today"}


def test_times_are_configurable_and_0_keeps_all(service, migrated_database):
    insert_old(migrated_database, "delivered", "delivered", 2)
    insert_old(migrated_database, "failed", "failed", 4000)
    service(migrated_database, {"retention": {"delivered": "1d", "failed": "0"}})
    migrated_database.wait_for(lambda db: names(db) == {"failed"})


def test_attempts_are_deleted_with_the_longer_time(service, migrated_database):
    migrated_database.execute(
        "INSERT INTO webhook_attempts (delivery_id, attempt, started_at, duration_ms)"
        " SELECT gen_random_uuid(), days, now() - interval '1 day' * days, 1"
        " FROM unnest(ARRAY[1, 20, 29, 31, 90]) days")
    service(migrated_database)
    migrated_database.wait_for(lambda db: [row["attempt"] for row in db.query(
        "SELECT attempt FROM webhook_attempts ORDER BY 1")] == [1, 20, 29])


def test_many_old_rows_are_deleted_in_batches_beside_the_work(service, migrated_database,
                                                              receiver):
    server = receiver()
    migrated_database.execute(
        "INSERT INTO webhook_deliveries (event_id, customer_id, webhook_url, payload, status,"
        " created_at) SELECT gen_random_uuid(), %s, 'http://127.0.0.1:9/', '1', 'delivered',"
        " now() - interval '10 days' FROM generate_series(1, 4000)", migrated_database.customer)
    service(migrated_database)
    for _ in range(5):
        delivery = migrated_database.insert_delivery(server.url())
        migrated_database.wait_for_status(delivery, "delivered")
    migrated_database.wait_for(lambda db: db.counts() == {"delivered": 5})
