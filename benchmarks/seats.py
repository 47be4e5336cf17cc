"""kill -9 right after a queued user got a freed seat, twenty times on each store.

The newcomer has to resume in every round. SQLite always, PostgreSQL if it is on this machine.
"""

from __future__ import annotations

import argparse
import sys
import tempfile

import trio

from tests.server.test_kill_full_board import take_a_freed_seat_and_kill
from tests.servers import shared_postgres


def main() -> int:
    """Report the rounds that ended well; fail if one did not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    rounds: int = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        stores = {
            "sqlite": f"sqlite:///{folder}/presence.db",
            "postgresql": shared_postgres().new_database(),
        }
        failed = False
        for name, url in stores.items():
            resumed = trio.run(take_a_freed_seat_and_kill, url, rounds)
            failed = failed or resumed < rounds
            print(f"{name}: {resumed} of {rounds} resumed")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
