"""The first thing that a build runs."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from . import launcher, trust, unpacked


@contextmanager
def prepared() -> Iterator[None]:
    """Prepare the process for the command line, which is imported and run inside.

    Raises:
        SystemExit: with code 2, after one line on stderr, when the temporary folder of the single
            file cannot be used.
    """
    enable_fault_handler()
    try:
        launcher.end_with_launcher()
        unpacked.tidy()
        trust.find_roots()
        yield
    except (OSError, ImportError) as error:
        line = unpacked.trouble(error)
        if line is None:
            raise
        print(f"presence-server: {' '.join(line.split())}", file=sys.stderr)  # noqa: T201
        raise SystemExit(2) from None
    finally:
        # The launcher may pass on the Ctrl-C that ended the command, while Python exits.
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def enable_fault_handler(environ: Mapping[str, str] = os.environ) -> None:
    """Do what ``PYTHONFAULTHANDLER`` asks for: a build ignores Python's own variables.

    Args:
        environ: the environment of the process.
    """
    if environ.get("PYTHONFAULTHANDLER"):
        faulthandler.enable()
