"""The folder of the processes, and the slots in it."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from presence_server.cluster.local import (
    LocalDirectory,
    RuntimeFolder,
    RuntimeFolderUnusable,
    SlotTaken,
)


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder with a short path: the path of a socket has few bytes."""
    with tempfile.TemporaryDirectory(prefix="local-") as folder:
        yield Path(folder)


def test_only_its_user_can_enter_the_folder(place: Path) -> None:
    folder = RuntimeFolder.make(place)
    listener = folder.listen(3)
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    assert folder.link_path(3).is_socket()
    listener.close()
    folder.remove()
    assert list(place.iterdir()) == []


@pytest.mark.root
def test_another_user_cannot_join(place: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs the rights of root")
    place.chmod(0o755)
    folder = RuntimeFolder.make(place)
    listener = folder.listen(0)
    script = (
        "import os, socket, sys; os.setuid(65534);"
        " socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).connect(sys.argv[1])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder.link_path(0))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "PermissionError" in done.stderr
    listener.close()
    folder.remove()


def test_a_slot_has_one_owner_until_its_process_is_dead(place: Path) -> None:
    folder = RuntimeFolder.make(place)
    pid = os.fork()
    if not pid:
        folder.own(1)
        os.kill(os.getpid(), 19)  # SIGSTOP: it shows no life, and still owns its slot.
        os._exit(0)
    os.waitpid(pid, os.WUNTRACED)
    with pytest.raises(SlotTaken):
        folder.own(1)
    os.close(folder.own(2))
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    os.close(folder.own(1))
    folder.remove()


def test_folders_of_killed_servers_are_removed_and_those_in_use_stay(place: Path) -> None:
    in_use = RuntimeFolder.make(place)
    left_over = place / "presence-server-left"
    left_over.mkdir(0o700)
    (left_over / "slot-0").touch()
    strange = place / "presence-server-of-others"
    strange.mkdir(0o755)
    for old in (left_over, strange, in_use.path):
        os.utime(old, (0, 0))
    young = place / "presence-server-young"
    young.mkdir(0o700)
    other = RuntimeFolder.make(place)
    assert {path.name for path in place.iterdir()} == {
        in_use.path.name,
        other.path.name,
        strange.name,
        young.name,
    }
    in_use.remove()
    other.remove()


def test_a_place_that_cannot_hold_the_folder_is_named(place: Path) -> None:
    with pytest.raises(RuntimeFolderUnusable, match="cannot make a folder in"):
        RuntimeFolder.make(place / "nowhere")
    deep = place / ("x" * 100)
    deep.mkdir()
    with pytest.raises(RuntimeFolderUnusable, match="too long for a socket"):
        RuntimeFolder.make(deep)
    assert list(deep.iterdir()) == []


def test_each_board_has_one_owner_among_the_processes() -> None:
    directories = [LocalDirectory(slot, 4) for slot in range(4)]
    for number in range(100):
        board = f"board-{number}"
        (owner,) = [d.slot for d in directories if d.owns(board)]
        for directory in directories:
            expected = None if directory.slot == owner else owner
            assert directory.owner_of(board) == expected


def test_the_socket_of_a_slot_outlives_who_listens_on_it(place: Path) -> None:
    folder = RuntimeFolder.make(place)
    listener = folder.listen(0)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as link:
        link.connect(str(folder.link_path(0)))
        link.send(b"hello")
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.recv(100) == b"hello"
    listener.close()
    folder.remove()
