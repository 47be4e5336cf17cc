"""A helper process with faults on demand: an update that is one of the words below is one.

Run as ``python faulty_helper.py``; the standard input is the socket to the server.
"""

from __future__ import annotations

import os
import signal

from presence_server.documents import helper_main
from presence_server.documents.channel import Merge, Reply, Request
from presence_server.documents.worker import Worker

HANG, PANIC, KILL, MEMORY, MUTE = b"hang", b"panic", b"kill", b"memory", b"mute"


class Panic(BaseException):
    """As pycrdt raises it: no ``Exception``."""


class FaultyWorker(Worker):
    def answer(self, request: Request) -> Reply:
        fault = request.updates[0] if isinstance(request, Merge) and request.updates else b""
        if fault == HANG:
            while True:
                pass
        if fault == PANIC:
            raise Panic("attempt to divide by zero")
        if fault == KILL:
            os.kill(os.getpid(), signal.SIGKILL)
        if fault == MEMORY:
            bytearray(8 * 2**30)
        if fault == MUTE:
            # It neither works nor ends: even its own alarm does not come.
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.pause()
        return super().answer(request)


if __name__ == "__main__":
    limits = helper_main.HelperLimits(call_s=float(os.environ.get("CALL_S", "5")))
    helper_main.main(limits, FaultyWorker)
