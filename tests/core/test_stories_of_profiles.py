"""Section 3 of the specification, ``profile:update``: a user keeps seat, session and order."""

from __future__ import annotations

from presence_server.core.effects import Broadcast, SaveProfile
from presence_server.core.events import ProfileChanged
from presence_server.protocol.messages import PresenceChanged, UserJoined, UserUpdated
from presence_server.protocol.palette import palette_color
from presence_server.protocol.profile import ProfileChange
from tests.core.world import EPOCH_MS, IDLE, Wire, World
from tests.limits import board_limits


def names_told(user_id: str, wire: Wire) -> list[str]:
    """The names of a user that a connection was told after its snapshot."""
    users = [m.payload.user for m in wire.inbox if isinstance(m, UserUpdated)]
    return [user.display_name for user in users if user.user_id == user_id]


def test_everybody_is_told_once_and_the_seat_and_the_order_stay(board: World) -> None:
    ada, bob = board.connect("ada"), board.connect("bob")
    joined_at = ada.seen("ada").joined_at
    board.wait(1)
    effects = board.change_profile(ada, display_name="Ada L", color="#010203")
    for wire in (ada, bob):
        assert names_told("ada", wire) == ["Ada L"]
        seen = wire.seen("ada")
        assert (seen.display_name, seen.color, seen.joined_at) == ("Ada L", "#010203", joined_at)
    assert not ada.of(PresenceChanged)
    assert board.listed() == ["ada", "bob"]
    (saved,) = [effect for effect in effects if isinstance(effect, SaveProfile)]
    assert saved.at_ms == EPOCH_MS + 1000
    assert board.profiles["ada"].display_name == "Ada L"


def test_fields_that_are_not_given_stay_and_null_asks_for_the_default(board: World) -> None:
    ada = board.connect("ada", display_name="Ada", color="#010203")
    board.change_profile(ada, avatar_url="https://x.example/a.png")
    board.wait(1)
    assert ada.seen("ada").display_name == "Ada"
    board.change_profile(ada, display_name=None, avatar_url=None, color=None)
    seen = ada.seen("ada")
    assert (seen.display_name, seen.avatar_url, seen.color) == ("ada", None, palette_color("ada"))


def test_no_change_is_no_news(board: World) -> None:
    ada = board.connect("ada", display_name="Ada")
    effects = board.change_profile(ada, display_name=" Ada ")
    assert not [e for e in effects if isinstance(e, Broadcast | SaveProfile)]


def test_changes_in_a_row_are_told_as_one_with_the_newest_values() -> None:
    world = World(board_limits(cursor_interval_ms=50))
    ada = world.connect("ada")
    world.wait(1)
    for name in ("A", "B", "C"):
        world.change_profile(ada, display_name=name)
    assert names_told("ada", ada) == ["A"]
    world.wait(0.05)
    assert names_told("ada", ada) == ["A", "C"]


def test_a_status_that_changes_meanwhile_is_told_by_an_event_of_its_own() -> None:
    """A client that does not know user:updated still hears of the status."""
    world = World(board_limits(cursor_interval_ms=50))
    ada = world.connect("ada")
    world.wait(1)
    world.change_profile(ada, display_name="A")
    world.change_profile(ada, display_name="B")
    world.update(ada, status=IDLE)
    assert not ada.of(PresenceChanged)
    world.wait(0.05)
    assert ada.kinds()[-2:] == ["UserUpdated", "PresenceChanged"]


def test_is_a_sign_of_life_and_no_activity(board: World) -> None:
    ada = board.connect("ada")
    board.wait(61)
    assert ada.seen("ada").status is IDLE
    board.change_profile(ada, display_name="Ada L")
    assert ada.seen("ada").status is IDLE
    board.wait(board.limits.timeout_s - 1)
    assert board.listed() == ["ada"]


def test_while_the_row_is_not_stored_yet_the_join_tells_the_new_profile() -> None:
    world = World(board_limits(), auto=False)
    bob = world.connect("bob")
    world.commit(bob)
    ada = world.connect("ada")
    world.change_profile(ada, display_name="Ada L")
    world.commit(ada)
    joined = [m.payload.user for m in bob.inbox if isinstance(m, UserJoined)]
    assert [user.display_name for user in joined] == ["Ada L"]
    assert not bob.of(UserUpdated)
    assert ada.seen("ada").display_name == "Ada L"


def test_in_the_queue_it_changes_every_tab_and_keeps_the_place(bench: World) -> None:
    bench.connect("ada")
    first, second = bench.connect("bob"), bench.connect("bob")
    cyd = bench.connect("cyd")
    bench.change_profile(second, display_name="Bob B")
    assert (first.position, second.position, cyd.position) == (1, 1, 2)
    bench.leave(first)
    bench.kick("ada")
    assert second.seen("bob").display_name == "Bob B"


def test_a_second_tab_has_the_profile_that_the_user_has_by_now(board: World) -> None:
    ada = board.connect("ada", display_name="Ada")
    board.change_profile(ada, display_name="Ada L")
    assert board.connect("ada", display_name="Ada").seen("ada").display_name == "Ada L"
    assert board.profiles["ada"].display_name == "Ada L"


def test_it_outlives_a_restart_and_a_resume_does_not_take_it_back(board: World) -> None:
    ada = board.connect("ada", display_name="Ada")
    board.change_profile(ada, display_name="Ada L")
    board.restart()
    back = board.connect("ada", resume=ada.session_id, display_name="Ada")
    assert back.seen("ada").display_name == "Ada L"


def test_a_connection_without_the_session_changes_nothing(board: World) -> None:
    ada = board.connect("ada")
    board.resume(ada)
    effects = board.apply(
        ProfileChanged(ada.number, ada.session_id, ProfileChange(display_name="Eve"))
    )
    assert effects == []
