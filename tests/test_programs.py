"""Which programs the tests take, where there is a choice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import programs


def test_the_browser_named_by_the_environment_wins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    on_path = tmp_path / "chromium"
    on_path.write_text("")
    on_path.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CHROMIUM", raising=False)
    assert programs.chromium() == on_path
    monkeypatch.setenv("CHROMIUM", "/opt/another/chromium")
    assert programs.chromium() == Path("/opt/another/chromium")


def test_without_one_there_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CHROMIUM", "")
    assert programs.chromium() is None
