"""What the store says of a board, to compare it with what clients see."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.servers import shared_postgres

Rows = dict[str, list[dict[str, object]]]
"""The open rows of a board by user: what each says of cursor and metadata."""

_QUERY = (
    "SELECT user_id, cursor_x, cursor_y, CAST(metadata AS text) FROM {table}"
    " WHERE board_id = '{board}' AND disconnected_at IS NULL"
)


class ModelStore:
    """An empty store of either kind.

    Args:
        folder: for the database, if it is SQLite.
        is_postgres: whether it is PostgreSQL.
    """

    def __init__(self, folder: Path, *, is_postgres: bool) -> None:
        self._path = None if is_postgres else folder / "presence.db"
        self.url = shared_postgres().new_database() if is_postgres else f"sqlite:///{self._path}"

    def open_rows(self, board: str) -> Rows:
        """The open rows of a board; none before the server made the tables."""
        found: Rows = {}
        for name, x, y, metadata in self._read(board):
            cursor = None if x is None else {"x": x, "y": y}
            parsed = None if metadata is None else json.loads(str(metadata))
            found.setdefault(str(name), []).append({"cursor": cursor, "metadata": parsed})
        return found

    def _read(self, board: str) -> list[tuple[object, ...]]:
        if self._path is None:
            sql = _QUERY.format(table="collab.presence", board=board)
            return [tuple(row) for row in shared_postgres().execute(sql, self.url)]
        sql = _QUERY.format(table="presence", board=board)
        with closing(sqlite3.connect(self._path, timeout=30)) as database:
            return database.execute(sql).fetchall()


def differences_of_rows(rows: Rows, listed: dict[str, dict[str, object]]) -> list[str]:
    """Where the rows differ from a list of users.

    Every row of a user must have the user's metadata. The cursor goes with the session that moved
    it, so one row must have it, and the others none or an older one of their own.
    """
    found = [f"{name} is missing" for name in sorted(listed.keys() - rows.keys())]
    found += [f"{name} is too many" for name in sorted(rows.keys() - listed.keys())]
    for name in sorted(rows.keys() & listed.keys()):
        cursors = [row["cursor"] for row in rows[name]]
        if listed[name]["cursor"] not in cursors:
            found.append(f"{name}: cursor is {cursors}, not {listed[name]['cursor']}")
        metadata = [row["metadata"] for row in rows[name]]
        if any(value != listed[name]["metadata"] for value in metadata):
            found.append(f"{name}: metadata is {metadata}, not {listed[name]['metadata']}")
    return found
