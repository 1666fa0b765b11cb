# SPDX-License-Identifier: MIT
"""postrider check and postrider config: what an operator sees of a configuration."""
import json
import os
import re
import uuid

import pytest

from harness.postrider import write_config

TABLES = ["webhook_deliveries", "webhook_endpoints", "webhook_secrets", "webhook_attempts",
          "webhook_lanes", "webhook_workers", "postrider_migrations"]


@pytest.fixture
def role(migrated_database):
    """A role that may log in and nothing else; dropped with what it was given."""
    name = f"worker_{uuid.uuid4().hex[:12]}"
    migrated_database.execute(f"CREATE ROLE {name} LOGIN")
    yield name
    migrated_database.execute(f"DROP OWNED BY {name}")
    migrated_database.execute(f"DROP ROLE {name}")


@pytest.fixture
def check(run_postrider, tmp_path):
    """check(database, user=…, changes) -> the result of check --database, and the file's path"""
    def run(database, user="postgres", changes=None):
        path = write_config(str(tmp_path), database.server.url(database.name, user), changes)
        return run_postrider("check", "--database", "-c", path), path
    return run


def failed(result):
    """The lines that begin with FAILED, without it and without the blanks."""
    return [" ".join(line.split()[1:]) for line in result.stdout.splitlines()
            if line.startswith("FAILED")]


def hints(result):
    return re.findall(r"^ +hint: (.*)$", result.stdout, re.M)


# --- the file ---

def test_a_valid_file(run_postrider, tmp_path):
    path = write_config(str(tmp_path), "postgresql://nowhere.invalid/x",
                        changes={"worker": {"drain_timeout": "30s"}})
    result = run_postrider("check", "-c", path)
    assert (result.code, result.stderr) == (0, "")
    assert re.fullmatch(re.escape(path) + r": configuration is valid: \d+ of \d+ options set, "
                        r"1 signing secret\n", result.stdout)


def test_every_mistake_at_once(run_postrider, tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text("database:\n  url: postgresql://u:hunter2@h/d\nworker:\n  lease: 5\n"
                    "  leese: 5s\ntracing: {url: \"ftp://a/\"}\n")
    result = run_postrider("check", "-c", path)
    assert result.code == 78
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert lines[:3] == [
        f"postrider: {path}:4:10: worker.lease: 5 is not a duration (250ms, 10s, 5m, 4h, 7d); "
        "allowed: a duration from 1s to 10m",
        f"postrider: {path}:5:3: worker.leese: unknown key; did you mean worker.lease?",
        f"postrider: {path}:6:16: tracing.url: the value does not begin with http:// or https://; "
        "allowed: an http:// or https:// URL"]
    assert "hunter2" not in result.stderr


@pytest.mark.parametrize("command", ["check", "config show", "run", "migrate"])
def test_no_file(run_postrider, tmp_path, command):
    result = run_postrider(*command.split(), "-c", tmp_path / "nowhere.yaml")
    assert result.code == 78
    assert "nowhere.yaml: cannot be read: No such file or directory" in result.stderr


def test_warnings_are_no_mistakes(run_postrider, tmp_path):
    path = write_config(str(tmp_path), "postgresql://u:hunter2@nowhere.invalid/x",
                        {"worker": {"drain_timeout": "1s"}})
    os.chmod(path, 0o644)
    result = run_postrider("check", "-c", path)
    assert (result.code, result.stderr) == (0, "")
    assert "warning: worker.drain_timeout is less than delivery.timeout" in result.stdout
    assert f"warning: the configuration holds a password or token, and {path} has mode 0644: " \
        f"everyone on this machine can read it; chmod o= {path}\n" in result.stdout
    assert "hunter2" not in result.stdout


# --- the database ---

def test_database_with_everything(check, migrated_database):
    result, _ = check(migrated_database)
    assert (result.code, failed(result), result.stderr) == (0, [], "")
    assert f'database "{migrated_database.name}", role "postgres"' in result.stdout
    for table in TABLES:
        assert re.search(rf"^ok +privileges +{table}: SELECT", result.stdout, re.M)


def test_role_with_exactly_what_is_granted(check, run_postrider, migrated_database, role):
    _, path = check(migrated_database)
    granted = run_postrider("migrate", "--grant", role, "-c", path)
    assert granted.code == 0, granted.stderr
    result, _ = check(migrated_database, role)
    assert (result.code, failed(result)) == (0, [])


def test_role_without_privileges(check, migrated_database, role):
    result, path = check(migrated_database, role)
    assert result.code == 1
    assert len(failed(result)) >= 10  # every table and the sequence
    assert f'privileges postrider_migrations: the role "{role}" lacks SELECT' in failed(result)
    assert set(hints(result)) == {
        f"let the owner of the tables run: postrider migrate --grant {role} -c {path}"}


def test_schema_that_the_role_may_not_use(check, migrated_database, role):
    """Its tables are invisible, and not absent."""
    migrated_database.execute("REVOKE USAGE ON SCHEMA public FROM PUBLIC")
    result, path = check(migrated_database, role)
    assert result.code == 1
    assert failed(result)[0] == f'privileges SCHEMA public: the role "{role}" lacks USAGE, so that ' \
        "its tables seem not to be there"
    assert hints(result)[0] == \
        f"let the owner of the tables run: postrider migrate --grant {role} -c {path}"
    assert not any("the table is not there" in line for line in failed(result))


def test_role_that_lacks_some(check, run_postrider, migrated_database, role):
    _, path = check(migrated_database)
    assert run_postrider("migrate", "--grant", role, "-c", path).code == 0
    migrated_database.execute(f"REVOKE DELETE, UPDATE (attempts) ON webhook_deliveries FROM {role};"
                              f"REVOKE SELECT ON webhook_secrets FROM {role}")
    result, _ = check(migrated_database, role)
    assert result.code == 1
    assert failed(result) == [
        f'privileges webhook_deliveries: the role "{role}" lacks DELETE, UPDATE (status, attempts, '
        'last_attempt_at, next_retry_at, response_status, last_error)',
        f'privileges webhook_secrets: the role "{role}" lacks SELECT']
    assert set(hints(result)) == {
        f"let the owner of the tables run: postrider migrate --grant {role} -c {path}"}


def test_schema_without_the_tables(check, migrated_database, role):
    migrated_database.execute("CREATE SCHEMA closed")
    result, _ = check(migrated_database, role, {"database": {"schema": "closed"}})
    assert result.code == 1
    assert failed(result) == [
        f'schema the schema "closed" is not there, or the role "{role}" may not use it']


def test_database_without_the_tables(check, database):
    result, path = check(database)
    assert result.code == 1
    assert failed(result) == ['schema the tables of Postrider are not in schema "public"']
    assert hints(result) == [f"as the owner of the schema run: postrider migrate -c {path}"]


def test_search_path_that_leads_nowhere(check, database):
    database.execute(f"ALTER DATABASE {database.name} SET search_path TO nowhere")
    result, _ = check(database, changes={"database": {"schema": ""}})
    assert result.code == 1
    assert failed(result) == ["schema no schema of the connection's search_path can be used"]


def test_newer_schema(check, migrated_database):
    migrated_database.execute(
        "INSERT INTO postrider_migrations (version, name, works_from)"
        " VALUES (9999, 'of a later version', 9999)")
    result, _ = check(migrated_database)
    migrated_database.execute("DELETE FROM postrider_migrations WHERE version = 9999")
    assert result.code == 1
    assert len(failed(result)) == 1
    assert failed(result)[0].startswith(
        "schema version 9999 is newer than this program can work with (it knows ")
    assert hints(result) == ["upgrade postrider"]


def test_newer_schema_that_works(check, migrated_database):
    migrated_database.execute(
        "INSERT INTO postrider_migrations (version, name) VALUES (9999, 'of a later version')")
    result, _ = check(migrated_database)
    assert result.code == 0
    assert re.search("^ok +schema +version 9999 in .*, newer than this program$", result.stdout,
                     re.M)


def test_missing_table(check, migrated_database):
    migrated_database.execute("DROP TABLE webhook_lanes")
    result, _ = check(migrated_database)
    assert result.code == 1
    assert failed(result) == ["privileges webhook_lanes: the table is not there"]


def test_read_only_database(check, migrated_database):
    migrated_database.execute(
        f"ALTER DATABASE {migrated_database.name} SET default_transaction_read_only TO on")
    result, _ = check(migrated_database)
    assert result.code == 1
    assert failed(result) == ["writing the database is read-only: a standby, or set to be so"]


@pytest.mark.parametrize("arguments", [
    ["migrate"], ["token", "new", "--name", "a", "--scope", "read"], ["secret", "new", "--customer", str(uuid.UUID(int=1))],
    ["endpoint", "add", "--customer", str(uuid.UUID(int=1)), "--url", "https://a.example/"]])
def test_commands_that_write_to_a_read_only_database(run_postrider, config_file, database, migrated_database, arguments):
    """What the server says (that it can't execute SELECT, even) is no help."""
    place = database if arguments == ["migrate"] else migrated_database
    place.execute(f"ALTER DATABASE {place.name} SET default_transaction_read_only TO on")
    result = run_postrider(*arguments, "-c", config_file(place))
    assert result.code == 1
    assert "read-only" in result.stderr and "hint: database.url must lead to the primary" in result.stderr


@pytest.mark.parametrize("url", ["postgresql://u:hunter2@/x?host=/nowhere",
                                 "host=/nowhere password=hunter2"])
def test_no_connection(run_postrider, tmp_path, url):
    path = write_config(str(tmp_path), url)
    result = run_postrider("check", "--database", "-c", path)
    assert result.code == 1
    assert len(failed(result)) == 1
    assert failed(result)[0].startswith("connection cannot connect to the database: ")
    assert "hunter2" not in result.stdout + result.stderr


@pytest.mark.parametrize("command", ["check", "run", "migrate"])
@pytest.mark.parametrize("url", [
    "postgresql://u:hunter2@h:hunter2/x",
    "postgresql://u:hunter2%zz@h/x",
    "postgresql://u:hun/ter2@h/x",
    "host=/nowhere password=hunter 2 ter2",
])
def test_a_url_that_libpq_cannot_read(run_postrider, tmp_path, command, url):
    """libpq would quote pieces of the password, and a worker wait for ever."""
    path = write_config(str(tmp_path), url)
    result = run_postrider(command, "-c", path)
    assert result.code == 78
    assert "database.url: the value " in result.stderr
    assert not re.search("hunter|ter2", result.stdout + result.stderr)


# --- config show ---

def test_config_show(run_postrider, tmp_path):
    path = write_config(str(tmp_path), "postgresql://u:hunter2@h/d",
                        {"delivery": {"headers": {"Authorization": "Bearer hunter2"}}})
    result = run_postrider("config", "show", "-c", path)
    assert (result.code, result.stderr) == (0, "")
    assert 'url: "postgresql://u:***@h/d" ' in result.stdout
    assert re.search(r'^  secret_file: ".*" +# set, default "", 1 secret$', result.stdout, re.M)
    assert "hunter2" not in result.stdout
    assert "whsec_" not in result.stdout

    values = run_postrider("config", "show", "--json", "-c", path)
    assert "hunter2" not in values.stdout
    values = json.loads(values.stdout)
    assert values["file"] == path
    assert values["secrets"] == 1
    assert "delivery.headers" in values["set"]
    assert values["config"]["delivery"]["headers"] == {"Authorization": "***"}
    assert values["config"]["worker"]["max_in_flight"] == 1024


def test_config_show_can_be_loaded(run_postrider, tmp_path):
    path = write_config(str(tmp_path), "postgresql:///x")
    shown = tmp_path / "shown.yaml"
    shown.write_text(run_postrider("config", "show", "-c", path).stdout)
    again = run_postrider("config", "show", "-c", shown)
    assert again.code == 0, again.stderr
    assert [line.split("#")[0] for line in again.stdout.splitlines()] == \
        [line.split("#")[0] for line in shown.read_text().splitlines()]
