"""Tokens in cookies, for browsers: which cookies there are, and when one counts.

A browser sends cookies along with whatever another site makes it ask. So a cookie counts for a request that changes
something only if the browser says that it comes from our own pages: `Sec-Fetch-Site` is `same-origin` or `none`, or,
where a browser does not send that, `Origin` is our own (OWASP, Cross-Site Request Forgery Prevention, "Fetch Metadata" and
"Verifying Origin"; the same rule is in Go's `http.CrossOriginProtection`). `SameSite` stands before it as a second wall.
Where neither header is there, the cookie does not count: every browser of today sends one of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from dragoman.tenancy.tokens.errors import CrossSiteRequestError

_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_LONGEST_HEADER: Final = 16 * 1024
_SPACE: Final = " \t"

Headers = Iterable[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CookiePolicy:
    """How this installation names and reads its cookies.

    Attributes:
        is_secure: people reach it by https: cookies are `Secure`, and their names begin with `__Host-`, so that no other
            host and no plain connection can set one (RFC 6265bis, 4.1.3.2).
        origin: of its public address, such as `https://chat.example.com`.
    """

    is_secure: bool
    origin: str

    @classmethod
    def of(cls, url: str) -> CookiePolicy:
        parts = urlsplit(url)
        return cls(is_secure=parts.scheme == "https", origin=f"{parts.scheme}://{parts.netloc}".lower())

    def name(self, what: str) -> str:
        """The name of the cookie that holds the `access` or the `refresh` token, the `device`, or a `state`."""
        return f"{'__Host-' if self.is_secure else ''}dragoman_{what}"

    def find(self, headers: Headers, what: str, *, method: str) -> str | None:
        """The value of this cookie; None: there is none.

        Raises:
            CrossSiteRequestError: there is one, and another site's page sent it along with a change.
        """
        held = list(headers)
        value = _cookie(held, self.name(what))
        if value is not None and method.upper() not in _SAFE_METHODS:
            self.require_own_page(held)
        return value

    def require_own_page(self, headers: Headers) -> None:
        """Raises CrossSiteRequestError: the request comes from a page of another site, or nothing says from where."""
        values = {name: value.decode("latin-1").strip().lower() for name, value in headers}
        site = values.get(b"sec-fetch-site", "")
        if site:
            if site in ("same-origin", "none"):
                return
            raise CrossSiteRequestError
        origin = values.get(b"origin", "")
        if origin and origin in (self.origin, f"{urlsplit(self.origin).scheme}://{values.get(b'host', '')}"):
            return
        raise CrossSiteRequestError


def _cookie(headers: Headers, name: str) -> str | None:
    """The last value under this name.

    Read pair by pair: the parser of `http.cookies` gives up at the first pair that it does not like, such as one of
    another application on the same host with JSON in it, and whatever follows is lost.
    """
    found = None
    for header, content in headers:
        if header == b"cookie" and len(content) <= _LONGEST_HEADER:
            for pair in content.decode("latin-1").split(";"):
                held, _, value = pair.partition("=")
                if held.strip(_SPACE) == name:
                    found = value.strip(_SPACE).strip('"') or None
    return found
