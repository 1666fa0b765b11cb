# SPDX-License-Identifier: MIT
"""A throwaway nginx: it takes every POST on every loopback address, and logs it.

The log is what counts: one line for each request, with its time, connection and event.
"""
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import tempfile

from bench.arrivals import Arrivals
from bench.usage import cpu_of_tree
from harness.wait import wait_for

CONFIG = """
daemon off;
pid {directory}/pid;
error_log {directory}/error.log warn;
worker_processes {workers};
worker_rlimit_nofile {files};
events {{ worker_connections {connections}; }}
http {{
    log_format arrival '$msec $connection $status $http_x_event_id';
    access_log {directory}/access.log arrival buffer=64k flush=50ms;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    client_header_buffer_size 4k;     # head and a body of 1 kB in one read
    client_max_body_size 0;
    keepalive_timeout 75s;
    keepalive_requests 1000000;       # not what is measured
    default_type application/json;
    server {{
        listen 0.0.0.0:{port} backlog=4096;
        {tls}
        location / {{ return 200; }}
    }}
}}
"""

TLS = """listen 0.0.0.0:{port} ssl backlog=4096;
        listen [::1]:{port} ssl backlog=4096;
        ssl_certificate {certificate};
        ssl_certificate_key {certificate};
        ssl_session_cache shared:tls:16m;"""

_libc = ctypes.CDLL(None)


def _end_with_parent():
    """Unlike SIGKILL, SIGTERM lets the master end its workers."""
    _libc.prctl(1, signal.SIGTERM)


def free_port():
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        return taken.getsockname()[1]


class Nginx:
    """certificate: a PEM file with key and certificate for a second, TLS, port (tls_port)."""

    def __init__(self, certificate=None):
        self.directory = tempfile.mkdtemp(prefix="postrider-nginx-")
        os.chmod(self.directory, 0o755)
        self.certificate = certificate
        self.process = None
        for _ in range(5):  # a port may be taken between the look and the start
            if self._start():
                break
        else:
            raise RuntimeError(f"nginx does not start:\n{self.log()}")
        self.arrivals = Arrivals(os.path.join(self.directory, "access.log"), self._arrival)

    @staticmethod
    def _arrival(line):
        msec, connection, status, event = line.split(b" ")
        return float(msec), connection, status == b"200", event

    def _start(self):
        self.port, self.tls_port = free_port(), free_port()
        files = os.sysconf("SC_OPEN_MAX")
        tls = TLS.format(port=self.tls_port, certificate=self.certificate) \
            if self.certificate else ""
        config = os.path.join(self.directory, "nginx.conf")
        with open(config, "w", encoding="utf-8") as file:
            file.write(CONFIG.format(
                directory=self.directory, port=self.port, tls=tls, files=files,
                connections=files - 100, workers=max(1, len(os.sched_getaffinity(0)) // 2)))
        self.process = subprocess.Popen(
            [shutil.which("nginx") or "/usr/sbin/nginx", "-c", config, "-p", self.directory,
             "-e", os.path.join(self.directory, "error.log")],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=_end_with_parent)
        return wait_for(self._answers, "nginx to listen", on_timeout=self.log) == "yes"

    def _answers(self):
        if self.process.poll() is not None:
            return "no"
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return "yes"
        except OSError:
            return None

    def log(self):
        with open(os.path.join(self.directory, "error.log"), encoding="utf-8",
                  errors="replace") as file:
            return file.read()

    def cpu(self):
        return cpu_of_tree(self.process.pid)

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)
        shutil.rmtree(self.directory, ignore_errors=True)
