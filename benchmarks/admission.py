"""How long a freed seat takes to reach the head of the queue.

On a full board of 100, one member leaves and the first in line gets ``board:joined``.
Measured from before the leave is sent until after the snapshot is read, with the row
committed in between.
"""

from __future__ import annotations

import argparse
import statistics
import time

from benchmarks.rawclient import RawClient, board_path
from benchmarks.subject import running_server

CAPACITY = 100


def measure(rounds: int) -> list[float]:
    """Milliseconds of each admission."""
    times = []
    with running_server({"board.capacity": CAPACITY}) as subject:

        def connect(number: int) -> RawClient:
            path = board_path("bench", user_id=f"user-{number}")
            return RawClient(subject.host, subject.port, path)

        seated = [connect(number) for number in range(CAPACITY)]
        for client in seated:
            client.next_of("board:joined")
        for number in range(rounds):
            waiting = connect(CAPACITY + number)
            queued = waiting.next()
            assert queued["type"] == "board:queued", queued
            payload = queued["payload"]
            assert isinstance(payload, dict)
            assert payload["position"] == 1, queued
            leaver = seated.pop(0)
            started = time.perf_counter()
            leaver.send("board:leave")
            waiting.next_of("board:joined")
            times.append((time.perf_counter() - started) * 1000)
            leaver.close()
            seated.append(waiting)
        for client in seated:
            client.close()
    return times


def main() -> None:
    """Print the median and the worst."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    times = measure(parser.parse_args().rounds)
    print(
        f"admission from the queue: median {statistics.median(times):.1f} ms,"
        f" worst {max(times):.1f} ms of {len(times)} (aim: under 20 ms)"
    )


if __name__ == "__main__":
    main()
