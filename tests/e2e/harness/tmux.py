# SPDX-License-Identifier: MIT
"""A real terminal: tmux draws what a program writes, and can be asked what is on the screen."""
import os
import shlex
import shutil
import subprocess
import tempfile

from harness.postrider import binary, environment
from harness.wait import wait_for


class Terminal:
    """One window of a tmux server of its own. A shell runs in it, so that what a program leaves behind is seen."""

    def __init__(self, columns=120, lines=30, **variables):
        self._directory = tempfile.mkdtemp(prefix="postrider-tmux-")
        self._tmux = ["tmux", "-S", os.path.join(self._directory, "socket"), "-f", "/dev/null"]
        variables = {"LC_ALL": "C.UTF-8", "PS1": "READY> ", "TERM": "xterm-256color", **variables}
        names = [f"{name}={value}" for name, value in variables.items() if name != "TERM"]
        kind = variables["TERM"]
        self._run("-u", "new-session", "-d", "-x", str(columns), "-y", str(lines), "env", *names,
                  f"TERM={'screen-256color' if kind == 'xterm-256color' else kind}", "sh", "-i")
        self.wait_for("READY>")

    def _run(self, *arguments):
        done = subprocess.run([*self._tmux, *arguments], capture_output=True, text=True, timeout=30,
                              env=environment(LC_ALL="C.UTF-8", TERM="xterm-256color"))
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, *arguments):
        self.type("clear; " + shlex.join([binary(), *map(str, arguments)]) + "; echo ended=$?; stty -a | grep -o '.echo '",
                  "Enter")

    def type(self, *keys):
        self._run("send-keys", *keys)

    def resize(self, columns, lines):
        self._run("resize-window", "-x", str(columns), "-y", str(lines))

    def screen(self, colours=False):
        return self._run("capture-pane", "-p", *(["-e"] if colours else []))

    def wait_for(self, text, absent=False):
        def seen():
            screen = self.screen()
            return screen if (text in screen) != absent else None
        try:
            return wait_for(seen, f"{text!r} on the screen")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.screen()}") from None

    def shell(self):
        """The process id of its shell."""
        return int(self._run("list-panes", "-F", "#{pane_pid}"))

    def close(self):
        subprocess.run([*self._tmux, "kill-server"], capture_output=True, timeout=30)
        shutil.rmtree(self._directory, ignore_errors=True)
