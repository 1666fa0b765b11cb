# SPDX-License-Identifier: MIT
"""What PostgreSQL was asked: statements, rows and time by kind, from pg_stat_statements."""

PRELOAD = {"shared_preload_libraries": "pg_stat_statements",
           "pg_stat_statements.track_utility": "off"}

# kind: what stands in its text only
KINDS = {
    "reads": "pg_current_snapshot()::text END",
    "rereads and sweeps": "to_time, to_id",
    "refills": "LIMIT c.rows",
    "fetches": "AS may_go FROM webhook_deliveries w",
    "successes": "attempts, response_status, age)",
    "other outcomes": "RETURNING o.*",
}

_KIND = "CASE " + " ".join(f"WHEN strpos(query, '{text}') > 0 THEN '{kind}'"
                           for kind, text in KINDS.items()) + " ELSE 'others' END"
_COUNTS = (f"SELECT {_KIND}, sum(calls)::float8, sum(rows)::float8, sum(total_exec_time)"
           " FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid"
           " WHERE datname = current_database() AND query !~ '(pg_stat_statements|^INSERT)'"
           " GROUP BY 1")


class Statements:
    """Of one database, from now on."""

    def __init__(self, database):
        self._database = database
        database.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        self._before = self._counts()

    def _counts(self):
        return {kind: counts for kind, *counts in self._database.query(_COUNTS)}

    def figures(self, deliveries):
        """Of each kind: statements for a thousand deliveries, rows and microseconds of each."""
        result = {}
        for kind, counts in self._counts().items():
            calls, rows, ms = (now - before for now, before
                               in zip(counts, self._before.get(kind, [0, 0, 0])))
            name = kind.replace(" ", "_")
            result[f"{name}_per_thousand"] = round(1000 * calls / deliveries, 2)
            result[f"{name}_rows"] = round(rows / max(calls, 1), 1)
            result[f"{name}_us"] = round(1000 * ms / max(calls, 1), 1)
        return result
