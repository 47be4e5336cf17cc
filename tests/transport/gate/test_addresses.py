"""What one address may ask for, and whose word counts about what an address is."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presence_server.transport.gate.addresses import AddressCounter, AddressLimits
from presence_server.transport.http.refusal import Refusal

PROXIES = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8"))


def counter_of(
    *, per_ip: int = 1000, rate: float = 1, burst: int = 1000, proxies: bool = False
) -> AddressCounter:
    return AddressCounter(AddressLimits(per_ip, rate, burst, PROXIES if proxies else ()))


def key_of(host: str, *forwarded: str, proxies: bool = True) -> str | None:
    counter = counter_of(proxies=proxies)
    connection = counter.arrive(host, 0)
    counter.identify(connection, forwarded, 0)
    return connection.key


class TestConnections:
    def test_of_one_address_have_a_limit(self) -> None:
        counter = counter_of(per_ip=2)
        first = counter.arrive("192.0.2.1", 0)
        counter.arrive("192.0.2.1", 0)
        with pytest.raises(Refusal, match="connections_per_ip") as refusal:
            counter.arrive("192.0.2.1", 0)
        assert (refusal.value.status, refusal.value.headers) == (429, {"Retry-After": "5"})
        counter.arrive("192.0.2.2", 0)
        first.leave()
        first.leave()
        counter.arrive("192.0.2.1", 0)
        with pytest.raises(Refusal):
            counter.arrive("192.0.2.1", 0)

    def test_without_an_address_are_not_counted(self) -> None:
        counter = counter_of(per_ip=1)
        counter.arrive(None, 0)
        counter.identify(counter.arrive(None, 0), ["192.0.2.1"], 0)
        assert len(counter) == 0


class TestConnects:
    def test_are_a_burst_and_then_a_rate(self) -> None:
        counter = counter_of(burst=3, rate=0.5)
        for _ in range(3):
            counter.arrive("192.0.2.1", 0)
        with pytest.raises(Refusal, match="connects_per_s") as refusal:
            counter.arrive("192.0.2.1", 0)
        assert (refusal.value.status, refusal.value.headers) == (429, {"Retry-After": "2"})
        counter.arrive("192.0.2.2", 0)
        counter.arrive("192.0.2.1", 2)
        with pytest.raises(Refusal):
            counter.arrive("192.0.2.1", 2)

    def test_with_a_long_head_cost_one_more_for_each_4_kib(self) -> None:
        counter = counter_of(burst=10, rate=1)
        for size, costs in ((185, 1), (4095, 1), (4096, 2), (16384, 5)):
            connection = counter.arrive("192.0.2.1", 100)
            counter.identify(connection, [], 100, size)
            for _ in range(10 - costs):
                counter.arrive("192.0.2.1", 100)
            with pytest.raises(Refusal, match="connects_per_s"):
                counter.arrive("192.0.2.1", 100)
            counter = counter_of(burst=10, rate=1)

    def test_wait_until_a_long_head_is_paid_for(self) -> None:
        counter = counter_of(burst=1, rate=1)
        # The head was read before its length was known, so it is served.
        counter.identify(counter.arrive("192.0.2.1", 0), [], 0, 16384)
        with pytest.raises(Refusal, match="connects_per_s") as refusal:
            counter.arrive("192.0.2.1", 4)
        assert refusal.value.headers == {"Retry-After": "1"}
        counter.arrive("192.0.2.1", 5)

    def test_through_a_proxy_pay_for_their_heads_each_by_its_address(self) -> None:
        counter = counter_of(burst=1, rate=1, proxies=True)
        counter.identify(counter.arrive("10.0.0.1", 0), ["192.0.2.1"], 0, 8192)
        with pytest.raises(Refusal, match="connects_per_s"):
            counter.identify(counter.arrive("10.0.0.1", 2), ["192.0.2.1"], 2, 185)
        counter.identify(counter.arrive("10.0.0.1", 2), ["192.0.2.2"], 2, 185)

    def test_on_a_connection_that_was_kept_pay_for_their_heads_too(self) -> None:
        counter = counter_of(burst=3, rate=1)
        connection = counter.arrive("192.0.2.1", 0)
        counter.identify(connection, [], 0, 185)
        connection.keep()
        counter.identify(connection, [], 0, 4096)
        with pytest.raises(Refusal, match="connects_per_s"):
            counter.identify(connection, [], 0, 185)

    def test_are_forgotten_when_nothing_is_left_to_count(self) -> None:
        counter = counter_of(burst=1)
        for number in range(1000):
            counter.arrive(f"198.51.{number // 250}.{number % 250}", float(number)).leave()
        assert len(counter) < 10

    def test_are_remembered_while_they_count(self) -> None:
        counter = counter_of(burst=1, rate=0.001)
        counter.arrive("192.0.2.1", 0).leave()
        for number in range(100):
            counter.arrive(f"198.51.100.{number}", 1).leave()
        with pytest.raises(Refusal):
            counter.arrive("192.0.2.1", 2)


class TestAddresses:
    def test_of_ipv6_are_counted_by_their_64(self) -> None:
        assert key_of("2001:db8::1") == key_of("2001:db8::ffff:1") == "2001:db8::/64"
        assert key_of("2001:db8:0:1::1") != key_of("2001:db8::1")
        assert key_of("fe80::1%eth0") == "fe80::/64"

    def test_of_ipv4_are_the_same_on_every_socket(self) -> None:
        assert key_of("::ffff:192.0.2.1") == key_of("192.0.2.1") == "192.0.2.1"


class TestProxies:
    def test_speak_for_their_clients(self) -> None:
        assert key_of("10.0.0.1", "192.0.2.7") == "192.0.2.7"
        assert key_of("fd00::1", "2001:db8::9") == "2001:db8::/64"
        assert key_of("10.0.0.1", "192.0.2.7, 10.0.0.2") == "192.0.2.7"

    def test_that_are_not_trusted_speak_for_themselves(self) -> None:
        assert key_of("192.0.2.1", "198.51.100.1") == "192.0.2.1"
        assert key_of("10.0.0.1", "198.51.100.1", proxies=False) == "10.0.0.1"

    def test_pass_on_what_a_client_made_up_but_it_does_not_count(self) -> None:
        assert key_of("10.0.0.1", "1.1.1.1, 192.0.2.7") == "192.0.2.7"
        assert key_of("10.0.0.1", "1.1.1.1", "192.0.2.7") == "192.0.2.7"
        assert key_of("10.0.0.1", "1.1.1.1, 192.0.2.7, 10.9.9.9") == "192.0.2.7"

    @pytest.mark.parametrize("value", ["", "unknown", "192.0.2.7, _hidden", ","])
    def test_that_do_not_say_who_speak_for_themselves(self, value: str) -> None:
        assert key_of("10.0.0.1", value) == "10.0.0.1"

    @pytest.mark.parametrize("value", ["192.0.2.7:1234", "[::ffff:192.0.2.7]:99", " 192.0.2.7 "])
    def test_may_name_a_port(self, value: str) -> None:
        assert key_of("10.0.0.1", value) == "192.0.2.7"

    def test_are_not_limited_by_what_their_clients_do(self) -> None:
        counter = counter_of(per_ip=1, proxies=True)
        for number in range(5):
            counter.identify(counter.arrive("10.0.0.1", 0), [f"192.0.2.{number}"], 0)
        with pytest.raises(Refusal):
            counter.identify(counter.arrive("10.0.0.1", 0), ["192.0.2.3"], 0)

    @given(st.lists(st.text()))
    def test_may_write_anything(self, forwarded: list[str]) -> None:
        assert key_of("10.0.0.1", *forwarded) is not None
