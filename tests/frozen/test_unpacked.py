"""Left-over folders are removed, and no folder that may be somebody's."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from presence_server.frozen import unpacked
from presence_server.frozen.unpacked import MARKER, hold_folder, remove_left_overs, tidy, trouble
from tests.frozen.builds import as_folder, as_single_file


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """The folder of this process."""
    return unpacked_at(tmp_path / "_MEIown")


@pytest.fixture(autouse=True)
def _locks_end_with_the_test(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    held: list[int] = []
    monkeypatch.setattr(unpacked, "_locks", held)
    yield
    for descriptor in held:
        os.close(descriptor)


def unpacked_at(folder: Path, *, marked: bool = True) -> Path:
    (folder / "lib").mkdir(parents=True)
    (folder / "lib" / "a.so").write_bytes(b"x")
    if marked:
        (folder / MARKER).touch()
    return folder


def test_a_folder_that_a_killed_server_left_is_removed(own: Path) -> None:
    left = unpacked_at(own.parent / "_MEIleft")
    assert remove_left_overs(own) == [left]
    assert not left.exists()
    assert own.exists()


def test_a_folder_of_a_server_that_lives_stays(own: Path) -> None:
    folder = unpacked_at(own.parent / "_MEIbusy", marked=False)
    hold = "import sys; from pathlib import Path; from presence_server.frozen import unpacked;"
    hold += "unpacked.hold_folder(Path(sys.argv[1])); print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    ) as server:
        assert server.stdout is not None
        server.stdout.readline()
        assert (folder / MARKER).is_file()
        assert remove_left_overs(own) == []
        server.kill()
        server.wait()
    assert remove_left_overs(own) == [folder]


def test_a_folder_without_our_marker_stays(own: Path) -> None:
    """It belongs to another program, or to a server that is just being unpacked."""
    unpacked_at(own.parent / "_MEIother", marked=False)
    unpacked_at(own.parent / "something")
    assert remove_left_overs(own) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_folder_of_another_user_stays(own: Path) -> None:
    theirs = unpacked_at(own.parent / "_MEItheirs")
    os.chown(theirs, 65534, 65534)
    marked_by_them = unpacked_at(own.parent / "_MEImarked")
    os.chown(marked_by_them / MARKER, 65534, 65534)
    assert remove_left_overs(own) == []


def test_links_are_not_followed(own: Path, tmp_path: Path) -> None:
    elsewhere = unpacked_at(tmp_path / "elsewhere")
    (own.parent / "_MEIlink").symlink_to(elsewhere)
    left = unpacked_at(own.parent / "_MEIleft", marked=False)
    (left / MARKER).symlink_to(elsewhere / MARKER)
    assert remove_left_overs(own) == []
    assert (elsewhere / MARKER).exists()


def test_a_single_file_holds_its_folder_and_removes_the_others(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own / MARKER).unlink()
    left = unpacked_at(own.parent / "_MEIleft")
    as_single_file(monkeypatch, own)
    tidy()
    assert (own / MARKER).is_file()
    assert not left.exists()


def test_the_other_forms_touch_nothing(
    own: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    left = unpacked_at(own.parent / "_MEIleft")
    tidy()
    as_folder(monkeypatch, tmp_path)
    tidy()
    assert left.exists()


class TestTrouble:
    @pytest.mark.parametrize(
        "error",
        [
            ImportError("x.so: failed to map segment from shared object", name="x"),
            OSError(30, "Read-only file system", "{own}/.presence-server"),
            ImportError("cannot open shared object file", path="{own}/lib/a.so"),
        ],
        ids=["not executable", "not writable", "gone"],
    )
    def test_with_the_unpacked_files_names_the_way_out(
        self, own: Path, monkeypatch: pytest.MonkeyPatch, error: OSError | ImportError
    ) -> None:
        if isinstance(error, OSError):
            error = OSError(error.errno, error.strerror, str(error.filename).format(own=own))
        else:
            path = error.path and error.path.format(own=own)
            error = ImportError(error.msg, name=error.name, path=path)
        as_single_file(monkeypatch, own)
        line = trouble(error)
        assert line is not None
        assert "TMPDIR" in line
        assert "folder form" in line
        assert str(own) in line

    def test_of_another_kind_is_left_to_others(
        self, own: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        inside = OSError(30, "Read-only file system", str(own / "x"))
        assert trouble(inside) is None  # A package unpacks nothing.
        as_single_file(monkeypatch, own)
        assert trouble(OSError(2, "No such file", "/etc/presence-server/config.toml")) is None
        assert trouble(ImportError("no module named x")) is None
        assert trouble(ValueError(str(own))) is None

    def test_holding_the_folder_can_fail(self, tmp_path: Path) -> None:
        with pytest.raises(OSError, match="No such file"):
            hold_folder(tmp_path / "gone")
