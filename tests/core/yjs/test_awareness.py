"""Awareness: whose ids there are, what is taken from whom, and what the others hear."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from presence_server.core.yjs.awareness import MAX_IDS, REMEMBERED_S, AwarenessTray, Said
from presence_server.core.yjs.entries import (
    MAX_ENTRIES,
    NULL,
    encode_entries,
    encode_entry,
    read_entries,
)
from presence_server.core.yjs.states import FIRST_SERVER_ID
from presence_server.core.yjs.varint import DamagedBytes
from presence_server.protocol.model import Cursor
from presence_server.protocol.profile import UserProfile, clean_profile

ADA, EVE = (clean_profile(name, display_name=name.title()) for name in ("ada", "eve"))
HI, HO = b'{"n":"hi"}', b'{"n":"ho"}'


def payload(*entries: tuple[int, int, bytes]) -> bytes:
    return encode_entries([encode_entry(*entry) for entry in entries])


class Tray(AwarenessTray):
    """A tray with sessions that are named by a letter and a number of their connection."""

    def __init__(self) -> None:
        super().__init__(50)
        self.now = 100.0

    def hear(
        self,
        session: str,
        *entries: tuple[int, int, bytes],
        connection: int = 1,
        profile: UserProfile = ADA,
    ) -> Said:
        return self.say(session, connection, profile, payload(*entries), self.now)

    def sent(self) -> dict[int, tuple[int, object]]:
        """The states of the next message, without the stamp."""
        self.now += 1
        data = self.take(self.now)
        return {} if data is None else shown(data)


def shown(data: bytes) -> dict[int, tuple[int, object]]:
    found: dict[int, tuple[int, object]] = {}
    for entry in read_entries(data):
        state = json.loads(entry.state)
        if state is not None:
            state = (state["user"]["id"], state.get("n"))
        found[entry.client] = entry.clock, state
    return found


def test_of_a_message_the_first_thousand_entries_are_read() -> None:
    entries = [(number, 1, HI) for number in range(MAX_ENTRIES + 1)]
    assert len(read_entries(payload(*entries))) == MAX_ENTRIES
    assert len(read_entries(payload(*entries[:-1]))) == MAX_ENTRIES
    assert len(read_entries(payload(*entries) + b"more")) == MAX_ENTRIES
    with pytest.raises(DamagedBytes):
        read_entries(payload(*entries[:-1]) + b"more")


def test_all_states_are_put_together_once_for_all_who_ask_until_one_changes() -> None:
    tray = Tray()
    tray.hear("a", (1, 1, HI))
    tray.hear("b", (2, 1, HO), profile=EVE)
    tray.show_user(clean_profile("page"), None, tray.now)
    seen = [tray.everybody()]
    assert tray.everybody() is seen[0]
    tray.hear("a", (1, 2, HO))
    seen.append(tray.everybody())
    tray.hear("a", (1, 2, NULL))
    seen.append(tray.everybody())
    tray.renew(tray.now)
    seen.append(tray.everybody())
    tray.leave("b", tray.now)
    seen.append(tray.everybody())
    tray.hide_user("page", tray.now)
    seen.append(tray.everybody())
    assert [len(read_entries(payload)) for payload in seen] == [3, 3, 2, 2, 1, 0]
    assert len(set(seen)) == 6


def test_a_state_goes_to_the_others_stamped() -> None:
    tray = Tray()
    assert tray.due == math.inf
    assert tray.hear("a", (7, 1, HI)).has_changed
    assert tray.due == 100.0
    assert tray.sent() == {7: (1, ("ada", "hi"))}
    assert tray.due == math.inf
    assert tray.sent() == {}


def test_a_message_is_not_due_before_the_interval_is_over() -> None:
    tray = Tray()
    tray.hear("a", (7, 1, HI))
    assert tray.take(100.0) is not None
    tray.hear("a", (7, 2, HO))
    assert tray.due == 100.05
    assert tray.take(100.01) is None
    assert tray.take(100.05) is not None


def test_a_look_that_finds_nothing_sends_nothing() -> None:
    tray = Tray()
    tray.look_soon(100.0)
    assert tray.take(100.0) is None
    assert tray.due == math.inf


def test_all_that_changed_is_in_one_message_with_the_newest_states() -> None:
    tray = Tray()
    tray.hear("a", (7, 1, HI))
    tray.hear("a", (7, 2, HO))
    tray.hear("b", (8, 1, HI), profile=EVE)
    assert tray.sent() == {7: (2, ("ada", "ho")), 8: (1, ("eve", "hi"))}


def test_a_renewal_is_passed_on_but_no_change() -> None:
    tray = Tray()
    tray.hear("a", (7, 1, HI))
    tray.sent()
    assert tray.hear("a", (7, 2, HI)) == Said(has_changed=False, cursor=None)
    assert tray.sent() == {7: (2, ("ada", "hi"))}


def test_an_old_state_is_ignored() -> None:
    tray = Tray()
    tray.hear("a", (7, 5, HI))
    tray.sent()
    for clock in (4, 5):
        assert tray.hear("a", (7, clock, HO)) == Said()
    assert tray.sent() == {}


def test_what_others_send_back_is_ignored() -> None:
    tray = Tray()
    tray.hear("a", (7, 1, HI))
    tray.hear("b", (8, 1, HI), profile=EVE)
    tray.now += 1
    data = tray.take(tray.now)
    assert data is not None
    assert tray.say("b", 1, EVE, data, tray.now) == Said()
    assert tray.hear("b", (7, 9, HO), (8, 2, HI), profile=EVE) == Said(cursor=None)
    assert tray.sent() == {8: (2, ("eve", "hi"))}


def test_what_a_client_sends_back_without_its_own_state_is_recognised() -> None:
    tray = Tray()
    for number, client in enumerate((7, 8, 9)):
        tray.hear("abc"[number], (client, 1, HI))
    tray.now += 1
    assert tray.take(tray.now) is not None
    states = [tray._states[client].encoded for client in (7, 9)]
    assert tray.is_echo("b", 1, encode_entries(states))
    assert tray.is_echo("b", 1, encode_entries(states[::-1]))  # It is read, entry by entry.


class TestIds:
    def test_nobody_takes_an_id_that_somebody_announced(self) -> None:
        tray = Tray()
        tray.hear("a", (7, 1, HI))
        tray.sent()
        assert tray.hear("b", (7, 9, HO), profile=EVE) == Said()
        assert tray.hear("b", (7, 10, NULL), profile=EVE) == Said()
        assert tray.sent() == {}

    def test_an_id_that_was_only_mentioned_goes_to_the_connection_that_announces_it(self) -> None:
        tray = Tray()
        tray.hear("a", (7, 1, HI), (8, 1, HI))
        assert tray.sent()[8] == (1, ("ada", "hi"))
        said = tray.hear("b", (8, 2, HO), profile=EVE, connection=2)
        assert said.has_changed
        assert tray.sent() == {8: (2, ("eve", "ho"))}
        assert tray.hear("a", (8, 3, HI)) == Said()

    def test_a_state_with_the_wrong_user_goes_even_if_its_owner_must_be_nudged(self) -> None:
        tray = Tray()
        tray.hear("a", (7, 1, HI), (8, 5, HI))
        tray.sent()
        assert tray.hear("b", (8, 5, HI), profile=EVE, connection=2).nudges == (8,)
        assert tray.sent() == {8: (5, None)}

    def test_a_later_connection_of_the_same_user_takes_its_id_over(self) -> None:
        tray = Tray()
        tray.hear("a", (7, 3, HI))
        tray.sent()
        assert tray.hear("b", (7, 3, HI), connection=2) == Said()
        assert tray.sent() == {}
        tray.hear("b", (7, 4, HO), connection=2)
        assert tray.sent() == {7: (4, ("ada", "ho"))}
        tray.leave("a", tray.now)
        assert tray.sent() == {}
        assert tray.ids_of("b") == (7,)

    def test_an_earlier_connection_of_the_same_user_does_not(self) -> None:
        tray = Tray()
        tray.hear("b", (7, 3, HI), connection=2)
        assert tray.hear("a", (7, 4, HO), connection=1) == Said()

    def test_a_session_on_a_new_connection_announces_anew(self) -> None:
        tray = Tray()
        tray.hear("a", (7, 3, HI))
        tray.hide("a", tray.now)
        assert tray.sent() == {7: (3, None)}
        assert tray.hear("a", (7, 3, HI), connection=2).nudges == (7,)
        assert shown(tray.null_for((7,))) == {7: (3, None)}
        assert tray.hear("a", (7, 4, HI), connection=2).has_changed
        assert tray.sent() == {7: (4, ("ada", "hi"))}

    def test_a_state_that_is_still_shown_needs_no_nudge(self) -> None:
        tray = Tray()
        tray.hear("a", (7, 3, HI))
        assert tray.hear("a", (7, 3, HI), connection=2) == Said()
        assert tray.hear("a", (7, 2, HI), connection=3).nudges == (7,)

    def test_a_first_state_at_clock_0_which_other_clients_ignore_is_nudged_once(self) -> None:
        tray = Tray()
        said = tray.hear("a", (7, 0, HI))
        assert (said.has_changed, said.nudges) == (True, (7,))
        assert shown(tray.null_for((7,))) == {7: (0, None)}
        assert tray.hear("a", (7, 0, HI)) == Said()
        assert tray.hear("a", (7, 1, HI)).nudges == ()
        assert tray.sent() == {7: (1, ("ada", "hi"))}
        assert tray.hear("b", (8, 0, NULL), profile=EVE) == Said()

    def test_a_session_has_a_few_ids(self) -> None:
        tray = Tray()
        entries = [(n, 1, HI) for n in range(1, 100)]
        tray.hear("a", *entries)
        assert len(tray.sent()) == MAX_IDS

    def test_a_null_for_an_id_that_nobody_has_is_nothing(self) -> None:
        tray = Tray()
        assert tray.hear("a", (7, 1, NULL)) == Said()
        assert tray.sent() == {}

    def test_an_id_that_left_is_remembered(self) -> None:
        tray = Tray()
        tray.hear("a", (7, 3, HI))
        tray.leave("a", tray.now)
        assert tray.sent() == {7: (3, None)}
        assert tray.hear("b", (7, 4, HI), profile=EVE) == Said()
        assert tray.hear("c", (9, 1, HI), (7, 4, HI)).has_changed
        assert tray.sent() == {9: (1, ("ada", "hi"))}

    def test_the_same_user_returns_to_it_by_announcing_it(self) -> None:
        tray = Tray()
        tray.hear("a", (7, 3, HI))
        tray.leave("a", tray.now)
        tray.sent()
        assert tray.hear("b", (7, 3, HI), connection=2).nudges == (7,)
        tray.hear("b", (7, 4, HI), connection=2)
        assert tray.sent() == {7: (4, ("ada", "hi"))}

    def test_after_a_minute_it_is_free(self) -> None:
        tray = Tray()
        tray.hear("a", (7, 3, HI))
        tray.hear("z", (6, 3, HI))
        tray.leave("a", tray.now)
        tray.leave("z", tray.now)
        tray.sent()
        tray.now += REMEMBERED_S
        tray.hear("b", (7, 4, HI), profile=EVE)
        assert tray.sent() == {7: (4, ("eve", "hi"))}
        tray.leave("b", tray.now)
        assert list(tray._left) == [7]

    def test_an_id_of_the_server_is_nobodys(self) -> None:
        tray = Tray()
        tray.show_user(EVE, None, tray.now)
        tray.sent()
        assert tray.hear("a", (FIRST_SERVER_ID, 9, HI)) == Said()
        assert tray.sent() == {}


class TestLeaving:
    def test_a_client_that_takes_its_state_away_says_goodbye(self) -> None:
        tray = Tray()
        assert not tray.has_said_goodbye("a")
        tray.hear("a")
        assert not tray.has_said_goodbye("a")
        tray.hear("a", (7, 1, HI))
        assert not tray.has_said_goodbye("a")
        assert tray.hear("a", (7, 1, NULL)).has_changed
        assert tray.has_said_goodbye("a")
        assert tray.hear("a", (7, 1, NULL)) == Said()
        assert not tray.hear("a", (7, 2, NULL)).has_changed
        tray.hear("a", (7, 3, HI))
        assert not tray.has_said_goodbye("a")

    def test_a_state_that_the_server_took_away_is_no_goodbye(self) -> None:
        tray = Tray()
        tray.hear("a", (7, 1, HI))
        tray.hide("a", tray.now)
        tray.hide("a", tray.now)
        assert not tray.has_said_goodbye("a")
        assert tray.ids_of("a") == ()

    def test_sessions_without_awareness(self) -> None:
        tray = Tray()
        tray.hide("a", tray.now)
        tray.leave("a", tray.now)
        assert tray.ids_of("a") == ()
        assert tray.sent() == {}


class TestUsersWithoutYjs:
    def test_they_have_a_state_of_the_servers(self) -> None:
        tray = Tray()
        tray.show_user(ADA, None, tray.now)
        tray.show_user(EVE, Cursor(1.0, 2.0), tray.now)
        assert tray.sent() == {
            FIRST_SERVER_ID: (0, ("ada", None)),
            FIRST_SERVER_ID + 1: (0, ("eve", None)),
        }
        tray.show_user(ADA, None, tray.now)
        assert tray.sent() == {}
        tray.show_user(ADA, Cursor(1.0, 2.0), tray.now)
        assert tray.sent() == {FIRST_SERVER_ID: (1, ("ada", None))}
        assert tray.shown_users == ["ada", "eve"]
        assert tray.speaking_users == set()

    def test_it_is_renewed_and_taken_away(self) -> None:
        tray = Tray()
        tray.show_user(ADA, None, tray.now)
        tray.sent()
        tray.renew(tray.now)
        assert tray.sent() == {FIRST_SERVER_ID: (1, ("ada", None))}
        tray.hide_user("ada", tray.now)
        tray.hide_user("ada", tray.now)
        assert tray.sent() == {FIRST_SERVER_ID: (1, None)}
        assert shown(tray.everybody()) == {}

    def test_who_speaks(self) -> None:
        tray = Tray()
        tray.hear("a", (7, 1, HI))
        tray.hear("b", (8, 1, HI), profile=EVE)
        tray.hide("b", tray.now)
        assert tray.speaking_users == {"ada"}
        assert shown(tray.everybody()) == {7: (1, ("ada", "hi"))}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "too early"),
        (b"\x01\x07", "too early"),
        (b"\x7f", "count"),
        (b"\x00\x00", "bytes follow"),
        (b"\x01\x07\x01\x05{}", "larger than what is left"),
        (payload((7, 1, b"[]")), "not a JSON object"),
    ],
)
def test_what_is_no_awareness(data: bytes, reason: str) -> None:
    with pytest.raises(DamagedBytes, match=reason):
        Tray().say("a", 1, ADA, data, 0.0)


def test_the_cursor_of_a_message() -> None:
    tray = Tray()
    assert tray.hear("a", (7, 1, b'{"cursor":{"x":1,"y":2}}')).cursor == Cursor(1.0, 2.0)
    assert tray.hear("a", (7, 2, b"{}")).cursor is None
    assert tray.hear("a", (7, 3, NULL)).cursor is None


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "c"]),
            st.lists(
                st.tuples(st.integers(1, 6), st.integers(0, 5), st.sampled_from([HI, HO, NULL])),
                max_size=4,
            ),
            st.sampled_from(["say", "say", "say", "hide", "leave", "take"]),
        ),
        max_size=40,
    )
)
def test_a_peer_sees_nobody_under_another_name(
    steps: list[tuple[str, list[tuple[int, int, bytes]], str]],
) -> None:
    # A peer as y-protocols has it: a newer clock counts, or a null at the same one.
    tray = Tray()
    seen: dict[int, tuple[int, object]] = {}
    profiles = {"a": ADA, "b": EVE, "c": ADA}
    for session, entries, action in steps:
        if action == "say":
            tray.hear(session, *entries, profile=profiles[session], connection=ord(session))
        elif action == "hide":
            tray.hide(session, tray.now)
        elif action == "leave":
            tray.leave(session, tray.now)
        for client, (clock, state) in tray.sent().items():
            before = seen.get(client, (-1, None))
            if clock > before[0] or (clock == before[0] and state is None):
                seen[client] = clock, state
        owners = {c: s.profile.user_id for s in tray._speakers.values() for c in s.ids}
        for client, (_, state) in seen.items():
            if state is not None:
                assert isinstance(state, tuple)
                assert state[0] == owners[client]
        visible = {c: s for c, (_, s) in seen.items() if s is not None}
        assert visible == {c: s for c, (_, s) in shown(tray.everybody()).items()}
