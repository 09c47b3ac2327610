"""People with passwords, and clients that come from an address of their own."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from sqlalchemy import text

from .conftest import Company, Service

PASSWORD = "violet anchors drift north"
_numbers = count(1)


def client_at(service: Service, address: str | None = None, **headers: str) -> httpx.AsyncClient:
    """A client from this network address; without one, from an address that nobody else has."""
    number = next(_numbers)
    address = address or f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    transport = httpx.ASGITransport(app=service.app, raise_app_exceptions=False, client=(address, 40_000))
    return httpx.AsyncClient(transport=transport, base_url="http://dragoman.test", headers=headers)


@dataclass(frozen=True, kw_only=True)
class Person:
    """A user who can sign in."""

    company: Company
    user_id: str
    email: str
    tokens: dict[str, Any]

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens['access_token']}"}

    def api(self) -> httpx.AsyncClient:
        return client_at(self.company.service, **self.bearer)

    async def sign_in(self, password: str = PASSWORD, *, address: str | None = None, **body: Any) -> httpx.Response:
        return await client_at(self.company.service, address).post(
            "/api/auth/sign-in/", json={"email": self.email, "password": password, **body}
        )


def token_of(url: str) -> str:
    """The token in a link."""
    return parse_qs(urlsplit(url).query)["token"][0]


async def add_person(company: Company, *, role: str = "member", email: str | None = None, who: str = "owner") -> Person:
    """Invite somebody, who accepts and is signed in then."""
    email = email or f"person{next(_numbers)}-{company.tenant_id.hex[-8:]}@example.com"
    invited = await company.api(who).post("/api/users/invitations/", json={"email": email, "role": role})
    assert invited.status_code == 201, invited.text
    accepted = await client_at(company.service).post(
        "/api/auth/set-password/", json={"token": token_of(invited.json()["url"]), "password": PASSWORD}
    )
    assert accepted.status_code == 200, accepted.text
    tokens = accepted.json()
    me = await client_at(company.service, Authorization=f"Bearer {tokens['access_token']}").get("/api/auth/me/")
    assert me.status_code == 200, me.text
    return Person(company=company, user_id=me.json()["user_id"], email=email, tokens=tokens)


async def audited(company: Company, action: str, subject_id: str | None = None) -> list[dict[str, Any]]:
    """The details of the audit events of this kind, oldest first."""
    query = "select details, actor from audit_events where action = :action and (:id = '' or subject_id::text = :id)"
    async with company.service.deps.database.transaction(company.tenant_id) as connection:
        rows = await connection.execute(text(f"{query} order by id"), {"action": action, "id": subject_id or ""})
        return [{**row.details, "actor": row.actor} for row in rows]


async def change(company: Company, statement: str, **values: Any) -> None:
    """Change rows of the tenant, as time or another process would."""
    async with company.service.deps.database.transaction(company.tenant_id) as connection:
        await connection.execute(text(statement), values)


async def rows(company: Company, statement: str, **values: Any) -> list[Any]:
    async with company.service.deps.database.transaction(company.tenant_id) as connection:
        return list((await connection.execute(text(statement), values)).all())


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]
