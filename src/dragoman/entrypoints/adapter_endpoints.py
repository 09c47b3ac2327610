"""HTTP: the adapters of the installation. Here, because no room below may know which adapters there are."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from pydantic import BaseModel

from dragoman.entrypoints.adapter_catalogue import AdapterCatalogue, PortOut
from dragoman.tenancy.http import CallerWhoManagesChatbots

router = APIRouter()


class PortList(BaseModel):
    ports: list[PortOut]


@router.get("/api/adapters/", tags=["adapters"])
async def list_adapters(caller: CallerWhoManagesChatbots, request: Request) -> PortList:  # noqa: ARG001 - the permission
    """List the adapters of each port with the schema and the variables of their settings, and which ones are used."""
    catalogue: AdapterCatalogue = request.app.state.adapters
    return PortList(ports=await asyncio.to_thread(lambda: catalogue.ports))
