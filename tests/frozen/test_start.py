"""What a build does before and after the command line."""

from __future__ import annotations

import faulthandler
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from presence_server.frozen import launcher, unpacked
from presence_server.frozen.start import enable_fault_handler, prepared
from tests.frozen.builds import as_single_file


@pytest.fixture(autouse=True)
def _as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("PYTHONFAULTHANDLER", raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", "/mine")
    handler = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, handler)


@pytest.fixture
def single_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A single file whose launcher is not tied to this process."""
    as_single_file(monkeypatch, tmp_path)
    monkeypatch.setattr(launcher, "end_with_launcher", lambda: None)
    monkeypatch.setattr(unpacked, "tidy", lambda: None)
    return tmp_path


def test_trouble_with_the_unpacked_files_is_one_line_and_exit_code_2(
    single_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left, prepared():
        raise ImportError("x.so: failed to map segment from shared object\n", path="x.so")
    assert left.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("presence-server: ")
    assert "TMPDIR" in line


def test_every_other_error_is_raised_as_it_is(single_file: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"x\.toml"), prepared():
        raise FileNotFoundError(2, "No such file", "x.toml")


def test_the_echo_of_a_signal_does_not_disturb_the_end() -> None:
    with prepared():
        pass
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_the_fault_handler_is_on_when_the_variable_says_so() -> None:
    was_on = faulthandler.is_enabled()
    faulthandler.disable()
    try:
        enable_fault_handler({"PYTHONFAULTHANDLER": ""})
        assert not faulthandler.is_enabled()
        enable_fault_handler({"PYTHONFAULTHANDLER": "1"})
        assert faulthandler.is_enabled()
    finally:
        (faulthandler.enable if was_on else faulthandler.disable)()
