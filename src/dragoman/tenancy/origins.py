"""Origins of web sites, as browsers send them and as allow-lists name them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from dragoman.kit.errors import InvalidRequestError

_HOST = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*|\[[0-9a-f:.]+\]"
_ORIGIN: Final = re.compile(rf"https?://(?:\*\.)?(?:{_HOST})(?::[0-9]{{1,5}})?")


def checked_origins(origins: Sequence[str]) -> tuple[str, ...]:
    """Origins as browsers send them (RFC 6454): scheme, host and, where it is not the usual one, port; in small letters.

    Raises:
        InvalidRequestError: one is none, or there is none at all.
    """
    checked = [_checked_origin(origin) for origin in origins]
    if not checked:
        raise InvalidRequestError("A widget key needs at least one origin, such as `https://www.example.com`.")
    return tuple(dict.fromkeys(checked))


def _checked_origin(origin: str) -> str:
    text = origin.strip().lower().removesuffix("/")
    if not _ORIGIN.fullmatch(text):
        raise InvalidRequestError(
            f"{origin!r} is no origin. Write scheme and host, and the port if there is one: "
            "`https://www.example.com`, `http://localhost:3000`, or `https://*.example.com` for all below it."
        )
    default_port = ":443" if text.startswith("https:") else ":80"
    return text.removesuffix(default_port)


def is_allowed(origin: str, origins: Sequence[str]) -> bool:
    """Whether a page of this origin is on one of these web sites."""
    shown = origin.lower()
    return any(_matches(shown, allowed) for allowed in origins)


def _matches(shown: str, allowed: str) -> bool:
    scheme, star, rest = allowed.partition("*")
    if not star:
        return shown == allowed
    inside = shown.removeprefix(scheme).removesuffix(rest)
    is_below = shown.startswith(scheme) and shown.endswith(rest) and len(shown) > len(scheme) + len(rest)
    return is_below and re.fullmatch(r"[a-z0-9.-]+", inside) is not None
