"""Children that can't outlive the test run, even when it is killed."""
import ctypes
import resource
import signal

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def die_with_parent():
    """For preexec_fn: the kernel kills the child when the thread that started it ends."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def with_open_files(limits):
    """A preexec_fn that also sets (soft, hard) limits of open files; None leaves them."""
    def prepare():
        die_with_parent()
        if limits is not None:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    return prepare
