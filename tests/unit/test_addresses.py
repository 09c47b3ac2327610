"""Whose word for a client's address is taken, and which addresses are counted together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.kit.addresses import InvalidProxyError, TrustedProxies, counted_together, is_local, is_private

PROXIES = TrustedProxies.of(["10.0.0.0/8", "2001:db8:1::/48"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),  # no proxy of ours: its word is nothing
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["6.6.6.6, 198.51.100.1"], "198.51.100.1"),  # the client wrote the first one itself
        ("10.0.0.1", ["198.51.100.1, 10.0.0.2"], "198.51.100.1"),
        ("10.0.0.1", ["6.6.6.6", "198.51.100.1"], "198.51.100.1"),  # sent as two headers
        ("10.0.0.1", ["198.51.100.1:4711"], "198.51.100.1"),
        ("10.0.0.1", ["[2001:db8:2::1]:4711"], "2001:db8:2::1"),
        ("2001:db8:1::5", ["198.51.100.1"], "198.51.100.1"),
        ("::ffff:10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["6.6.6.6, unknown, 10.0.0.3"], "10.0.0.3"),
        ("10.0.0.1", ["6.6.6.6, <script>"], "10.0.0.1"),
    ],
)
def test_the_client_is_the_last_one_behind_trusted_proxies(peer: str, forwarded: list[str], client: str) -> None:
    assert PROXIES.client_of(peer, forwarded) == client


@pytest.mark.parametrize(
    ("value", "client"),
    [
        ("for=198.51.100.1", "198.51.100.1"),
        ('For="[2001:db8:2::1]:4711";proto=https', "2001:db8:2::1"),
        ("for=6.6.6.6, for=198.51.100.1;by=10.0.0.1", "198.51.100.1"),
        ("for=_hidden", "10.0.0.1"),
        ("proto=https", "10.0.0.1"),
    ],
)
def test_forwarded_is_read_where_it_is_the_header(value: str, client: str) -> None:
    assert TrustedProxies.of(["10.0.0.0/8"], "forwarded").client_of("10.0.0.1", [value]) == client


def test_without_trusted_proxies_the_peer_is_the_client() -> None:
    assert TrustedProxies().client_of("127.0.0.1", ["198.51.100.1"]) == "127.0.0.1"


@given(st.text(max_size=80), st.sampled_from(["x-forwarded-for", "forwarded"]))
def test_whatever_the_header_says_the_client_has_an_address(text: str, header: str) -> None:
    proxies = TrustedProxies.of(["10.0.0.0/8"], header)  # type: ignore[arg-type]
    client = proxies.client_of("10.0.0.1", [text])
    assert client == "10.0.0.1" or not client.startswith("<")
    counted_together(client)


def test_what_is_no_network_is_refused() -> None:
    with pytest.raises(InvalidProxyError):
        TrustedProxies.of(["my-proxy"])


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("198.51.100.1", "198.51.100.2", False),
        ("::ffff:198.51.100.1", "198.51.100.1", True),
        ("fe80::1%eth0", "fe80::2", True),
    ],
)
def test_ipv6_addresses_of_one_network_are_counted_together(one: str, other: str, together: bool) -> None:
    assert (counted_together(one) == counted_together(other)) is together


def test_own_and_private_addresses_are_known() -> None:
    assert [is_local(text) for text in ("127.0.0.1", "::1", "", "10.0.0.1", "testclient")] == [
        True, True, True, False, False,
    ]  # fmt: skip
    assert [is_private(text) for text in ("10.0.0.1", "fe80::1%eth0", "8.8.8.8", "2a00::1", "testclient")] == [
        True, True, False, False, False,
    ]  # fmt: skip
