"""The packets between processes: what goes in comes out, and garbage is an error."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presence_server.transport.gate.handover import (
    MAX_PACKET,
    Assembler,
    BadPacket,
    HandedOver,
    Question,
    packets,
)

REQUESTS = st.builds(
    HandedOver,
    st.text("0123456789abcdef.:%", max_size=80),
    st.binary(max_size=500),
    st.binary(max_size=2000),
    st.booleans(),
    st.sampled_from([1, 2, 10]),
)


def assembled(parts: list[bytes], assembler: Assembler) -> HandedOver | Question | None:
    """Feed all packets; only the last one may complete anything."""
    *first, last = parts
    for part in first:
        assert assembler.feed(part) is None
    return assembler.feed(last)


@given(st.lists(REQUESTS, min_size=1, max_size=3), st.integers(120, 700))
def test_requests_come_out_as_they_went_in(requests: list[HandedOver], max_packet: int) -> None:
    assembler = Assembler(10_000)
    for request in requests:
        parts = list(packets(request, max_packet))
        assert max(map(len, parts)) <= max_packet
        assert assembled(parts, assembler) == request


def test_a_head_of_16_kib_with_16_kib_after_it_is_one_packet() -> None:
    request = HandedOver("192.0.2.7", b"h" * 16384, b"r" * 16384)
    (packet,) = packets(request)
    assert len(packet) <= MAX_PACKET
    assert Assembler(100_000).feed(packet) == request


def test_a_long_message_follows_in_parts() -> None:
    request = HandedOver("::1", b"head", bytes(range(256)) * 4000, is_upgraded=True)
    parts = list(packets(request))
    assert len(parts) == 16
    assert assembled(parts, Assembler(2_000_000)) == request


def test_a_question_is_one_packet() -> None:
    (packet,) = packets(Question("metrics"))
    assert Assembler(100).feed(packet) == Question("metrics")


@given(REQUESTS, REQUESTS)
def test_a_request_that_was_cut_off_is_forgotten_when_the_next_one_begins(
    first: HandedOver, second: HandedOver
) -> None:
    assembler = Assembler(10_000)
    for part in list(packets(first, 120))[:-1]:
        assembler.feed(part)
    assert assembled(list(packets(second, 120)), assembler) == second


def test_the_end_of_a_request_without_its_beginning_is_passed_over() -> None:
    assembler = Assembler(10_000)
    *_, last = packets(HandedOver("x", b"h" * 400), 120)
    assert assembler.feed(last) is None


@given(st.binary(max_size=200))
def test_garbage_is_an_error(data: bytes) -> None:
    with pytest.raises(BadPacket):
        Assembler(1000).feed(data)


@given(REQUESTS, st.data())
def test_a_changed_packet_is_an_error_or_another_request_but_nothing_worse(
    request: HandedOver, data: st.DataObject
) -> None:
    (packet, *_) = packets(request)
    changed = bytearray(packet)
    changed[data.draw(st.integers(0, len(packet) - 1))] ^= data.draw(st.integers(1, 255))
    with suppress(BadPacket):
        Assembler(3000).feed(bytes(changed))


@pytest.mark.parametrize(
    "packet",
    [
        b"\xf7\x01\x01",
        b"\xf7\x01\x01\x01\x02\x00\x01",
        b"\xf7\x01\x09\x01",
        b"\xf7\x02\x01\x01",
        b"\xf7\x01\x03\x01\xff",
        # Lengths: more than there is, less than there is, more than is allowed, no ASCII.
        b"\xf7\x01\x01\x01\x02\x00\x01\x00\x00\x00\x05\x00\x00\x00\x00abc",
        b"\xf7\x01\x01\x01\x02\x00\x01\x00\x00\x00\x01\x00\x00\x00\x00abc",
        b"\xf7\x01\x01\x00\x02\x00\x01\x00\x00\x00\x01\x00\x00\x00\x01abc",
        b"\xf7\x01\x01\x00\x02\x00\x01\x00\x01\x00\x00\x00\x01\x00\x00abc",
        b"\xf7\x01\x01\x00\x02\x01\x00\x00\x00\x00\x01\x00\x00\x00\x00abc",
        b"\xf7\x01\x01\x01\x02\x00\x01\x00\x00\x00\x01\x00\x00\x00\x00\xffb",
    ],
)
def test_malformed_packets_are_errors(packet: bytes) -> None:
    with pytest.raises(BadPacket):
        Assembler(1000).feed(packet)
