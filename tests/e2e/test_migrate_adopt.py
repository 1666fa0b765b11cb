# SPDX-License-Identifier: MIT
"""postrider migrate --adopt: a webhook_deliveries table that was there before, with rows in it."""
import datetime
import uuid

import psycopg2
import pytest

from harness import postrider
from harness.catalog import dump, run_sql, shape

CUSTOMERS = "CREATE TABLE customers(id UUID PRIMARY KEY, name VARCHAR);"
# The table and the index of the article, to the letter.
ARTICLE = CUSTOMERS + """
CREATE TABLE webhook_deliveries(id UUID PRIMARY KEY, event_id UUID NOT NULL, customer_id UUID NOT NULL, webhook_url VARCHAR NOT NULL, payload JSONB NOT NULL, status VARCHAR DEFAULT 'pending', attempts INT DEFAULT 0, last_attempt_at TIMESTAMP, next_retry_at TIMESTAMP, created_at TIMESTAMP, FOREIGN KEY (customer_id) REFERENCES customers(id));
CREATE INDEX idx_status_retry ON webhook_deliveries(status, next_retry_at) WHERE status = 'pending';
"""
# The article's columns with every name that can be given, so that a test can change a part.
TABLE = """
CREATE TABLE webhook_deliveries(id uuid PRIMARY KEY, event_id uuid NOT NULL,
    customer_id uuid NOT NULL REFERENCES customers (id), webhook_url varchar NOT NULL,
    payload jsonb NOT NULL, status varchar DEFAULT 'pending', attempts int DEFAULT 0,
    last_attempt_at timestamp, next_retry_at timestamp, created_at timestamp);
"""
CUSTOMER = "00000000-0000-0000-0000-00000000000c"
OLD_INSERT = """
INSERT INTO webhook_deliveries (id, event_id, customer_id, webhook_url, payload, status, attempts,
                                last_attempt_at, next_retry_at, created_at)
VALUES (%s, gen_random_uuid(), '00000000-0000-0000-0000-00000000000c', 'https://example.com/hook',
        '{"a": [1, "ü"]}', %s, %s, %s, %s, %s)"""
SUMMER = datetime.datetime(2024, 7, 1, 12, 0, 0)
WINTER = datetime.datetime(2024, 1, 1, 12, 0, 0, 123456)
UTC = datetime.timezone.utc
# status, attempts, last_attempt_at, next_retry_at, created_at
OLD_ROWS = [
    ("pending", 0, None, None, None),
    ("pending", 2, WINTER, WINTER, SUMMER),
    ("pending", 1, None, datetime.datetime(2099, 7, 1, 12), SUMMER),
    ("delivered", 1, SUMMER, None, WINTER),
    ("delivered", None, None, SUMMER, None),
    ("failed", 20, SUMMER, SUMMER, SUMMER),
    (None, None, None, None, None),
]


@pytest.fixture
def migrate(database, config_file, run_postrider):
    def run(*arguments):
        return run_postrider("migrate", "-c", config_file(database), *arguments)
    return run


def fill(database, rows=OLD_ROWS):
    """Inserts rows as the article's producer would; returns their ids in that order."""
    database.execute("INSERT INTO customers (id) VALUES (%s)", CUSTOMER)
    ids = [str(uuid.UUID(int=number + 1)) for number in range(len(rows))]
    for id, row in zip(ids, rows):
        database.execute(OLD_INSERT, id, *row)
    return ids


@pytest.fixture
def fresh(migrated_database):
    """The shape of a database in which everything was made by the migrations."""
    return shape(migrated_database, without=("customers",))


def test_without_adopt_it_only_says_what_it_would_do(database, migrate):
    database.execute(ARTICLE)
    fill(database)
    before = dump(database)
    result = migrate()
    assert result.code == 1
    for sentence in ["It has 7 rows: 3 pending, 2 delivered, 1 failed and 1 without a status.",
                     "drop the index idx_status_retry, which begins with status",
                     "read the times in last_attempt_at, next_retry_at and created_at, which have"
                     " no zone, as times in Europe/Vienna",
                     "make 1 row without a status pending",
                     "set attempts to 0 in 2 rows",
                     "let 3 rows without next_retry_at be due now",
                     "set created_at to now() in 3 rows",
                     "add event_type, response_status and last_error",
                     "forbid NULL in status, attempts, next_retry_at and created_at"]:
        assert sentence in result.stdout, result.stdout
    assert "nothing was changed" in result.stderr
    assert "hint: \"postrider migrate --adopt -c " in result.stderr
    assert dump(database) == before


def test_adopted_rows(database, migrate):
    database.execute(ARTICLE)
    ids = fill(database)
    before = {id: database.row(id) for id in ids}
    result = migrate("--adopt", "--timezone", "america/new_york")
    assert result.code == 0, result.stderr
    assert "as times in America/New_York" in result.stdout
    assert "Applied 0001_deliveries.\n" in result.stdout

    rows = [database.row(id) for id in ids]
    assert sum(database.counts().values()) == len(OLD_ROWS)
    for row in rows:
        for same in ["event_id", "webhook_url", "payload_text"]:
            assert row[same] == before[row["id"]][same]
    assert [row["status"] for row in rows] == ["pending", "pending", "pending", "delivered",
                                               "delivered", "failed", "pending"]
    assert [row["attempts"] for row in rows] == [0, 2, 1, 1, 0, 20, 0]
    winter = datetime.datetime(2024, 1, 1, 17, 0, 0, 123456, tzinfo=UTC)
    summer = datetime.datetime(2024, 7, 1, 16, 0, 0, tzinfo=UTC)
    assert [row["last_attempt_at"] for row in rows] == [None, winter, None, summer, None, summer,
                                                        None]
    now = rows[0]["next_retry_at"]  # the transaction's
    assert 0 <= (rows[0]["database_time"] - now).total_seconds() < 60
    assert [row["next_retry_at"] for row in rows] == [
        now, winter, datetime.datetime(2099, 7, 1, 16, tzinfo=UTC), now, summer, summer, now]
    assert [row["created_at"] for row in rows] == [now, summer, summer, winter, now, summer, now]


def test_adopted_shape_is_that_of_a_new_table(database, migrate, fresh):
    database.execute(ARTICLE)
    fill(database)
    assert migrate("--adopt").code == 0
    assert shape(database, without=("customers",)) == fresh


def test_inserts_for_that_table_go_on_working(database, migrate):
    database.execute(ARTICLE)
    fill(database, [])
    assert migrate("--adopt").code == 0
    ids = []
    for row in OLD_ROWS:
        ids.append(str(uuid.uuid4()))
        database.execute(OLD_INSERT, ids[-1], *row)
    database.execute("SET TimeZone = 'Asia/Tokyo'")
    database.execute(
        "INSERT INTO webhook_deliveries (id, event_id, customer_id, webhook_url, payload,"
        " next_retry_at, created_at) VALUES (gen_random_uuid(), gen_random_uuid(), %s, 'http://x/',"
        " '{}', localtimestamp, localtimestamp)", CUSTOMER)
    database.execute(
        "INSERT INTO webhook_deliveries VALUES (gen_random_uuid(), gen_random_uuid(), %s,"
        " 'http://x/', '{}', 'pending', 0, NULL, NULL, NOW())", CUSTOMER)
    database.execute(
        "UPDATE webhook_deliveries SET status = 'pending', attempts = attempts + 1,"
        " last_attempt_at = NOW(), next_retry_at = NOW() + interval '1 minute' WHERE id = %s",
        ids[0])
    assert database.counts() == {"pending": 6, "delivered": 2, "failed": 1}
    late = database.value("SELECT count(*) FROM webhook_deliveries WHERE status = 'pending'"
                          " AND next_retry_at BETWEEN now() - interval '1 min' AND now()")
    assert late == 4  # but for the ones that are due in a minute and in 2099


def test_the_zone_is_by_default_the_databases(database, migrate):
    database.execute(ARTICLE)
    ids = fill(database, [("failed", 1, SUMMER, SUMMER, SUMMER)])
    database.execute(f"ALTER DATABASE {database.name} SET TimeZone = 'Asia/Kolkata'")
    assert "as times in Asia/Kolkata" in migrate().stdout
    assert migrate("--adopt").code == 0
    assert database.row(ids[0])["created_at"] == datetime.datetime(2024, 7, 1, 6, 30, tzinfo=UTC)


@pytest.mark.parametrize("zone", ["UTC+2", "Europe/Nowhere", "", "x'; DROP TABLE customers; --"])
def test_unknown_zone(database, migrate, zone):
    database.execute(ARTICLE)
    before = dump(database)
    result = migrate("--adopt", "--timezone", zone)
    assert result.code == 1
    assert f'"{zone}" is not the name of a time zone' in result.stderr
    assert "Europe/Berlin" in result.stderr
    assert dump(database) == before


def test_dry_run_prints_what_psql_can_do(database, migrate, fresh):
    database.execute(ARTICLE)
    fill(database)
    before = dump(database)
    without = migrate("--dry-run", "--timezone", "Asia/Kolkata")
    result = migrate("--dry-run", "--adopt", "--timezone", "Asia/Kolkata")
    assert (without.code, result.code) == (0, 0)
    assert "only with --adopt" in without.stdout
    assert dump(database) == before
    run_sql(database, result.stdout)
    assert shape(database, without=("customers",)) == fresh
    assert database.value("SELECT count(*) FROM webhook_deliveries WHERE created_at ="
                          " '2024-07-01 12:00 Asia/Kolkata'") == 3
    assert migrate().stdout.startswith("Nothing to do")


@pytest.mark.parametrize("statuses, messages", [
    ([("sent", 3)], ["3 rows of webhook_deliveries with status 'sent'",
                     "pending, delivered and failed",
                     "UPDATE webhook_deliveries SET status = 'delivered' WHERE status = 'sent'"]),
    ([("it's\ndone", 1)], ["1 row of webhook_deliveries with status 'it''s"]),
    ([("PENDING", 1), ("", 2)], ["2 things are in the way"]),
], ids=["one", "quoted", "several"])
def test_unknown_statuses(database, migrate, statuses, messages):
    database.execute(ARTICLE)
    fill(database, OLD_ROWS + [(status, 1, None, None, None)
                               for status, number in statuses for _ in range(number)])
    before = dump(database)
    for arguments in [(), ("--adopt",), ("--adopt", "--dry-run")]:
        result = migrate(*arguments)
        assert result.code == 1
        for message in messages:
            assert message in result.stderr
        assert "hint: " in result.stderr
    assert dump(database) == before


@pytest.mark.parametrize("made, dropped", [
    ("CREATE INDEX a ON webhook_deliveries (status)", ["a"]),
    ("CREATE INDEX a ON webhook_deliveries (next_retry_at DESC) INCLUDE (attempts)", ["a"]),
    ("CREATE INDEX \"My \"\"Index\" ON webhook_deliveries (next_retry_at) WHERE attempts < 9;"
     "CREATE INDEX z ON webhook_deliveries (status, id);"
     "CREATE INDEX kept ON webhook_deliveries (customer_id, status)", ['"My ""Index"', "z"]),
], ids=["status", "time", "several"])
def test_rival_indexes_are_dropped(database, migrate, fresh, made, dropped):
    database.execute(CUSTOMERS + TABLE + made)
    result = migrate("--adopt")
    assert result.code == 0, result.stderr
    for name in dropped:
        assert f"drop the index {name}, which begins with" in result.stdout
    indexes = [row for row in shape(database, without=("customers",))["indexes"]
               if " kept " not in row["indexdef"]]
    assert indexes == fresh["indexes"]


def changed(old, new):
    assert old in TABLE
    return CUSTOMERS + TABLE.replace(old, new)


ENUM = "CREATE TYPE state AS ENUM ('pending', 'failed');"


@pytest.mark.parametrize("tables, message, hint", [
    (changed("event_id uuid NOT NULL,", ""), "webhook_deliveries has no column event_id", "ADD"),
    (changed("status varchar DEFAULT 'pending',", ""), "has no column status", "ADD COLUMN status"),
    (changed("payload jsonb", "payload text"), "payload is of type text, not jsonb",
     "TYPE jsonb USING payload::jsonb"),
    (changed("attempts int", "attempts bigint"), "attempts is of type bigint, not integer",
     "convert it"),
    (ENUM + changed("status varchar DEFAULT 'pending'", "status state"),
     "status is of type state, not character varying", "convert it"),
    (changed("next_retry_at timestamp", "next_retry_at bigint"),
     "next_retry_at is of type bigint, not timestamp with time zone", "convert it"),
    (changed("REFERENCES customers (id)", "").replace(CUSTOMERS, ""),
     "no customers to refer to", "CREATE TABLE customers"),
    (CUSTOMERS + TABLE.replace("CREATE", "CREATE UNLOGGED"), "unlogged", "SET LOGGED"),
    (changed("created_at timestamp)", "created_at timestamp) PARTITION BY HASH (id)"),
     "partitioned", "database.schema"),
    (CUSTOMERS + "CREATE VIEW webhook_deliveries AS SELECT 1 AS id", "not a table", "rename it"),
    (CUSTOMERS + TABLE + "CREATE UNIQUE INDEX once ON webhook_deliveries (status, event_id)",
     "the index once, which begins with status", "in another order"),
    (CUSTOMERS + TABLE + "CREATE VIEW late AS SELECT id, next_retry_at FROM webhook_deliveries",
     "late uses next_retry_at, whose type has to change", "drop it"),
], ids=["no event_id", "no status", "text payload", "bigint attempts", "enum status", "epoch time",
        "no customers", "unlogged", "partitioned", "view", "unique index", "used by a view"])
def test_tables_that_cannot_be_adopted(database, migrate, tables, message, hint):
    database.execute(tables)
    before = dump(database)
    result = migrate("--adopt")
    assert result.code == 1
    assert message in result.stderr and hint in result.stderr, result.stderr
    assert dump(database) == before


@pytest.mark.parametrize("tables, row, message", [
    (changed("event_id uuid NOT NULL", "event_id uuid"),
     "gen_random_uuid(), NULL, '{c}', 'u', '{{}}'", "1 row of webhook_deliveries without event_id"),
    (changed("REFERENCES customers (id)", ""),
     "gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'u', '{{}}'",
     "1 row of webhook_deliveries with a customer_id that is not in customers"),
], ids=["no event", "orphan"])
def test_rows_that_cannot_be_adopted(database, migrate, tables, row, message):
    database.execute(tables)
    fill(database, [])
    database.execute("INSERT INTO webhook_deliveries (id, event_id, customer_id, webhook_url,"
                     f" payload) VALUES ({row.format(c=CUSTOMER)})")
    before = dump(database)
    result = migrate("--adopt")
    assert result.code == 1 and message in result.stderr, result.stderr
    assert dump(database) == before


@pytest.mark.parametrize("tables", [
    # Nothing but what is required, and of it as little as possible.
    CUSTOMERS + "CREATE TABLE webhook_deliveries (id uuid, event_id uuid, customer_id uuid,"
                " webhook_url text, payload jsonb, status text)",
    # Wrong defaults, limits, zones that are right already, an own check constraint.
    CUSTOMERS + TABLE.replace("status varchar DEFAULT 'pending'",
                              "status varchar(20) NOT NULL DEFAULT 'new'"
                              " CHECK (status IN ('new', 'pending', 'sent'))")
                     .replace("next_retry_at timestamp",
                              "next_retry_at timestamptz(0) DEFAULT now() + interval '1 h'")
                     .replace("created_at timestamp", "created_at timestamp NOT NULL DEFAULT now(),"
                              " last_error varchar(10), response_status int, extra int"),
    # Another primary key.
    CUSTOMERS + TABLE.replace("id uuid PRIMARY KEY, event_id uuid NOT NULL",
                              "id uuid NOT NULL, event_id uuid PRIMARY KEY"),
], ids=["bare", "odd defaults", "other key"])
def test_other_shapes_are_adopted(database, migrate, tables, fresh):
    database.execute(tables)
    fill(database, [])
    database.execute("INSERT INTO webhook_deliveries (id, event_id, customer_id, webhook_url,"
                     " payload, status) VALUES (gen_random_uuid(), gen_random_uuid(), %s, 'u',"
                     " '{}', 'pending')", CUSTOMER)
    assert migrate().code == 1
    result = migrate("--adopt")
    assert result.code == 0, result.stderr

    def columns(shape):
        return {row["attname"]: (row["type"].replace("character varying", "text"),
                                 row["attnotnull"],
                                 (row["default"] or "").replace("character varying", "text"))
                for row in shape["columns"] if row["relname"] == "webhook_deliveries"
                and row["attname"] != "extra"}
    adopted = shape(database)
    assert columns(adopted) == columns(fresh)
    assert [row["prosrc"] for row in adopted["triggers"]] == [
        row["prosrc"] for row in fresh["triggers"]]
    with pytest.raises(psycopg2.errors.CheckViolation):
        database.execute("UPDATE webhook_deliveries SET status = 'new'")
    database.execute("UPDATE webhook_deliveries SET status = 'failed', last_error = %s", "x" * 500)
    with pytest.raises(psycopg2.errors.UniqueViolation):
        database.execute("INSERT INTO webhook_deliveries (id, event_id, customer_id, webhook_url,"
                         " payload) SELECT id, gen_random_uuid(), customer_id, 'u', '{}'"
                         " FROM webhook_deliveries")
    with pytest.raises(psycopg2.errors.ForeignKeyViolation):
        database.insert_delivery("u", customer=str(uuid.uuid4()))


def test_a_column_list_of_every_type_of_name(database, migrate):
    """An application's further columns, index and trigger stay as they are."""
    database.execute(ARTICLE)
    fill(database)
    database.execute('ALTER TABLE webhook_deliveries ADD COLUMN "Order No." int DEFAULT 7;'
                     'CREATE INDEX "by order" ON webhook_deliveries ("Order No.")')
    assert migrate("--adopt").code == 0
    assert database.value('SELECT sum("Order No.") FROM webhook_deliveries') == 7 * len(OLD_ROWS)
    assert database.value("SELECT to_regclass('\"by order\"') IS NOT NULL")


def test_table_in_another_schema_of_the_search_path(database, config_file, run_postrider):
    database.execute("CREATE SCHEMA hooks;" + ARTICLE)
    database.execute(f"ALTER DATABASE {database.name} SET search_path = hooks, public")
    config = config_file(database, {"database": {"schema": ""}})
    result = run_postrider("migrate", "-c", config, "--adopt")
    assert result.code == 1
    assert "in schema public, but new tables would be made in schema hooks" in result.stderr
    assert "database.schema" in result.stderr


def test_table_in_use_is_not_waited_for_for_ever(database, migrate):
    database.execute(ARTICLE)
    fill(database)
    before = dump(database)
    database.execute(f"ALTER DATABASE {database.name} SET lock_timeout = '50ms'")
    busy = database.connect()
    busy.cursor().execute("DELETE FROM webhook_deliveries")
    result = migrate("--adopt")
    busy.close()
    assert result.code == 1
    assert "lock timeout" in result.stderr and "in use, nothing was changed" in result.stderr
    assert dump(database) == before


def test_failed_adoption_is_rolled_back(database, migrate):
    """What no plan foresees: the first migration fails after the table has been converted."""
    database.execute(ARTICLE)
    fill(database)
    database.execute("CREATE TYPE webhook_lanes AS ENUM ('left', 'right')")
    before = dump(database)
    result = migrate("--adopt")
    assert result.code == 1 and "already exists" in result.stderr
    assert dump(database) == before


def test_adopting_twice(database, migrate):
    database.execute(ARTICLE)
    fill(database)
    assert migrate("--adopt").code == 0
    before = dump(database)
    assert migrate("--adopt") == postrider.Result(
        0, f"Nothing to do: the schema has version {postrider.newest_version()}.\n", "")
    assert dump(database) == before


def test_a_column_of_ours_that_is_theirs(database, migrate):
    """Whatever it is there for: it is theirs to write."""
    run_sql(database, ARTICLE + "ALTER TABLE webhook_deliveries ADD COLUMN given_up_at timestamptz;")
    result = migrate("--adopt")
    assert result.code == 1
    assert "webhook_deliveries has a column given_up_at, which is not Postrider's" in result.stderr
    assert "hint: rename it" in result.stderr
    run_sql(database, "ALTER TABLE webhook_deliveries RENAME given_up_at TO ended_at")
    assert migrate("--adopt").code == 0
