# SPDX-License-Identifier: MIT
"""Fixtures of the end-to-end tests.

    postgres            a server for the whole run
    own_postgres        a server for one test, to be stopped and restarted
    database            a new, empty database
    migrated_database   a new database with the schema and one customer (database.customer)
    run_postrider       runs a command: run_postrider("dead", "list") -> code, stdout, stderr
    config_file         writes a configuration for a command, returns its path
    service             starts `postrider run`: service(database, {"retry": {"max_attempts": 3}})
    serve               starts `postrider serve` on migrated_database: serve({"http": {"max_body": "1KiB"}})
    receiver            starts an HTTP server that records and misbehaves: receiver(), receiver(tls=…)
"""
import contextlib
import tempfile

import pytest

from harness import postrider
from harness.certificates import Authority
from harness.postgres import DatabasePool, Postgres
from harness.receiver import Receiver
from harness.serve import Serve


def pytest_report_header(config):
    return f"postrider: {postrider.binary_path()}"


# As migrate made it before it asked; most tests are of a database with a foreign key to it.
CUSTOMERS = """CREATE TABLE IF NOT EXISTS customers (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name varchar NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now())"""


TEMPLATE = "migrated"  # a database of each server that starts after migrate_for_all()


def migrate(database):
    """Brings a database to the binary's schema, the way an operator does whose application has
    customers. An empty one is copied from one where that was done: it takes a second each time."""
    if database.server.has_database(TEMPLATE) and database.is_untouched():
        database.make_copy_of(TEMPLATE)
        # The one thing that a migration dates.
        database.execute("UPDATE webhook_feed_marks SET marked_at = clock_timestamp(),"
                         " transaction_id = pg_snapshot_xmax(pg_current_snapshot())")
        return
    database.execute(CUSTOMERS)
    with tempfile.TemporaryDirectory() as directory:
        config = postrider.write_config(directory, database.url)
        result = postrider.run_postrider("migrate", "-c", config)
        assert result.code == 0, result.stderr


def migrate_for_all():
    server = Postgres()
    database = server.create_database()
    migrate(database)
    database.close()
    server.execute(f"ALTER DATABASE {database.name} RENAME TO {TEMPLATE}")
    server.become_pristine()


def deny_functions(database):
    """What a hardened installation has as its default: everybody may call nothing, unless it is granted to them."""
    database.execute("REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC")


@pytest.fixture(scope="session")
def postgres():
    migrate_for_all()
    server = Postgres()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def migrated_databases(postgres):
    return DatabasePool(postgres, TEMPLATE)


@pytest.fixture
def own_postgres():
    server = Postgres()
    yield server
    server.remove()


@pytest.fixture
def database(postgres):
    database = postgres.create_database()
    yield database
    database.drop()


@pytest.fixture
def migrated_database(migrated_databases):
    database = migrated_databases.take()
    database.customer = database.insert_customer()
    yield database
    migrated_databases.give_back(database)


@pytest.fixture
def own_database(own_postgres):
    """A migrated database in a server of its own, for outages."""
    database = own_postgres.create_database()
    migrate(database)
    database.customer = database.insert_customer()
    yield database
    database.close()


@pytest.fixture
def two_phase_database(own_postgres, own_database):
    """The same where transactions can be prepared."""
    own_postgres.settings["max_prepared_transactions"] = "5"
    own_database.close()
    own_postgres.restart()
    return own_database


@pytest.fixture(scope="session")
def run_postrider():
    return postrider.run_postrider


@pytest.fixture
def config_file(tmp_path):
    """config_file(database, {"section": {"key": value}}, secret=…) -> path"""
    def write(database, changes=None, secret=postrider.DEFAULT_SECRET):
        return postrider.write_config(str(tmp_path), database.url, changes, secret)
    return write


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """What the workers of a test that failed have said, before their directories are gone."""
    report = (yield).get_result()
    if report.failed and call.when == "call":
        for started in [one for name in ("service", "serve")
                        for one in getattr(item.funcargs.get(name), "started", [])]:
            report.sections.append((f"log of {started.directory}", started.log()[-8000:]))


@pytest.fixture
def service(request):
    """service(database, changes=None, secret=…, env=None, wait=True) -> a running Service"""
    # What it talks to must outlive it: fixtures end in the opposite order of their beginning.
    for name in ("database", "migrated_database", "own_database", "receiver"):
        if name in request.fixturenames:
            request.getfixturevalue(name)
    with contextlib.ExitStack() as stack:
        def start(database, changes=None, **options):
            started = postrider.Service(database.url, changes, **options)
            stack.callback(started.close)
            start.started.append(started)
            return started
        start.started = []
        yield start


@pytest.fixture
def serve(migrated_database):
    """serve(changes=None, **options of Service) -> a running `postrider serve`"""
    with contextlib.ExitStack() as stack:
        def start(changes=None, **options):
            started = Serve(migrated_database, changes, **options)
            stack.callback(started.close)
            start.started.append(started)
            return started
        start.started = []
        yield start


@pytest.fixture
def receiver():
    """receiver(**options of Receiver) -> a listening Receiver"""
    with contextlib.ExitStack() as stack:
        def start(**options):
            started = Receiver(**options)
            stack.callback(started.close)
            return started
        yield start


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """A certificate authority that nobody else trusts; authority.ca_file goes into network.ca_file."""
    return Authority(str(tmp_path_factory.mktemp("certificates")))


@pytest.fixture
def new_authority(tmp_path):
    """new_authority(name, **options of Authority) -> another one, with a directory of its own"""
    def make(name, **options):
        return Authority(str(tmp_path / name), name, **options)
    return make
