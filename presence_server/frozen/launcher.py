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
    if not _is_our_program(launcher):
        os.kill(os.getpid(), signal.SIGKILL)


def _is_our_program(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/exe").samefile("/proc/self/exe")
    except FileNotFoundError:
        return False
    except OSError:
        # /proc is hidden from us, or not there. The parent is alive as far as we know.
        return os.getppid() == pid != 1
