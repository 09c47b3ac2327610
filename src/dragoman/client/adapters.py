"""The adapters of the installation: what there is, what is used, and which variable sets what."""

from __future__ import annotations

from collections.abc import Sequence

from dragoman.client.models import Port
from dragoman.client.transport import Transport


class Adapters:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list(self) -> Sequence[Port]:
        """Every port with its adapters."""
        found = await self._transport.request("GET", "/api/adapters/")
        return [Port.model_validate(port) for port in found["ports"]]
