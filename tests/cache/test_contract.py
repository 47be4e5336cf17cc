"""What :class:`Cache` promises, of every cache."""

from __future__ import annotations

from presence_server.presence.bridge import Bridge
from tests.cache.conftest import Backend

LISTS = {f"board-{n}": b'[{"user_id":"u%d"}]' % n for n in range(20)}


async def test_what_is_set_is_there_byte_for_byte(bridge: Bridge, backend: Backend) -> None:
    lists = {"plain": b"[]", "b:~.-": '[{"display_name":"Ünï 😀"}]'.encode(), **LISTS}
    await bridge.call(backend.cache.set_many, lists)
    for board_id, users in lists.items():
        assert await bridge.call(backend.cache.get, board_id) == users


async def test_an_unknown_board_has_no_list(bridge: Bridge, backend: Backend) -> None:
    assert await bridge.call(backend.cache.get, "nobody") is None


async def test_setting_again_replaces(bridge: Bridge, backend: Backend) -> None:
    await bridge.call(backend.cache.set_many, {"b": b"[1]"})
    await bridge.call(backend.cache.set_many, {"b": b"[2]"})
    assert await bridge.call(backend.cache.get, "b") == b"[2]"


async def test_deleting_forgets_those_boards_only(bridge: Bridge, backend: Backend) -> None:
    await bridge.call(backend.cache.set_many, LISTS)
    await bridge.call(backend.cache.delete_many, ["board-1", "board-2", "never-there"])
    assert await bridge.call(backend.cache.get, "board-1") is None
    assert await bridge.call(backend.cache.get, "board-3") == LISTS["board-3"]


async def test_nothing_to_do_is_no_error(bridge: Bridge, backend: Backend) -> None:
    await bridge.call(backend.cache.set_many, {})
    await bridge.call(backend.cache.delete_many, [])


async def test_a_list_expires_after_its_time(bridge: Bridge, backend: Backend) -> None:
    await bridge.call(backend.cache.set_many, {"b": b"[1]"})
    await backend.wait(Backend.TTL_S + 0.05)
    assert await bridge.call(backend.cache.get, "b") is None


async def test_setting_again_starts_the_time_anew_and_reading_does_not(
    bridge: Bridge, backend: Backend
) -> None:
    await bridge.call(backend.cache.set_many, {"set": b"[1]", "read": b"[1]"})
    for _ in range(2):
        await backend.wait(Backend.TTL_S * 0.6)
        await bridge.call(backend.cache.set_many, {"set": b"[2]"})
        await bridge.call(backend.cache.get, "read")
    assert await bridge.call(backend.cache.get, "set") == b"[2]"
    assert await bridge.call(backend.cache.get, "read") is None


async def test_its_identity_stays_while_it_holds_what_it_was_given(
    bridge: Bridge, backend: Backend
) -> None:
    before = await bridge.call(backend.cache.identity)
    await bridge.call(backend.cache.set_many, LISTS)
    assert await bridge.call(backend.cache.identity) == before


async def test_after_closing_the_next_call_connects_again(bridge: Bridge, backend: Backend) -> None:
    await bridge.call(backend.cache.aclose)
    await bridge.call(backend.cache.set_many, {"b": b"[1]"})
    assert await bridge.call(backend.cache.get, "b") == b"[1]"
