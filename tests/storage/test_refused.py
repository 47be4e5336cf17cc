"""What ends the start may pass, or not: the exit code of the command depends on it."""

from __future__ import annotations

import sqlite3

import asyncpg
import pytest

from presence_server.storage.diagnose import diagnose
from presence_server.storage.errors import StorageUnavailable
from presence_server.storage.url import StoreUrl, parse_url

POSTGRES = parse_url("postgresql://u:p@h/d")
SQLITE = parse_url("sqlite:////mnt/data/presence.db")


@pytest.mark.parametrize(
    ("error", "url"),
    [
        (asyncpg.InvalidPasswordError("password authentication failed"), POSTGRES),
        (asyncpg.InvalidAuthorizationSpecificationError("role is not permitted"), POSTGRES),
        (PermissionError(13, "Permission denied"), SQLITE),
        (FileNotFoundError(2, "No such file or directory"), SQLITE),
        (OSError(30, "Read-only file system"), SQLITE),
        (sqlite3.OperationalError("unable to open database file"), SQLITE),
        (sqlite3.OperationalError("attempt to write a readonly database"), SQLITE),
    ],
)
def test_a_login_that_is_refused_and_a_folder_that_is_not_mounted_end_the_start_and_may_pass(
    error: Exception, url: StoreUrl
) -> None:
    found = diagnose(error, url)
    assert not isinstance(found, StorageUnavailable)
    assert found.may_pass


@pytest.mark.parametrize(
    "error",
    [
        NotADirectoryError(20, "Not a directory"),
        FileExistsError(17, "File exists"),
        sqlite3.DatabaseError("file is not a database"),
    ],
)
def test_a_wrong_path_and_a_damaged_file_do_not_pass(error: Exception) -> None:
    assert not diagnose(error, SQLITE).may_pass
