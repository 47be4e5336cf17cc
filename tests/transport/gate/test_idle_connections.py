"""How many connections may wait for their next request, and which one gives way."""

from __future__ import annotations

import pytest

from presence_server.transport.gate.idle_connections import IdleConnection, IdleConnections
from presence_server.transport.gate.open_requests import OpenRequests, UnreadAnswers


class Waiting(IdleConnection):
    def __init__(self) -> None:
        self.is_open = True

    def give_way(self) -> None:
        self.is_open = False


def test_the_oldest_connection_of_an_address_makes_room_for_its_next_one() -> None:
    idle = IdleConnections(total=10, share=2)
    mine, others = [Waiting() for _ in range(3)], [Waiting() for _ in range(2)]
    for each in others:
        idle.add(each, "other")
    for each in mine:
        idle.add(each, "mine")
    assert [each.is_open for each in mine] == [False, True, True]
    assert all(each.is_open for each in others)
    assert len(idle) == 4


def test_the_oldest_of_all_makes_room_when_all_places_are_taken() -> None:
    idle = IdleConnections(total=3, share=2)
    waiting = [Waiting() for _ in range(5)]
    for number, each in enumerate(waiting):
        idle.add(each, f"address-{number}")
    assert [each.is_open for each in waiting] == [False, False, True, True, True]


def test_those_of_a_proxy_count_for_no_address() -> None:
    idle = IdleConnections(total=5, share=1)
    waiting = [Waiting() for _ in range(5)]
    for each in waiting:
        idle.add(each, None)
    assert all(each.is_open for each in waiting)
    assert not idle.close_oldest_of("192.0.2.1")


def test_one_whose_next_request_begins_is_forgotten() -> None:
    idle = IdleConnections()
    waiting = Waiting()
    idle.add(waiting, "a")
    idle.discard(waiting)
    idle.discard(waiting)
    assert len(idle) == 0
    assert not idle.close_oldest()
    assert not idle.close_oldest_of("a")
    assert waiting.is_open


def test_when_the_server_stops_none_waits_nor_will() -> None:
    idle = IdleConnections()
    early, late = Waiting(), Waiting()
    idle.add(early, "a")
    idle.close_all()
    idle.add(late, "a")
    assert not early.is_open
    assert not late.is_open
    assert len(idle) == 0


def test_unread_answers_have_a_share_for_each_address() -> None:
    unread = UnreadAnswers(total=3, share=2)
    for _ in range(2):
        unread.add("a")
    assert not unread.has_room("a")
    assert unread.has_room("b")
    unread.add(None)
    assert not unread.has_room("b")
    unread.remove("a")
    assert unread.has_room("a")
    unread.remove("a")
    unread.remove(None)
    assert len(unread) == 0


@pytest.mark.parametrize("count", [0, 2])
async def test_the_end_of_all_requests_can_be_waited_for(count: int) -> None:
    requests = OpenRequests()
    for _ in range(count):
        requests.begin()
        requests.end()
    await requests.wait_until_none()
