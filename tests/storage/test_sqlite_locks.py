"""A server keeps its locks on the database, so that no other reader deletes its newest rows."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from presence_server.storage.sqlite_file import make_file

READER = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('SELECT * FROM t').fetchall()"


def test_making_the_file_again_keeps_the_locks_of_open_connections(tmp_path: Path) -> None:
    path = tmp_path / "presence.db"
    make_file(path)
    with closing(sqlite3.connect(path)) as server:
        server.execute("PRAGMA journal_mode = WAL")
        server.execute("CREATE TABLE t (x)")
        server.commit()
        # POSIX drops all locks of a process on a file when the process closes any of its
        # descriptors; the last reader that sees no locks deletes the log of the others.
        make_file(path)
        subprocess.run([sys.executable, "-c", READER, str(path)], check=True)
        assert (tmp_path / "presence.db-wal").exists()


def test_a_link_whose_file_is_missing_gets_a_file_for_its_owner_only(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    link, target = tmp_path / "presence.db", tmp_path / "data" / "presence.db"
    link.symlink_to(target)
    make_file(link)
    make_file(link)
    assert target.stat().st_mode & 0o777 == 0o600
