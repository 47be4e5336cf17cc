"""Awareness messages that clients send back are told by their bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presence_server.core.yjs.echoes import SentPayloads
from presence_server.core.yjs.entries import encode_entries, encode_entry

IDS = st.integers(0, 2**53 - 1)
ENTRIES = st.dictionaries(IDS, st.tuples(st.integers(0, 300), st.binary(max_size=40)), max_size=6)


def encoded(entries: dict[int, tuple[int, bytes]]) -> dict[int, bytes]:
    return {client: encode_entry(client, *entry) for client, entry in entries.items()}


def payload_of(entries: dict[int, bytes]) -> bytes:
    return encode_entries(list(entries.values()))


def sent(*payloads: dict[int, bytes]) -> SentPayloads:
    found = SentPayloads()
    for entries in payloads:
        found.add(payload_of(entries), entries)
    return found


@given(st.lists(ENTRIES.filter(bool), min_size=1, max_size=5), st.data())
def test_a_payload_is_recognised_whole_and_without_one_entry(
    payloads: list[dict[int, tuple[int, bytes]]], data: st.DataObject
) -> None:
    newest = encoded(payloads[-1])
    found = sent(*map(encoded, payloads))
    assert found.recognises(payload_of(newest), ())
    own = data.draw(st.sampled_from(list(newest)))
    rest = {client: entry for client, entry in newest.items() if client != own}
    assert found.recognises(payload_of(newest), (own,))
    assert found.recognises(payload_of(rest), (own, 2**53)) == bool(rest)


@given(st.lists(ENTRIES.filter(bool), max_size=5), ENTRIES, st.sets(IDS, max_size=2), st.data())
def test_only_a_payload_that_was_sent_is_recognised(
    payloads: list[dict[int, tuple[int, bytes]]],
    other: dict[int, tuple[int, bytes]],
    own: set[int],
    data: st.DataObject,
) -> None:
    if payloads:
        own |= data.draw(st.sets(st.sampled_from(list(payloads[0])), max_size=2))
    known = [encoded(one) for one in payloads]
    cut = [[e for client, e in one.items() if client not in own] for one in known]
    said = payload_of(encoded(other))
    could_be = {payload_of(one) for one in known} | {encode_entries(one) for one in cut}
    assert not sent(*known).recognises(said, own) or said in could_be


@given(st.binary(max_size=30))
def test_damaged_bytes_are_not_recognised(payload: bytes) -> None:
    assert not sent(encoded({7: (1, b"{}")})).recognises(payload, (7,)) or payload == payload_of(
        encoded({7: (1, b"{}")})
    )


ABC = encoded({7: (1, b"aa"), 8: (1, b"bb"), 9: (1, b"cc")})


@pytest.mark.parametrize("own", [(7,), (8,), (9,), (8, 9)])
def test_a_payload_comes_back_without_the_entries_of_the_client(own: tuple[int, ...]) -> None:
    rest = {client: entry for client, entry in ABC.items() if client not in own}
    assert sent(ABC).recognises(payload_of(rest), own)


def test_one_changed_byte_is_another_message() -> None:
    rest = payload_of({client: entry for client, entry in ABC.items() if client != 8})
    for position in range(len(rest)):
        changed = bytearray(rest)
        changed[position] ^= 1
        assert not sent(ABC).recognises(bytes(changed), (8,))
    assert not sent(ABC).recognises(rest + b"\0", (8,))
    assert not sent(ABC).recognises(rest, (9,))


def test_old_payloads_are_forgotten() -> None:
    rounds = [encoded({7: (clock, b"{}"), 8: (1, b"{}")}) for clock in range(40)]
    found = sent(*rounds)
    assert len(found) == 32
    assert [found.recognises(payload_of(one), ()) for one in rounds] == [False] * 8 + [True] * 32
    assert found.size == sum(len(payload_of(one)) for one in rounds[8:])
    large = [encoded({clock: (1, b"x" * 8000)}) for clock in range(60)]
    found = sent(*large)
    assert found.size <= 262_144
    assert not found.recognises(payload_of(large[0]), ())


def test_a_payload_that_was_sent_twice_is_known_until_both_are_old() -> None:
    rounds = [ABC, ABC] + [encoded({1: (clock, b"{}")}) for clock in range(31)]
    assert sent(*rounds).recognises(payload_of(ABC), ())
    rounds.append(encoded({2: (0, b"")}))
    assert not sent(*rounds).recognises(payload_of(ABC), ())
