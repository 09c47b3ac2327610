# Made from client/adapters.py by `python -m dragoman.client.twin`. Change that one.
"""The adapters of the installation: what there is, what is used, and which variable sets what."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from dragoman.client.models import Port
from dragoman.client.sync.transport import Transport


class Adapters:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, chatbot_id: UUID | None = None) -> Sequence[Port]:
        """Every port with its adapters; where the caller may not change chatbots, the kinds of connectors that it may add.

        Args:
            chatbot_id: as what the caller may do on this chatbot.
        """
        params = None if chatbot_id is None else {"chatbot_id": str(chatbot_id)}
        found = self._transport.request("GET", "/api/adapters/", params=params)
        return [Port.model_validate(port) for port in found["ports"]]
