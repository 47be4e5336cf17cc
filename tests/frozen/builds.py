"""Makes this Python look like one of PyInstaller's builds."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest


def as_single_file(monkeypatch: pytest.MonkeyPatch, unpacked: Path) -> None:
    """As if the launcher had unpacked the single file there and started this process."""
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "_MEIPASS", str(unpacked), raising=False)
    monkeypatch.setattr(sys, "executable", "/usr/local/bin/presence-server")


def as_folder(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """As if this process were the program of a folder."""
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "_MEIPASS", str(folder / "_internal"), raising=False)
    monkeypatch.setattr(sys, "executable", str(folder / "presence-server"))
