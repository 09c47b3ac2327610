"""Tenants that work at the same time through the same processes see nothing of each other: a small run of the benchmark."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
from benchmarks import isolation

from .serving import serving


async def test_mixed_requests_of_several_tenants_show_no_foreign_row(service: Any, make_company: Any) -> None:
    companies = [await make_company() for _ in range(3)]
    tenants = [
        isolation.Tenant(name=f"tenant{number}", secret=company.secrets["owner"])
        for number, company in enumerate(companies)
    ]
    async with serving(service) as address:
        https = [httpx.AsyncClient(base_url=address, timeout=60) for _ in range(4)]
        for tenant in tenants:
            preparing = asyncio.create_task(isolation.prepare(https[0], tenant))
            while not preparing.done():
                await service.run_jobs()
                await asyncio.sleep(0.05)
            await preparing
        tally = await isolation.mix(https, tenants, requests=240)
        await asyncio.gather(*(http.aclose() for http in https))
    assert tally.foreign_rows == []
    assert tally.opened == []
    assert tally.broken == []
    assert sum(tally.to_foreign.values()) >= 25
    assert tally.markers_checked >= 60


def test_a_foreign_row_and_an_opened_door_are_noticed() -> None:
    """The measurement would see what it looks for."""
    tally, tenant = isolation.Tally(), isolation.Tenant(name="one", secret="")
    theirs = "019a0000-0000-7000-8000-000000000001"
    owners = {theirs: "two", "marker0123456789abcdef": "two"}
    listing = isolation._Request(method="GET", path="/api/chatbots/")
    answer = httpx.Response(200, text=f"{theirs} marker0123456789abcdef")
    isolation._look_at(tally, owners, tenant, listing, answer)
    assert len(tally.foreign_rows) == 2
    naming = isolation._Request(method="GET", path=f"/api/chatbots/{theirs}/", foreign=True)
    isolation._look_at(tally, owners, tenant, naming, httpx.Response(404, text=f"/api/chatbots/{theirs}/"))
    assert (len(tally.foreign_rows), tally.opened) == (2, [])
    isolation._look_at(tally, owners, tenant, naming, httpx.Response(200, text="{}"))
    assert len(tally.opened) == 1
