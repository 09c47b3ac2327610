"""Tokens of visitors and origins of web sites, whatever somebody writes."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.kit.encryption import Keyring
from dragoman.kit.errors import InvalidRequestError
from dragoman.tenancy import origins, visitor_tokens
from dragoman.tenancy.errors import ExpiredVisitorTokenError, InvalidVisitorTokenError
from dragoman.tenancy.visitor_tokens import VisitorToken, sign, verified

OLD, NEW = b"o" * 32, b"n" * 32
RING = Keyring({"k1": OLD})


def _token(origin: str = "https://a.example", **change: timedelta) -> VisitorToken:
    ends = datetime.now(UTC).replace(microsecond=0) + change.get("ends_in", timedelta(minutes=5))
    return VisitorToken(widget_key_id=uuid4(), visitor_id=uuid4(), origin=origin, expires_at=ends)


@given(st.text(max_size=200))
def test_what_was_signed_is_read_back(origin: str) -> None:
    token = _token(origin.encode("utf-8", "replace").decode())
    assert verified(sign(token, RING), RING) == token


@given(st.text() | st.binary(max_size=200).map(lambda content: "dgv_" + base64.urlsafe_b64encode(content).decode()))
def test_what_nobody_signed_is_refused(text: str) -> None:
    with pytest.raises(InvalidVisitorTokenError):
        verified(text, RING)


@given(place=st.integers(0, 89), bit=st.integers(0, 7))
def test_no_bit_of_a_token_can_be_changed(place: int, bit: int) -> None:
    text = sign(_token(), RING)
    content = bytearray(base64.urlsafe_b64decode(text[4:] + "=" * (-len(text[4:]) % 4)))
    content[place % len(content)] ^= 1 << bit
    with pytest.raises(InvalidVisitorTokenError):
        verified("dgv_" + base64.urlsafe_b64encode(bytes(content)).decode().rstrip("="), RING)


def test_tokens_outlive_a_change_of_the_master_key_and_not_its_removal() -> None:
    text = sign(_token(), RING)
    assert verified(text, Keyring({"k2": NEW, "k1": OLD}))
    with pytest.raises(InvalidVisitorTokenError):
        verified(text, Keyring({"k2": NEW}))


def test_an_expired_token_proves_who_the_visitor_is_for_a_while() -> None:
    text = sign(_token(ends_in=timedelta(seconds=-1)), RING)
    with pytest.raises(ExpiredVisitorTokenError):
        verified(text, RING)
    assert verified(text, RING, for_renewal=True).origin == "https://a.example"
    older = sign(_token(ends_in=-visitor_tokens.RENEWABLE_FOR - timedelta(seconds=1)), RING)
    with pytest.raises(ExpiredVisitorTokenError):
        verified(older, RING, for_renewal=True)


@pytest.mark.parametrize(
    ("origin", "allowed", "is_on_it"),
    [
        ("https://www.example.com", "https://www.example.com", True),
        ("HTTPS://WWW.Example.com", "https://www.example.com", True),
        ("https://www.example.com:8443", "https://www.example.com", False),
        ("http://www.example.com", "https://www.example.com", False),
        ("https://a.b.example.com", "https://*.example.com", True),
        ("https://example.com", "https://*.example.com", False),
        ("https://evilexample.com", "https://*.example.com", False),
        ("https://evil.test/.example.com", "https://*.example.com", False),
        ("https://evil.test:1@a.example.com", "https://*.example.com", False),
        ("http://a.localhost:3000", "http://*.localhost:3000", True),
        ("null", "https://*.example.com", False),
    ],
)
def test_which_pages_are_on_a_web_site(origin: str, allowed: str, is_on_it: bool) -> None:
    assert origins.is_allowed(origin, [allowed]) is is_on_it


def test_origins_are_kept_as_browsers_send_them() -> None:
    given_ = ["https://WWW.Example.com/", "https://www.example.com:443", "http://[::1]:3000", "http://localhost:80"]
    assert origins.checked_origins(given_) == ("https://www.example.com", "http://[::1]:3000", "http://localhost")


@given(st.text(max_size=60))
def test_whatever_is_written_is_an_origin_or_refused(text: str) -> None:
    try:
        [kept] = origins.checked_origins([text])
    except InvalidRequestError:
        return
    assert kept.startswith(("http://", "https://"))
    assert not set(kept) & set(" /\\?#@") - {"/"}
