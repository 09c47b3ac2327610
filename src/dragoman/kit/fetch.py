"""Fetches what a stranger's URL points to, without being led where only this machine may go (SSRF).

Each host name is resolved here, each of its addresses is judged, and the connection goes to the very address that was
judged: a name that answers otherwise a moment later (DNS rebinding) gains nothing. Redirects pass through the same
door. Proxies of the environment, cookies and passwords in URLs are not used. Bodies are bounded while they arrive and
while they unpack.

    open -> _follow -> _send -> _CheckedNetwork.connect_tcp -> FetchPolicy.require_allowed

FetchError
├── InvalidUrlError 422, ForbiddenAddressError 422, TooManyRedirectsError 422, HostNotFoundError 422
├── BodyTooLargeError 413
├── RefusedByServerError 422        the server said 4xx
├── UnreadableResponseError 502     what it says is no HTTP, or packed in an unknown way
└── ServerFailedError 502, ServerUnreachableError 502, FetchTimeoutError 504     worth another try
"""

from __future__ import annotations

import asyncio
import hashlib
import socket
import ssl
import zlib
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any, Final

import anyio
import httpcore
import httpx

from dragoman.kit.errors import DragomanError, InvalidSettingError
from dragoman.kit.retry_after import parse_retry_after

Address = IPv4Address | IPv6Address
OnRedirect = Callable[[str], Awaitable[None]]
"""Told the URL that a redirect leads to, before it is asked for; raises to refuse it."""

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_PIECE_BYTES: Final = 64 * 1024
_MAX_URL_CHARACTERS: Final = 2048
_PASSING_STATUSES: Final = frozenset({408, 425, 429})
_NAT64: Final = IPv6Network("64:ff9b::/96")
_RELAY_6TO4: Final = IPv4Network("192.88.99.0/24")
# Services that hand a cloud machine its credentials. Some of these addresses lie in ranges an operator may well allow.
_METADATA: Final = frozenset(
    ip_address(text)
    for text in (
        "169.254.169.254",
        "169.254.170.2",
        "169.254.170.23",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
    )
)


class FetchError(DragomanError):
    """The address could not be fetched. The message says why."""

    code, status = "fetch.failed", 502


class InvalidUrlError(FetchError):
    """This is no address that can be fetched. Give a whole one that begins with http:// or https://, without a password."""

    code, status = "fetch.invalid_url", 422


class ForbiddenAddressError(FetchError):
    """This address leads into a private network, which is refused. The operator may allow it in DRAGOMAN_PRIVATE_NETWORKS."""

    code, status = "fetch.forbidden_address", 422


class HostNotFoundError(FetchError):
    """There is no server of this name. Check the address for a misspelling."""

    code, status = "fetch.host_not_found", 422


class TooManyRedirectsError(FetchError):
    """The address redirects again and again. Open it in a browser and give the address it ends at."""

    code, status = "fetch.too_many_redirects", 422


class RefusedByServerError(FetchError):
    """The server refuses to give this page. Check the address, and whether it can be read without signing in."""

    code, status = "fetch.refused_by_server", 422


class BodyTooLargeError(FetchError):
    """What lies at this address is larger than is accepted here. Split it, or raise the limit."""

    code, status = "fetch.too_large", 413


class UnreadableResponseError(FetchError):
    """The server's answer cannot be read. Open the address in a browser to see whether it works there."""

    code, status = "fetch.unreadable_response", 502


class ServerFailedError(FetchError):
    """The server has a problem of its own just now. Try again later."""

    code, status, retryable = "fetch.server_failed", 502, True


class ServerUnreachableError(FetchError):
    """The server does not answer. Check the address, and whether this machine reaches the internet; then try again."""

    code, status, retryable = "fetch.server_unreachable", 502, True


class FetchTimeoutError(FetchError):
    """The server takes too long. Try again later."""

    code, status, retryable = "fetch.timeout", 504, True


class InvalidNetworkError(InvalidSettingError):
    """A private network that may be fetched from is neither a network such as 10.1.0.0/16, nor an address, nor a host name."""

    code = "settings.invalid_network"


# ---- where one may go


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchPolicy:
    """What may be fetched, and how.

    Attributes:
        allowed_networks: networks outside the public internet that may be reached all the same.
        allowed_hosts: lower-case names of hosts that may have any address.
        user_agent: how we introduce ourselves; name and contact.
        connect_timeout_s, idle_timeout_s: for a connection, and for the next bytes of an answer.
        total_timeout_s: from the first request to the last byte, redirects included.
    """

    allowed_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    allowed_hosts: frozenset[str] = frozenset()
    user_agent: str = "Dragoman"
    connect_timeout_s: float = 10.0
    idle_timeout_s: float = 20.0
    total_timeout_s: float = 120.0
    max_redirects: int = 5

    @classmethod
    def of(cls, private_networks: Iterable[str], *, user_agent: str = "Dragoman") -> FetchPolicy:
        """From a setting that mixes networks, addresses and host names.

        Raises:
            InvalidNetworkError.
        """
        networks: list[IPv4Network | IPv6Network] = []
        hosts: set[str] = set()
        for text in private_networks:
            try:
                networks.append(ip_network(text, strict=False))
            except ValueError:
                hosts.add(_host_name(text))
        return cls(allowed_networks=tuple(networks), allowed_hosts=frozenset(hosts), user_agent=user_agent)

    def require_allowed(self, host: str, addresses: Iterable[str]) -> None:
        """Judge all addresses of a host: one that is forbidden condemns the name.

        Raises:
            ForbiddenAddressError.
        """
        if host.lower().rstrip(".") in self.allowed_hosts:
            return
        for text in addresses:
            address = ip_address(text.partition("%")[0])
            if not self._allows(address):
                raise ForbiddenAddressError(
                    f"{host} leads to {address}, which is not on the public internet, and is refused. "
                    "The operator may allow it in DRAGOMAN_PRIVATE_NETWORKS."
                )

    def _allows(self, address: Address) -> bool:
        inner = _unwrapped(address)
        if inner in _METADATA:  # never as one of many; only by name
            return any(network.num_addresses == 1 and inner in network for network in self._of_family(inner))
        return _is_public(inner) or any(inner in network for network in self._of_family(inner))

    def _of_family(self, address: Address) -> list[IPv4Network | IPv6Network]:
        return [network for network in self.allowed_networks if network.version == address.version]


def _host_name(text: str) -> str:
    name = text.strip().lower().rstrip(".")
    if not name or any(character in name for character in "/:@ *"):
        raise InvalidNetworkError(
            f"{text!r} is neither a network such as 10.1.0.0/16, nor an address, nor a host name."
        )
    return name


def _unwrapped(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for: IPv4-mapped, 6to4 (RFC 3056) and NAT64 (RFC 6052)."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv4Address) and address in _RELAY_6TO4:
        return False
    if isinstance(address, IPv6Address) and address.is_site_local:
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


class _CheckedNetwork(httpcore.AsyncNetworkBackend):
    """Connects to addresses that the policy allows, and to the very ones it has judged."""

    def __init__(self, policy: FetchPolicy) -> None:
        self._policy = policy
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 -- httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        addresses = await _resolve(host, port)
        self._policy.require_allowed(host, addresses)
        for address in addresses[:-1]:
            try:
                return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._network.connect_tcp(addresses[-1], port, timeout, local_address, socket_options)


async def _resolve(host: str, port: int) -> list[str]:
    """The addresses of a host, at most four. Also turns 0x7f.1, 2130706433 and 0177.1 into what they mean."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        if error.errno == socket.EAI_AGAIN:
            raise ServerUnreachableError(f"The name {host} cannot be looked up now. Try again later.") from error
        raise HostNotFoundError(f"There is no server named {host}. Check the address for a misspelling.") from error
    except (UnicodeError, OSError) as error:
        raise HostNotFoundError(f"{host!r} is no name of a server.") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))[:4]


# ---- fetching


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A body on disk: its size in bytes (unpacked) and its SHA-256 in hexadecimal digits."""

    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An answer whose body has not been read. `url` is the one that answered, after redirects."""

    url: str
    status: int
    headers: httpx.Headers
    answer: httpcore.Response = field(repr=False)

    @property
    def mime_type(self) -> str:
        """Lower case, without parameters; empty where the server states none."""
        stated: str = self.headers.get("content-type", "")
        return stated.partition(";")[0].strip().lower()

    def raise_for_status(self) -> None:
        """Raises RefusedByServerError for 4xx, ServerFailedError for 5xx, 408, 425 and 429."""
        if self.status < 400:
            return
        if self.status >= 500 or self.status in _PASSING_STATUSES:
            raise ServerFailedError(
                f"{self.url} answers with the status {self.status}. Try again later.",
                retry_after_s=parse_retry_after(self.headers),
            )
        raise RefusedByServerError(
            f"{self.url} answers with the status {self.status}. Check the address, and whether it can be read "
            "without signing in."
        )

    async def read(self, *, max_bytes: int) -> bytes:
        """The whole body, unpacked. Raises BodyTooLargeError, UnreadableResponseError."""
        return b"".join([piece async for piece in self._pieces(max_bytes)])

    async def read_beginning(self, *, max_bytes: int) -> bytes:
        """The body, unpacked, up to so many bytes. Raises UnreadableResponseError."""
        content = bytearray()
        body = _unpacked(self.answer.aiter_stream(), self.headers.get("content-encoding", ""))
        async with aclosing(body) as pieces:
            async for piece in pieces:
                content += piece
                if len(content) >= max_bytes:
                    break
        return bytes(content[:max_bytes])

    async def save(self, target: Path, *, max_bytes: int) -> Saved:
        """Write the body, unpacked, to a file. Raises BodyTooLargeError, UnreadableResponseError."""
        digest, size = hashlib.sha256(), 0
        async with await anyio.open_file(target, "wb") as file:
            async for piece in self._pieces(max_bytes):
                digest.update(piece)
                size += len(piece)
                await file.write(piece)
        return Saved(size_bytes=size, sha256=digest.hexdigest())

    async def close(self) -> None:
        await self.answer.aclose()

    async def _pieces(self, max_bytes: int) -> AsyncIterator[bytes]:
        stated = self.headers.get("content-length", "")
        if stated.isdigit() and int(stated) > max_bytes:
            raise _too_large(self.url, max_bytes)
        size = 0
        async for piece in _unpacked(self.answer.aiter_stream(), self.headers.get("content-encoding", "")):
            size += len(piece)
            if size > max_bytes:
                raise _too_large(self.url, max_bytes)
            yield piece


def _too_large(url: str, max_bytes: int) -> BodyTooLargeError:
    return BodyTooLargeError(f"{url} holds more than the {max_bytes / 1024 / 1024:.1f} MiB accepted here.")


async def _unpacked(body: AsyncIterable[bytes], encoding: str) -> AsyncGenerator[bytes, None]:
    """The body without its content encoding, in pieces of at most 64 KiB however small it was packed."""
    match encoding.strip().lower():
        case "" | "identity":
            async for piece in body:
                yield piece
        case "gzip" | "x-gzip":
            async for piece in inflated(body, window_bits=31):
                yield piece
        case "deflate":
            async for piece in inflated(body, window_bits=15):
                yield piece
        case other:
            raise UnreadableResponseError(f"The server packs its answer as {other!r}, for which it was not asked.")


async def inflated(body: AsyncIterable[bytes], *, window_bits: int) -> AsyncGenerator[bytes, None]:
    """Unpack gzip (`window_bits` 31, several members too) or zlib (15) in pieces of at most 64 KiB.

    Raises:
        UnreadableResponseError: it is neither, or it is cut off.
    """
    unpacker = zlib.decompressobj(window_bits)
    try:
        async for packed in body:
            waiting = packed
            while waiting:
                if unpacker.eof:
                    unpacker = zlib.decompressobj(window_bits)
                piece = unpacker.decompress(waiting, _PIECE_BYTES)
                waiting = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
                if piece:
                    yield piece
        while piece := b"" if unpacker.eof else unpacker.decompress(unpacker.unconsumed_tail, _PIECE_BYTES):
            yield piece
    except zlib.error as error:
        raise UnreadableResponseError("The packed answer of the server is damaged.") from error
    if not unpacker.eof:
        raise UnreadableResponseError("The packed answer of the server is cut off.")


class Fetcher:
    """Asks servers with GET. Connections are kept for the next request; close it in the end."""

    def __init__(self, policy: FetchPolicy) -> None:
        self._policy = policy
        self._known_pool: httpcore.AsyncConnectionPool | None = None

    @property
    def policy(self) -> FetchPolicy:
        return self._policy

    @asynccontextmanager
    async def open(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        credentials: Mapping[str, str] | None = None,
        follow_redirects: bool = True,
        on_redirect: OnRedirect | None = None,
    ) -> AsyncIterator[Response]:
        """Ask for `url`; the block reads the answer, whatever its status. The time limit holds for the block too.

        Args:
            credentials: headers that are sent to the server of `url` only, to no other that a redirect names.

        Raises:
            FetchError: its kinds, but those of a status: see `Response.raise_for_status`.
        """
        try:
            async with asyncio.timeout(self._policy.total_timeout_s) as limit:
                response = await self._follow(url, headers or {}, credentials or {}, follow_redirects, on_redirect)
                try:
                    yield response
                finally:
                    await response.close()
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise FetchTimeoutError(
                f"{url} was not done within {self._policy.total_timeout_s:.0f} s. Try again later."
            ) from error
        except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise _fetch_error(url, error) from error

    async def close(self) -> None:
        if self._known_pool is not None:
            await self._known_pool.aclose()

    async def _follow(
        self,
        url: str,
        headers: Mapping[str, str],
        credentials: Mapping[str, str],
        follow_redirects: bool,
        on_redirect: OnRedirect | None,
    ) -> Response:
        current = first = parse_url(url)
        for _ in range(self._policy.max_redirects + 1):
            own = credentials if origin_of(current) == origin_of(first) else {}
            response = await self._send(current, {**headers, **own})
            location = response.headers.get("location")
            if not follow_redirects or response.status not in _REDIRECTS or not location:
                return response
            await response.close()
            current = parse_url(location, base=current)
            if on_redirect is not None:
                await on_redirect(str(current))
        raise TooManyRedirectsError(
            f"{url} redirects more than {self._policy.max_redirects} times. Open it in a browser and give the address "
            "it ends at."
        )

    async def _send(self, url: httpx.URL, headers: Mapping[str, str]) -> Response:
        sent = httpx.Headers(
            {"Host": url.netloc.decode("ascii"), "User-Agent": self._policy.user_agent, "Accept": "*/*"}
            | {"Accept-Encoding": "gzip"}
            | dict(headers)
        )
        timeouts = {
            "connect": self._policy.connect_timeout_s,
            "read": self._policy.idle_timeout_s,
            "write": self._policy.idle_timeout_s,
            "pool": self._policy.total_timeout_s,
        }
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        request = httpcore.Request(b"GET", target, headers=sent.raw, extensions={"timeout": timeouts})
        answer = await self._pool().handle_async_request(request)
        return Response(url=str(url), status=answer.status, headers=httpx.Headers(answer.headers), answer=answer)

    def _pool(self) -> httpcore.AsyncConnectionPool:
        if self._known_pool is None:
            self._known_pool = httpcore.AsyncConnectionPool(
                ssl_context=httpx.create_ssl_context(),
                max_connections=10,
                max_keepalive_connections=4,
                keepalive_expiry=30.0,
                network_backend=_CheckedNetwork(self._policy),
            )
        return self._known_pool


def guarded_client(policy: FetchPolicy, *, timeout_s: float = 20.0, **more: Any) -> httpx.AsyncClient:
    """A client for requests of any method to addresses that users set: webhooks, sign-in providers, models.

    Each connection, also that of a redirect where `follow_redirects` is given, goes to an address that the policy has
    judged, and to no other. Proxies of the environment are not used. Bodies are not bounded: read them with a bound.
    What it refuses it raises as FetchError: ForbiddenAddressError, HostNotFoundError. Check the URL with `parse_url`.

    Args:
        more: further arguments of `httpx.AsyncClient`.
    """
    transport = httpx.AsyncHTTPTransport(verify=httpx.create_ssl_context(trust_env=False), trust_env=False)
    transport._pool = httpcore.AsyncConnectionPool(
        ssl_context=httpx.create_ssl_context(trust_env=False),
        max_connections=20,
        max_keepalive_connections=4,
        keepalive_expiry=30.0,
        network_backend=_CheckedNetwork(policy),
    )
    headers = {"User-Agent": policy.user_agent, **more.pop("headers", {})}
    return httpx.AsyncClient(transport=transport, trust_env=False, timeout=timeout_s, headers=headers, **more)


async def require_reachable(policy: FetchPolicy, url: str) -> str:
    """The URL as it is asked for, when the policy lets its host be reached now; to tell users early, as they set one.

    It holds for the moment only: `Fetcher` and `guarded_client` judge again when they connect.

    Raises:
        InvalidUrlError, HostNotFoundError, ForbiddenAddressError, ServerUnreachableError.
    """
    parsed = parse_url(url)
    _, host, port = origin_of(parsed)
    policy.require_allowed(host, await _resolve(host, port))
    return str(parsed)


def parse_url(text: str, *, base: httpx.URL | None = None) -> httpx.URL:
    """An absolute http or https URL without password and fragment; `base` is what a relative one is relative to.

    Raises:
        InvalidUrlError.
    """
    if len(text) > _MAX_URL_CHARACTERS:
        raise InvalidUrlError(f"The address has more than {_MAX_URL_CHARACTERS} characters.")
    try:
        url = base.join(text) if base is not None else httpx.URL(text)
        port = url.port
    except (httpx.InvalidURL, ValueError) as error:
        raise InvalidUrlError(f"{text[:200]!r} is no address that can be fetched: {error}.") from error
    if url.scheme not in ("http", "https") or not url.host or "%" in url.host:
        raise InvalidUrlError(
            f"{text[:200]!r} cannot be fetched. Give a whole address that begins with http:// or https://."
        )
    if url.userinfo:
        raise InvalidUrlError(f"Put no name and password into the address of {url.host}; they would be stored with it.")
    if port is not None and not 0 < port < 65536:
        raise InvalidUrlError(f"{port} is no port.")
    return url.copy_with(fragment=None)


def origin_of(url: httpx.URL) -> tuple[str, str, int]:
    """Scheme, host and port."""
    return url.scheme, url.host, url.port or (443 if url.scheme == "https" else 80)


def _fetch_error(url: str, error: Exception) -> FetchError:
    host = httpx.URL(url).host
    if isinstance(error, httpcore.TimeoutException):
        return FetchTimeoutError(f"{host} does not answer in time. Try again later.")
    if isinstance(error.__cause__ or error.__context__, ssl.SSLError):
        return ServerUnreachableError(f"No safe connection to {host}: {error}.")
    if isinstance(error, httpcore.ProtocolError):
        return UnreadableResponseError(f"What {host} answers is no HTTP, or was cut off: {error}.")
    return ServerUnreachableError(f"{host} does not answer ({error or type(error).__name__}). Try again later.")
