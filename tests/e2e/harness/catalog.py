# SPDX-License-Identifier: MIT
"""What a database holds, in forms that can be compared."""
import re
import subprocess

import pytest

from harness.postgres import client_program

RELATIONS = """
    SELECT c.relname, c.relkind::text, c.reloptions::text, pg_get_viewdef(c.oid) AS view
    FROM pg_class c
    WHERE c.relnamespace = %s::regnamespace AND c.relkind IN ('r', 'v', 'S') ORDER BY 1"""
COLUMNS = """
    SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull,
           a.attidentity::text, pg_get_expr(d.adbin, d.adrelid) AS "default"
    FROM pg_class c
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE c.relnamespace = %s::regnamespace AND c.relkind = 'r' ORDER BY 1, 2"""
INDEXES = """
    SELECT tablename, indexdef FROM pg_indexes
    WHERE quote_ident(schemaname)::regnamespace = %s::regnamespace ORDER BY 1, 2"""
CONSTRAINTS = """
    SELECT conrelid::regclass::text AS "table", conname, pg_get_constraintdef(oid) AS definition
    FROM pg_constraint WHERE connamespace = %s::regnamespace AND conrelid <> 0 ORDER BY 1, 2"""
TRIGGERS = """
    SELECT pg_get_triggerdef(t.oid) AS definition, p.prosrc
    FROM pg_trigger t
    JOIN pg_class c ON c.oid = t.tgrelid AND c.relnamespace = %s::regnamespace
    JOIN pg_proc p ON p.oid = t.tgfoid
    WHERE NOT t.tgisinternal ORDER BY 1"""
FUNCTIONS = """
    SELECT proname FROM pg_proc WHERE pronamespace = %s::regnamespace ORDER BY 1"""


def pg_dump(database, *options):
    """What pg_dump writes of the database. The test is skipped where it is older than the server."""
    client = int(re.search(r"\) (\d+)", subprocess.run(
        [client_program("pg_dump"), "--version"], capture_output=True, text=True,
        check=True).stdout).group(1))
    server = int(database.value("SHOW server_version_num")) // 10000
    if client < server:
        pytest.skip(f"pg_dump {client} can't read a server of version {server}")
    return subprocess.run([client_program("pg_dump"), "-d", database.url, *options],
                          capture_output=True, text=True, check=True).stdout


def dump(database):
    """Everything in the database, schema and rows, as pg_dump writes it."""
    text = pg_dump(database)
    # Newer versions guard their output with a random key.
    return "\n".join(line for line in text.splitlines() if "restrict " not in line[:14])


def run_sql(database, text):
    """Gives text to psql, as an operator would."""
    subprocess.run([client_program("psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", database.url],
                   input=text, text=True, check=True, stdout=subprocess.DEVNULL)


def shape(database, schema="public", without=()):
    """The schema's tables, their columns in no order, indexes, constraints, triggers, functions."""
    parts = {"relations": RELATIONS, "columns": COLUMNS, "indexes": INDEXES,
             "constraints": CONSTRAINTS, "triggers": TRIGGERS, "functions": FUNCTIONS}
    return {name: [row for row in database.query(query, schema)
                   if not any(table in (row.get("relname"), row.get("tablename"), row.get("table"))
                              for table in without)]
            for name, query in parts.items()}


def privileges(database, role):
    """{(what, name): {privilege, …}} that a role has been given; columns are "table.column"."""
    rows = database.query("""
        SELECT 'schema' AS what, nspname::text AS name, a.privilege_type
        FROM pg_namespace n, aclexplode(n.nspacl) a WHERE a.grantee = %s::regrole
        UNION ALL
        SELECT 'table', relname, a.privilege_type
        FROM pg_class c, aclexplode(c.relacl) a WHERE a.grantee = %s::regrole
        UNION ALL
        SELECT 'column', c.relname || '.' || t.attname, a.privilege_type
        FROM pg_attribute t JOIN pg_class c ON c.oid = t.attrelid, aclexplode(t.attacl) a
        WHERE a.grantee = %s::regrole
        UNION ALL
        SELECT 'function', proname, a.privilege_type
        FROM pg_proc p, aclexplode(p.proacl) a WHERE a.grantee = %s::regrole""",
                          role, role, role, role)
    result = {}
    for row in rows:
        result.setdefault((row["what"], row["name"]), set()).add(row["privilege_type"])
    return result
