# SPDX-License-Identifier: MIT
"""Children that can't outlive the test run, even when it is killed."""
import ctypes
import resource
import signal

PR_SET_PDEATHSIG = 1
CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent(number=signal.SIGKILL):
    """For preexec_fn: the kernel kills the child when the thread that started it ends; or sends it
    that signal, which lets it end children of its own."""
    _libc.prctl(PR_SET_PDEATHSIG, number)


def enter_network(descriptor):
    """The calling thread lives in that network namespace from now on."""
    if _libc.setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def with_open_files(limits, network=None):
    """A preexec_fn that also sets (soft, hard) limits of open files; None leaves them. network: a
    descriptor of the network namespace that the child is to live in."""
    def prepare():
        die_with_parent()
        if network is not None:
            enter_network(network)
        if limits is not None:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    return prepare
