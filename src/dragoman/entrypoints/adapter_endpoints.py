"""HTTP: the adapters of the installation. Here, because no room below may know which adapters there are."""

from __future__ import annotations

import asyncio
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from dragoman.deps.http import DepsDep
from dragoman.entrypoints.adapter_catalogue import AdapterCatalogue, PortOut, for_editors
from dragoman.tenancy import service as tenancy
from dragoman.tenancy.entities import Permission
from dragoman.tenancy.http import CallerWhoManagesDocuments

router = APIRouter()


class PortList(BaseModel):
    ports: list[PortOut]


@router.get("/api/adapters/", tags=["adapters"])
async def list_adapters(
    caller: CallerWhoManagesDocuments,
    request: Request,
    deps: DepsDep,
    chatbot_id: Annotated[UUID | None, Query(description="As what you may do on this chatbot.")] = None,
) -> PortList:
    """List the adapters of each port with the schema and the variables of their settings, and which ones are used.

    Who may not change chatbots sees the kinds of connectors that an editor may add, and no other port.
    """
    if chatbot_id is not None:
        async with deps.database.reading(caller.tenant_id) as connection:
            await tenancy.get_chatbot(connection, caller, chatbot_id)
    catalogue: AdapterCatalogue = request.app.state.adapters
    ports = await asyncio.to_thread(lambda: catalogue.ports)
    if Permission.MANAGE_CHATBOTS not in caller.permissions:
        ports = for_editors(ports)
    return PortList(ports=ports)
