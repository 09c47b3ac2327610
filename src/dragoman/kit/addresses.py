"""Who a client is by its address: through trusted proxies, and as the group that is counted together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final, Literal

from dragoman.kit.errors import InvalidSettingError

_ONE_CUSTOMER: Final = 64
"""Bits of an IPv6 address that tell customers apart: each gets at least this network (RFC 6177), and may use all of it."""
_MOST_HOPS: Final = 20


class InvalidProxyError(InvalidSettingError):
    """DRAGOMAN_TRUSTED_PROXIES names what is neither an address nor a network. Give some such as 10.0.0.5 or 10.0.0.0/24."""

    code = "settings.invalid_proxy"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedProxies:
    """The proxies whose word for a client's address is taken, and the header in which they give it.

    One header only: a proxy that writes one of them passes the other on as the client sent it.
    """

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    header: Literal["x-forwarded-for", "forwarded"] = "x-forwarded-for"

    @classmethod
    def of(
        cls, networks: Iterable[str], header: Literal["x-forwarded-for", "forwarded"] = "x-forwarded-for"
    ) -> TrustedProxies:
        """Raises InvalidProxyError."""
        try:
            return cls(networks=tuple(ip_network(text.strip(), strict=False) for text in networks), header=header)
        except ValueError as error:
            raise InvalidProxyError(f"DRAGOMAN_TRUSTED_PROXIES is wrong: {error}.") from error

    def trust(self, address: str) -> bool:
        """Whether this is one of them."""
        try:
            parsed = ip_address(address.partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(parsed, "ipv4_mapped", None) or parsed
        return any(mapped in network for network in self.networks if network.version == mapped.version)

    def client_of(self, peer: str, forwarded: Sequence[str]) -> str:
        """The client's address: the last one that no trusted proxy stands behind.

        Args:
            peer: who is connected to us.
            forwarded: the values of the header, in the order in which they came.
        """
        if not self.networks or not forwarded or not self.trust(peer):
            return peer
        hops = (_for_of_forwarded if self.header == "forwarded" else _addresses_of_list)(",".join(forwarded))
        client = peer
        for hop in reversed(hops[-_MOST_HOPS:]):
            if not _is_address(hop):  # `unknown`, an obfuscated name, or nonsense: nobody knows who is before it
                return client
            client = hop
            if not self.trust(hop):
                return client
        return client


def _addresses_of_list(text: str) -> list[str]:
    return [_without_port(part.strip()) for part in text.split(",")]


def _for_of_forwarded(text: str) -> list[str]:
    """The `for` of each hop of a `Forwarded` header (RFC 7239)."""
    found = []
    for hop in text.split(","):
        pairs = (pair.strip().partition("=") for pair in hop.split(";"))
        value = next((value for name, _, value in pairs if name.strip().lower() == "for"), "")
        found.append(_without_port(value.strip().strip('"')))
    return found


def _without_port(text: str) -> str:
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=4096)
def counted_together(address: str) -> str:
    """The address, of IPv6 the /64 network; as it came where it is none."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ip_network((parsed, _ONE_CUSTOMER), strict=False))


@lru_cache(maxsize=4096)
def is_local(address: str) -> bool:
    """Whether it is this machine's own, or none (a Unix socket)."""
    try:
        return ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return address == ""


@lru_cache(maxsize=4096)
def is_private(address: str) -> bool:
    """Whether it is not on the public internet."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address == ""
    return parsed.is_loopback or parsed.is_private or parsed.is_link_local
