# SPDX-License-Identifier: MIT
"""pgpool-II in front of one or more servers."""
import os
import shutil
import signal
import subprocess

from harness.pgbouncer import wait_until_it_answers
from harness.process import die_with_parent


def program():
    """The path of pgpool, None where it is not installed."""
    return shutil.which("pgpool", path=os.environ.get("PATH", "") + ":/usr/sbin")


class Pgpool:
    """Listens on a Unix socket in a directory of its own, below the first server's. mode is its
    backend_clustering_mode; the settings are pgpool.conf's, over those here."""

    PORT = 9999  # only a part of the socket's name

    def __init__(self, servers, mode, **settings):
        self._account = servers[0].account
        self.directory = os.path.join(servers[0].directory, "pgpool")
        os.mkdir(self.directory)
        os.chown(self.directory, *servers[0].owner)
        self._config = os.path.join(self.directory, "pgpool.conf")
        lines = {"backend_clustering_mode": mode, "socket_dir": self.directory,
                 "unix_socket_directories": self.directory, "listen_addresses": "",
                 "pcp_socket_dir": self.directory, "pcp_listen_addresses": "",
                 "wd_ipc_socket_dir": self.directory, "port": self.PORT,
                 "pid_file_name": os.path.join(self.directory, "pid"),
                 "logdir": self.directory, "num_init_children": 6, "max_pool": 1,
                 "memory_cache_enabled": "off", "enable_pool_hba": "off",
                 "sr_check_period": 1, "sr_check_user": "postgres",
                 "sr_check_database": "postgres", "health_check_period": 0}
        for number, server in enumerate(servers):
            lines |= {f"backend_hostname{number}": server.directory,
                      f"backend_port{number}": 5432, f"backend_weight{number}": 1,
                      f"backend_data_directory{number}": server.data,
                      f"backend_flag{number}": "DISALLOW_TO_FAILOVER"}
        lines |= settings
        with open(self._config, "w", encoding="ascii") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in lines.items())
        self.log_file = os.path.join(self.directory, "log")
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(
                [program(), "-n", "-f", self._config, "-F", "/dev/null"], cwd="/",
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=die_with_parent,
                **self._account)

    def wait_until_it_answers(self, database="postgres"):
        wait_until_it_answers(self.url(database), "pgpool", self.log)

    def url(self, database, user="postgres"):
        return f"postgresql://{user}@/{database}?host={self.directory}&port={self.PORT}"

    def log(self):
        with open(self.log_file, encoding="utf-8", errors="replace") as file:
            return file.read()

    def remove(self):
        self.process.send_signal(signal.SIGINT)  # at SIGTERM it would wait for its clients
        self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)
