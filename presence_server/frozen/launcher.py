"""The launcher of the single file, and how the server ends with it."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path

from .form import launcher_pid

_PR_SET_PDEATHSIG = 1
"""prctl(2): the kernel sends this process a signal when its parent ends."""


def end_with_launcher() -> None:
    """Have the kernel kill this process when its launcher ends, even by ``kill -9``.

    Without that the server would live on with nobody to stop it, and hold its port. Does
    nothing in the other forms, and on systems other than Linux.
    """
    launcher = launcher_pid()
    if launcher is None or sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # The launcher may have ended before the call: then the kernel will send nothing.
    if not is_our_program(launcher):
        os.kill(os.getpid(), signal.SIGKILL)


def is_our_program(pid: int, proc: Path = Path("/proc")) -> bool:
    """Whether a process runs the same program as this one.

    Args:
        pid: its process id.
        proc: where the kernel shows processes.

    Returns:
        False only if it certainly does not: there is no such process, or it runs another program.
        True where ``/proc`` is missing, or shows the processes of another namespace.
    """
    try:
        if (proc / "self").readlink() != Path(str(os.getpid())):
            return True
        return (proc / str(pid) / "exe").samefile(proc / "self" / "exe")
    except FileNotFoundError:
        return not (proc / "self" / "exe").exists()
    except OSError:
        return True  # /proc hides it from us.
