"""The browser's client library, tested in Node: see ``static/*.test.mjs``."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

_HERE = Path(__file__).parent / "static"
_SCRIPTS = sorted(path.name for path in _HERE.glob("*.test.mjs"))


def node() -> str:
    """The path of Node.js; without it the test is skipped, and on CI it fails."""
    found = shutil.which("node")
    if found is None:
        message = "needs Node.js 18 or later, which is not on this machine"
        if os.environ.get("CI") == "true":
            pytest.fail(message, pytrace=False)
        pytest.skip(message)
    return found


def test_there_are_scripts() -> None:
    assert len(_SCRIPTS) >= 6


@pytest.mark.parametrize("script", _SCRIPTS)
def test_client_library(script: str) -> None:
    done = subprocess.run(
        [node(), "--test", str(_HERE / script)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
