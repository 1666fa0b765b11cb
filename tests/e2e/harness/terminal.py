# SPDX-License-Identifier: MIT
"""Runs a command on a terminal of its own, as a person does."""
import fcntl
import os
import pty
import struct
import subprocess
import termios

from harness.postrider import BROKEN, binary, environment
from harness.process import die_with_parent


def run_on_terminal(*arguments, columns=80, env=None, answer=""):
    """Exit status and everything that was shown, standard output and error together, when answer is typed."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    child = subprocess.Popen([binary(), *map(str, arguments)], stdin=theirs, stdout=theirs,
                             stderr=theirs, preexec_fn=die_with_parent,
                             env=environment(COLUMNS=None, TERM="xterm", **(env or {})))
    os.close(theirs)
    os.write(ours, answer.encode())
    shown = b""
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:  # EIO: the other end is closed
        pass
    finally:
        os.close(ours)
    text = shown.decode("utf-8", "replace").replace("\r\n", "\n")
    assert not BROKEN.search(text), text
    return child.wait(60), text
