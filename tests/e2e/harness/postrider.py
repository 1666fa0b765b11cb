# SPDX-License-Identifier: MIT
"""The real binary: commands, and the service with its configuration, log and notify socket."""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass

from harness.process import die_with_parent, with_open_files
from harness.wait import wait_for

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
DEFAULT_SECRET = "whsec_cG9zdHJpZGVyLWRlZmF1bHQtc2VjcmV0LTMyLWJ5dGU="

# What no run may ever print, whatever the test is about.
BROKEN = re.compile(r"Sanitizer|runtime error:|BUG at|Assertion .* failed|Direct leak|"
                    r"Indirect leak|core dumped")

FAST = {
    "database": {},
    "worker": {"poll_interval": "20ms", "drain_timeout": "5s"},
    "delivery": {"timeout": "30s", "connect_timeout": "30s"},
    "retry": {"initial_delay": "20ms", "max_delay": "1h", "jitter": 0},
    # Tests that let an endpoint fail often are seldom about its breaker.
    "endpoint": {"breaker_failures": 0},
    "signing": {},
    "network": {"allow": ["127.0.0.0/8", "::1"]},
    "log": {"level": "debug", "format": "logfmt"},
}

# For tests that look at the first attempt.
SLOW = {"retry": {"initial_delay": "1h"}}


def migrations():
    """The names of all migrations, in their order."""
    names = os.listdir(os.path.join(ROOT, "migrations"))
    return sorted(name[:-len(".sql")] for name in names if re.match(r"[0-9]{4}_.*\.sql$", name))


def newest_version():
    """The number of the newest of them."""
    return int(migrations()[-1].split("_")[0])


def binary_path():
    default = os.path.join(ROOT, "build", "debug", "postrider")
    return os.path.abspath(os.environ.get("POSTRIDER_BINARY", default))


def binary():
    path = binary_path()
    assert os.access(path, os.X_OK), \
        f"{path} is missing: build it (cmake --workflow --preset debug) or set POSTRIDER_BINARY"
    return path


def environment(**changes):
    """The tests' own variables must not reach the binary, and the sanitizers must speak up."""
    env = {name: value for name, value in os.environ.items()
           if not name.startswith("PG") and not name.lower().endswith("_proxy")
           and name not in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID",
                            "CREDENTIALS_DIRECTORY", "JOURNAL_STREAM")}
    env["ASAN_OPTIONS"] = "detect_leaks=1:halt_on_error=1:exitcode=99"
    env["UBSAN_OPTIONS"] = "print_stacktrace=1:halt_on_error=1"
    env["LSAN_OPTIONS"] = "exitcode=99"
    env.update(changes)
    return {name: value for name, value in env.items() if value is not None}


@dataclass
class Result:
    """What a command did."""
    code: int
    stdout: str
    stderr: str

    def json(self):
        return json.loads(self.stdout)


def run_postrider(*arguments, input=None, env=None, timeout=60, cwd=None):
    """Runs a command to its end. Fails the test on any sanitizer report, abort or leak."""
    done = subprocess.run([binary(), *map(str, arguments)], input=input, timeout=timeout, cwd=cwd,
                          env=environment(**(env or {})), capture_output=True, text=True,
                          errors="replace", preexec_fn=die_with_parent,
                          stdin=subprocess.DEVNULL if input is None else None)
    assert not BROKEN.search(done.stderr), f"{arguments} broke:\n{done.stderr}"
    assert done.returncode >= 0, f"{arguments} died of signal {-done.returncode}:\n{done.stderr}"
    return Result(done.returncode, done.stdout, done.stderr)


def merge(base, changes):
    """base with changes laid over it, section by section; a value of None removes the key."""
    result = dict(base)
    for name, value in changes.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict) and isinstance(result.get(name), dict):
            result[name] = merge(result[name], value)
        else:
            result[name] = value
    return result


def to_yaml(value, indent=0):
    """Sections as blocks, everything else in the flow form that YAML shares with JSON."""
    lines = []
    for name, entry in value.items():
        if isinstance(entry, dict) and entry:
            lines.append(f"{' ' * indent}{name}:\n{to_yaml(entry, indent + 2)}")
        elif isinstance(entry, str) and re.fullmatch(r"[0-9]+[A-Za-z]+", entry):
            lines.append(f"{' ' * indent}{name}: {entry}\n")
        else:
            lines.append(f"{' ' * indent}{name}: {json.dumps(entry, ensure_ascii=False)}\n")
    return "".join(lines)


def write_config(directory, database_url, changes=None, secret=DEFAULT_SECRET):
    """Writes config.yaml and its secret file; returns the path. secret=None: no default secret,
    a list: several."""
    config = merge(FAST, {"database": {"url": database_url}})
    if secret is not None:
        secret_file = os.path.join(directory, "secret")
        with open(secret_file, "w", encoding="utf-8") as file:
            file.write("".join(f"{line}\n" for line in ([secret] if isinstance(secret, str)
                                                        else secret)))
        os.chmod(secret_file, 0o600)
        config["signing"] = {"secret_file": secret_file}
    config = {name: section for name, section in merge(config, changes or {}).items()
              if section != {}}
    path = os.path.join(directory, "config.yaml")
    # Never seen half-written by a service that is just reloading.
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(to_yaml(config))
    os.rename(path + ".new", path)
    return path


class NotifySocket:
    """The service manager's end of sd_notify: every datagram is kept, with its time.

    A path that begins with @ is a name in the abstract namespace.
    """

    def __init__(self, path):
        self.path = path.replace("@", "\0", 1) if path.startswith("@") else path
        self.messages = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.bind(self.path)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        while True:
            data = self._socket.recv(65536)
            if data == b"":
                return
            self.messages.append((time.monotonic(), data.decode("utf-8", "replace").split("\n")))

    def lines(self):
        """Every assignment so far, in order."""
        return [line for _, message in list(self.messages) for line in message if line]

    def count(self, line):
        return self.lines().count(line)

    def values(self, name):
        return [line.split("=", 1)[1] for line in self.lines() if line.startswith(name + "=")]

    def wait_for(self, line, count=1, limit_s=20.0):
        wait_for(lambda: self.count(line) >= count, f"{count} × {line}", limit_s,
                 on_timeout=lambda: f"received: {self.lines()}")

    def close(self):
        poke = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        poke.sendto(b"", self.path)
        poke.close()
        self._thread.join()
        self._socket.close()
        if not self.path.startswith("\0"):
            os.unlink(self.path)


def without_quarantine():
    """What env has to say where memory is measured: the sanitizer else keeps what was freed."""
    return {"ASAN_OPTIONS": environment()["ASAN_OPTIONS"] + ":quarantine_size_mb=1"}


class Service:
    """`postrider run`, from its start to an end that the test expects.

    The end is judged in finish(): a clean stop must exit 0; a test that wants another end says so
    with expect_exit (a code, or a negative signal number). env changes the environment, None
    removes a variable; notify_socket is the name of the socket it is told of, open_files
    are (soft, hard) limits, network is a descriptor of the network namespace it runs in, account
    (of pwd) is somebody else to run as, wrapper goes before the command and must exec it. start=False leaves the start to the test.
    """

    def __init__(self, database_url, changes=None, secret=DEFAULT_SECRET, env=None,
                 notify_socket=None, open_files=None, network=None, account=None, wrapper=(),
                 wait=True, start=True, command="run"):
        self.directory = tempfile.mkdtemp(prefix="postrider-run-")
        self.database_url = database_url
        self.secret = secret
        self.changes = changes or {}
        self.config_file = write_config(self.directory, database_url, self.changes, secret)
        self.log_file = os.path.join(self.directory, "log")
        socket_name = notify_socket or os.path.join(self.directory, "notify")
        self.notify = NotifySocket(socket_name)
        self.env = {"NOTIFY_SOCKET": socket_name, **(env or {})}
        self.open_files = open_files
        self.network = network
        self.wrapper = wrapper
        self.command = command
        self.account = {}
        if account is not None:
            self.account = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
            self.give_to(account)
        self.expect_exit = 0
        self.process = None
        if start:
            self.start(wait)

    def memory_kb(self):
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))

    def start(self, wait=True):
        assert self.process is None
        ready = self.notify.count("READY=1")
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(
                [*self.wrapper, binary(), self.command, "-c", self.config_file],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.directory,
                env=environment(**self.env),
                preexec_fn=with_open_files(self.open_files, self.network), **self.account)
        if wait:
            self.wait_until_ready(ready + 1)

    def give_to(self, account):
        for name in ("", *os.listdir(self.directory)):
            os.chown(os.path.join(self.directory, name), account.pw_uid, account.pw_gid)

    @property
    def pid(self):
        return self.process.pid

    def wait_until_ready(self, count=1):
        def ready():
            assert self.process.poll() is None, f"the service ended:\n{self.log()}"
            return self.notify.count("READY=1") >= count
        wait_for(ready, "READY=1", on_timeout=self.log)

    def log(self):
        with open(self.log_file, encoding="utf-8", errors="replace") as file:
            return file.read()

    def log_lines(self, pattern):
        return [line for line in self.log().splitlines() if re.search(pattern, line)]

    def wait_for_log(self, pattern, count=1, limit_s=20.0):
        """Waits for count lines that match; returns them."""
        return wait_for(lambda: (lines := self.log_lines(pattern)) and len(lines) >= count
                        and lines, f"a log line like {pattern!r}", limit_s, on_timeout=self.log)

    def signal(self, number):
        self.process.send_signal(number)

    def configure(self, changes=None, secret=None):
        """Writes a new configuration (on top of the first one); reload() or a start applies it."""
        write_config(self.directory, self.database_url, merge(self.changes, changes or {}),
                     secret or self.secret)

    def write_config_text(self, text):
        with open(self.config_file, "w", encoding="utf-8") as file:
            file.write(text)

    def reload(self, wait=True):
        """SIGHUP; waits until the service says that it is ready again."""
        ready = self.notify.count("READY=1")
        self.signal(signal.SIGHUP)
        if wait:
            self.wait_until_ready(ready + 1)

    def stop(self, limit_s=30.0):
        """SIGTERM, and its end: 0, or what the test expects."""
        if self.process is not None and self.process.poll() is None:
            self.signal(signal.SIGTERM)
        self.finish(limit_s)

    def kill(self):
        """SIGKILL: a crash. The end is as expected."""
        self.signal(signal.SIGKILL)
        self.process.wait()
        self.process = None

    def wait_for_exit(self, limit_s=30.0):
        """Waits for an end that something else caused; returns the status, unjudged."""
        return self.process.wait(limit_s)

    def finish(self, limit_s=30.0):
        if self.process is None:
            return
        try:
            code = self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGABRT)
            self.process.wait()
            self.process = None
            raise AssertionError(f"still running {limit_s:g} s after SIGTERM:\n{self.log()}")
        self.process = None
        assert code == self.expect_exit, \
            f"exit status {code} instead of {self.expect_exit}:\n{self.log()[-8000:]}"

    def close(self):
        """The end of the test: stops what still runs and looks for reports."""
        try:
            self.stop()
        finally:
            text = self.log()
            self.notify.close()
            shutil.rmtree(self.directory, ignore_errors=True)
            broken = BROKEN.search(text)
            assert not broken, f"the service broke ({broken.group()}):\n" \
                f"{text[max(0, broken.start() - 2000):][:12000]}"


def peak_memory_mib(started):
    """The most memory that a service has had."""
    with open(f"/proc/{started.pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmHWM:\s+(\d+) kB", file.read()).group(1)) / 1024
