# SPDX-License-Identifier: MIT
"""A throwaway PostgreSQL on a Unix socket, from Debian's binaries; the clusters of the machine are left alone."""
import glob
import os
import pwd
import signal
import subprocess
import threading

import psycopg

from stage.processes import Failure, Process, wait_until

SETTINGS = {"listen_addresses": "", "fsync": "off", "shared_buffers": "32MB", "max_connections": "100",
            "log_min_messages": "error"}


def account():
    """PostgreSQL refuses to run as root: for root it runs as Debian's account for it."""
    if os.geteuid() != 0:
        return {}, (os.geteuid(), os.getegid())
    entry = pwd.getpwnam("postgres")
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}, (entry.pw_uid, entry.pw_gid)


class Postgres:
    def __init__(self, directory):
        found = glob.glob("/usr/lib/postgresql/*/bin/initdb")
        if not found:
            raise Failure("no PostgreSQL server below /usr/lib/postgresql: run scripts/install-packages example")
        programs = os.path.dirname(max(found, key=lambda path: float(path.split("/")[4])))
        self.directory = os.path.join(directory, "postgres")
        data = os.path.join(self.directory, "data")
        user, owner = account()
        os.mkdir(self.directory, 0o755)
        os.chown(self.directory, *owner)
        made = subprocess.run([f"{programs}/initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8",
                               "--locale", "C.UTF-8", "--no-sync"], cwd="/", capture_output=True, text=True, **user)
        if made.returncode != 0:
            raise Failure(f"initdb failed:\n{made.stderr}")
        settings = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
        self.process = Process("PostgreSQL", [f"{programs}/postgres", "-D", data, "-k", self.directory, *settings],
                               os.path.join(directory, "postgres.log"), account=user, at_death=signal.SIGQUIT)
        self.connections = threading.local()
        self.start()
        with psycopg.connect(self.url("postgres", "postgres"), autocommit=True) as connection:
            self.version = connection.execute("SHOW server_version").fetchone()[0].split()[0]
            connection.execute("CREATE DATABASE shop")

    def url(self, user, database="shop"):
        return f"host={self.directory} user={user} dbname={database}"

    def start(self):
        self.process.start()
        wait_until(self._answers, "PostgreSQL")

    def _answers(self):
        if not self.process.is_running():
            raise Failure(f"PostgreSQL has ended:\n{self.process.last_lines()}")
        try:
            psycopg.connect(self.url("postgres", "postgres")).close()
            return True
        except psycopg.OperationalError:
            return False

    def crash(self):
        """Ends it as a crash would, and starts it again: it recovers."""
        self.process.end(signal.SIGQUIT)
        self.start()

    def rows(self, statement, parameters=()):
        """As the operator, in a transaction of its own; asked again when the database was away."""
        for _ in range(600):
            try:
                if getattr(self.connections, "one", None) is None:
                    self.connections.one = psycopg.connect(self.url("postgres"), autocommit=True)
                cursor = self.connections.one.execute(statement, parameters or None)
                return cursor.fetchall() if cursor.description else []
            except psycopg.OperationalError:
                self.connections.one = None
                threading.Event().wait(0.1)
        raise Failure("the database does not come back")

    def value(self, statement, parameters=()):
        return self.rows(statement, parameters)[0][0]

    def run_file(self, user, path):
        with psycopg.connect(self.url(user)) as connection, open(path, encoding="utf-8") as file:
            connection.execute(file.read())
