# SPDX-License-Identifier: MIT
"""PgBouncer in front of a server; in transaction mode unless it is told otherwise."""
import os
import shutil
import subprocess

import psycopg2

from harness.process import die_with_parent
from harness.wait import wait_for


def program():
    """The path of pgbouncer, None where it is not installed."""
    return shutil.which("pgbouncer", path=os.environ.get("PATH", "") + ":/usr/sbin")


def wait_until_it_answers(url, name, on_timeout=None):
    def answers():
        try:
            psycopg2.connect(url).close()
            return True
        except psycopg2.OperationalError:
            return False
    wait_for(answers, f"{name} to accept connections", on_timeout=on_timeout)


class PgBouncer:
    """Listens on a Unix socket in a directory of its own, below the server's. The settings are
    pgbouncer.ini's, over those here; user is who it is to the server."""

    PORT = 6432  # only a part of the socket's name

    def __init__(self, server, user="postgres", **settings):
        self.server = server
        self.directory = os.path.join(server.directory, "bouncer")
        os.mkdir(self.directory)
        os.chown(self.directory, *server.owner)
        self._config = os.path.join(self.directory, "pgbouncer.ini")
        lines = {"unix_socket_dir": self.directory, "listen_addr": "", "auth_type": "any",
                 "pool_mode": "transaction", "default_pool_size": 2,
                 "server_reset_query_always": 1, **settings}
        with open(self._config, "w", encoding="ascii") as file:
            file.write(f"[databases]\n* = host={server.directory} user={user}\n[pgbouncer]\n")
            file.writelines(f"{name} = {value}\n" for name, value in lines.items())
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [program(), "-q", self._config], cwd="/", stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=die_with_parent,
            **self.server.account)

    def wait_until_it_answers(self, database="postgres"):
        wait_until_it_answers(self.url(database), "PgBouncer")

    def url(self, database, user="postgres"):
        return f"postgresql://{user}@/{database}?host={self.directory}&port={self.PORT}"

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait()
            self.process = None

    def remove(self):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)
