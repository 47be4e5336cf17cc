"""The folder of the processes, and the slots in it."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from presence_server.cluster.local import (
    LocalDirectory,
    RuntimeFolder,
    RuntimeFolderUnusable,
    SlotTaken,
)


def test_only_its_user_can_enter_the_folder(tmp_path: Path) -> None:
    folder = RuntimeFolder.make(tmp_path)
    listener = folder.listen(3)
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    assert folder.link_path(3).is_socket()
    listener.close()
    folder.remove()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.root
def test_another_user_cannot_join(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs the rights of root")
    for parent in (tmp_path, *tmp_path.parents):
        if parent.stat().st_uid == 0 and parent != Path("/") and "pytest" in parent.name:
            parent.chmod(0o755)
    folder = RuntimeFolder.make(tmp_path)
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


def test_a_slot_has_one_owner_until_its_process_is_dead(tmp_path: Path) -> None:
    folder = RuntimeFolder.make(tmp_path)
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


def test_folders_of_killed_servers_are_removed_and_those_in_use_stay(tmp_path: Path) -> None:
    in_use = RuntimeFolder.make(tmp_path)
    left_over = tmp_path / "presence-server-left"
    left_over.mkdir(0o700)
    (left_over / "slot-0").touch()
    strange = tmp_path / "presence-server-of-others"
    strange.mkdir(0o755)
    for old in (left_over, strange, in_use.path):
        os.utime(old, (0, 0))
    young = tmp_path / "presence-server-young"
    young.mkdir(0o700)
    other = RuntimeFolder.make(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        in_use.path.name,
        other.path.name,
        strange.name,
        young.name,
    }
    in_use.remove()
    other.remove()


def test_a_place_that_cannot_hold_the_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(RuntimeFolderUnusable, match="cannot make a folder in"):
        RuntimeFolder.make(tmp_path / "nowhere")
    deep = tmp_path / ("x" * 100)
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


def test_the_socket_of_a_slot_outlives_who_listens_on_it(tmp_path: Path) -> None:
    folder = RuntimeFolder.make(tmp_path)
    listener = folder.listen(0)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as link:
        link.connect(str(folder.link_path(0)))
        link.send(b"hello")
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.recv(100) == b"hello"
    listener.close()
    folder.remove()
