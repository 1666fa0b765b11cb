# SPDX-License-Identifier: MIT
"""What all of the servers have in common: a program with a configuration of its own in a directory
of its own, on a free port, that can be told to read its configuration again."""
import collections
import os
import shutil
import signal
import socket
import subprocess

from harness.process import die_with_parent
from harness.proxy import free_port
from harness.receiver import Receiver
from harness.wait import wait_for

PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
APPLICATIONS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "applications")

Seen = collections.namedtuple("Seen", "event connection")


class Server:
    """keep_alive_s: for how long it keeps a connection that nobody uses, None leaves that to its
    own default. limit: how many bytes of a request it takes."""

    program = package = None
    version_option = "-v"
    keeps_connections = True
    says_keep_alive = False  # in a header of its answers
    is_graceful = True  # kept connections survive a reload, or are closed with care
    answers_what_it_read = True  # also when it is told to read its configuration again at that moment
    reload_signal = signal.SIGHUP  # None: it is ended and started again, as its users do

    def __init__(self, directory, keep_alive_s=None, limit=64 * 1024 * 1024):
        self.directory = directory
        self.keep_alive_s = keep_alive_s
        self.limit = limit
        self.port = free_port()
        self.process = None
        os.chmod(directory, 0o755)  # some have workers with an account of their own

    @classmethod
    def is_installed(cls):
        return shutil.which(cls.program, path=PATH) is not None

    @classmethod
    def version(cls):
        if not cls.is_installed():
            return "not installed"
        done = subprocess.run([shutil.which(cls.program, path=PATH), cls.version_option],
                              capture_output=True, text=True, check=True)
        return (done.stdout or done.stderr).splitlines()[0]

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="ascii") as file:
            file.write(text)
        return self.path(name)

    def command(self):
        """What starts it in the foreground; the configuration is written by then."""
        raise NotImplementedError

    def environment(self):
        return {"HOME": self.directory, "XDG_DATA_HOME": self.directory,
                "XDG_CONFIG_HOME": self.directory}

    def run(self, *command):
        """Runs a command of the server's to its end."""
        done = subprocess.run([shutil.which(command[0], path=PATH), *command[1:]], text=True,
                              env={**os.environ, **self.environment()}, cwd=self.directory,
                              stdin=subprocess.DEVNULL, capture_output=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"

    def start(self):
        command = self.command()
        with open(self.path("log"), "ab") as log:
            # A session of its own: what it has forked is ended with it. SIGTERM rather than SIGKILL
            # when the tests end early, for it to end them itself.
            self.process = subprocess.Popen(
                [shutil.which(command[0], path=PATH), *command[1:]], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, cwd=self.directory, start_new_session=True,
                env={**os.environ, **self.environment()},
                preexec_fn=lambda: die_with_parent(signal.SIGTERM))
        wait_for(self._answers, self.program, on_timeout=self.log)

    def _answers(self):
        assert self.process.poll() is None, f"{self.program} ended:\n{self.log()}"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def reload(self):
        if self.reload_signal is None:
            self.stop()
            self.start()
        else:
            self.process.send_signal(self.reload_signal)

    def stop(self):
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        finally:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass  # as it should be: it has ended all that it had forked
            self.process.wait()
            self.process = None

    def close(self):
        self.stop()

    def url(self, path="/hook"):
        return f"http://127.0.0.1:{self.port}{path}"

    def log(self):
        with open(self.path("log"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def seen(self):
        """A Seen for each request that came to the application, in their order."""
        raise NotImplementedError

    def requests(self):
        """{event: requests}"""
        return collections.Counter(seen.event for seen in self.seen())

    def connections(self):
        """How many connections have brought a request."""
        return len({seen.connection for seen in self.seen()})

    def break_application(self):
        """From now on there is no good answer."""
        raise NotImplementedError

    def mend_application(self):
        raise NotImplementedError


class Proxy(Server):
    """A server in front of an application, which is the tests' own receiver."""

    broken_status = (502, 503)  # what it says when the application is away

    def __init__(self, directory, **options):
        super().__init__(directory, **options)
        self.application = Receiver()

    def close(self):
        super().close()
        self.application.close()

    def seen(self):
        return [Seen(request.header("x-event-id"), tuple(request.values("x-remote-port")))
                for request in list(self.application.requests)]

    def break_application(self):
        self.application.close()

    def mend_application(self):
        self.application = Receiver(port=self.application.port)


class Application(Server):
    """A server with an application in it, of applications/, which writes down what it is asked."""

    broken_status = (500,)

    def environment(self):
        environment = {**super().environment(), "RECORD": self.path("record"),
                       "BROKEN": self.path("broken"), "LIMIT": str(self.limit),
                       "PORT": str(self.port), "PYTHONDONTWRITEBYTECODE": "1"}
        if self.keep_alive_s is not None:
            environment["KEEP_ALIVE_S"] = str(self.keep_alive_s)
        return environment

    def seen(self):
        if not os.path.exists(self.path("record")):
            return []
        with open(self.path("record"), encoding="ascii") as file:
            return [Seen(*line.split()) for line in file]

    def break_application(self):
        self.write("broken", "")

    def mend_application(self):
        os.unlink(self.path("broken"))
