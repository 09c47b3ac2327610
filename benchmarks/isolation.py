"""Isolation under load: clients of several tenants mix their requests, with ids of others sprinkled in.

Every tenant has the same knowledge but for its own marker words, so that whatever finds a text of one finds those of all
where nothing keeps them apart. Each client uses one connection for all tenants in turn. Every answer is searched for ids
and markers: an id that was seen in answers to one tenant is his, and in answers to another it is a foreign row.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import secrets
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from benchmarks.figures import p50_p95, show
from benchmarks.instance import running

_CLIENTS: Final = 8
_TENANTS: Final = 4
_REQUESTS: Final = 10_000
_FOREIGN_SHARE: Final = 0.25
_READY_WITHIN_S: Final = 120.0
_TOPICS: Final = ("returns", "discounts", "warranty", "delivery", "repairs")
_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_MARKER: Final = re.compile(r"marker[0-9a-f]{16}")


@dataclass(slots=True, kw_only=True)
class Tenant:
    """A tenant as its owner's key opens it, with one of each thing that has an id.

    Attributes:
        ids: by the names of path parameters.
        markers: words that stand in its documents only.
    """

    name: str
    secret: str
    ids: dict[str, list[str]] = field(default_factory=dict)
    markers: set[str] = field(default_factory=set)

    def some(self, dice: random.Random, name: str) -> str:
        return dice.choice(self.ids[name])


@dataclass(slots=True, kw_only=True)
class Tally:
    """What was seen. `foreign_rows`: in whose answer, to what, stood something of another tenant."""

    statuses: Counter[str] = field(default_factory=Counter)
    to_foreign: Counter[int] = field(default_factory=Counter)
    foreign_rows: list[str] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    latencies_ms: list[float] = field(default_factory=list)
    ids_checked: int = 0
    markers_checked: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """`foreign`: it names what another tenant owns. `may_succeed`: nothing of it may be found, but that is no error."""

    method: str
    path: str
    body: Any = None
    foreign: bool = False
    may_succeed: bool = False


# ---- what each tenant has


async def prepare(http: httpx.AsyncClient, tenant: Tenant) -> None:
    """Documents that are searchable, a conversation, a key and whatever else has an id."""
    headers = {"X-API-Key": tenant.secret}

    async def call(method: str, path: str, **body: Any) -> Any:
        answer = await http.request(method, path, headers=headers, **body)
        answer.raise_for_status()
        return answer.json()

    chatbot = next(each for each in (await call("GET", "/api/chatbots/"))["chatbots"] if each["is_default"])
    place = f"/api/chatbots/{chatbot['id']}/"
    await call("PATCH", place, json={"settings": {"messages_per_minute": 0, "messages_per_minute_managers": 0}})
    documents = []
    for topic in _TOPICS:
        marker = f"marker{secrets.token_hex(8)}"
        tenant.markers.add(marker)
        text = f"# Our {topic}\n\nThe internal code for {topic} is {marker}. Ask the office about {topic}.\n"
        uploaded = await call("POST", "/api/chatbot/documents/", files={"file": (f"{topic}.md", text.encode())})
        documents.append(uploaded["id"])
    for document_id in documents:
        await _until_ready(call, document_id)
    session = await call("POST", "/api/chatbot/sessions/", json={})
    path = f"/api/chatbot/sessions/{session['id']}/messages/"
    answer = await call("POST", path, json={"message": "What is the internal code for returns?"})
    found = await call("POST", "/api/search", json={"query": "internal code for returns"})
    key = await call("POST", "/api/keys/", json={"name": "spare"})
    machine = await call("POST", "/api/service-accounts/", json={"name": f"machine of {tenant.name}"})
    widget = await call(
        "POST", f"{place}widget-keys/", json={"name": "site", "origins": [f"https://{tenant.name}.example"]}
    )
    imported = await call("POST", "/api/chatbot/imports/", json={"name": "archive"})
    tenant.ids |= {
        "chatbot_id": [chatbot["id"]],
        "document_id": documents,
        "session_id": [session["id"]],
        "message_id": [answer["id"]],
        "search_id": [found["search_id"]],
        "key_id": [key["id"]],
        "service_account_id": [machine["id"]],
        "widget_key_id": [widget["id"]],
        "import_id": [imported["id"]],
    }


async def _until_ready(call: Callable[..., Any], document_id: str) -> None:
    ends = time.monotonic() + _READY_WITHIN_S
    while (await call("GET", f"/api/chatbot/documents/{document_id}/"))["state"] != "ready":
        if time.monotonic() > ends:
            raise TimeoutError(f"The document {document_id} was not read within {_READY_WITHIN_S:.0f} s.")
        await asyncio.sleep(0.1)


# ---- requests


def _own(dice: random.Random, tenant: Tenant) -> _Request:
    """One of what a tenant's programs do, with its own ids."""
    topic = dice.choice(_TOPICS)
    query = f"What is the internal code for {topic}?"
    session = f"/api/chatbot/sessions/{tenant.some(dice, 'session_id')}/"
    document = f"/api/chatbot/documents/{tenant.some(dice, 'document_id')}/"
    chatbot = tenant.some(dice, "chatbot_id")
    kinds: list[tuple[int, _Request]] = [
        (30, _Request(method="POST", path="/api/search", body={"query": query})),
        (6, _Request(method="POST", path="/api/search/batch", body={"queries": [{"query": query}, {"query": topic}]})),
        (4, _Request(method="GET", path=f"/api/search/hybrid/{chatbot}?q={topic}")),
        (10, _Request(method="POST", path=f"{session}messages/", body={"message": query})),
        (6, _Request(method="GET", path=f"{session}messages/?limit=20")),
        (6, _Request(method="POST", path="/api/chatbot/sessions/", body={})),
        (8, _Request(method="GET", path="/api/chatbot/sessions/?limit=20")),
        (8, _Request(method="GET", path="/api/chatbot/documents/")),
        (6, _Request(method="GET", path=document)),
        (4, _Request(method="GET", path=f"{document}chunks/")),
        (4, _Request(method="GET", path="/api/chatbots/")),
        (4, _Request(method="GET", path="/api/keys/")),
        (2, _Request(method="GET", path="/api/service-accounts/")),
        (2, _Request(method="GET", path=f"/api/chatbots/{chatbot}/widget-keys/")),
        (2, _Request(method="GET", path="/api/jobs/")),
        (2, _Request(method="GET", path="/v1/models")),
    ]
    return dice.choices([request for _, request in kinds], weights=[weight for weight, _ in kinds])[0]


def _foreign(dice: random.Random, other: Tenant) -> _Request:
    """One of what a tenant must not be able to do: with ids of another one, in paths, queries and bodies."""
    ids = {name: other.some(dice, name) for name in other.ids}
    session = f"/api/chatbot/sessions/{ids['session_id']}/"
    document = f"/api/chatbot/documents/{ids['document_id']}/"
    chatbot = f"/api/chatbots/{ids['chatbot_id']}/"
    question = {"message": "What is the internal code for returns?"}
    asked = {"query": "internal code", "chatbot_id": ids["chatbot_id"]}
    forbidden: list[tuple[str, str, Any]] = [
        ("GET", chatbot, None),
        ("PATCH", chatbot, {"name": "mine"}),
        ("GET", f"{chatbot}members/", None),
        ("GET", f"{chatbot}widget-keys/", None),
        ("DELETE", f"{chatbot}widget-keys/{ids['widget_key_id']}/", None),
        ("GET", document, None),
        ("GET", f"{document}content/", None),
        ("GET", f"{document}chunks/", None),
        ("PATCH", document, {"category": "mine"}),
        ("DELETE", document, None),
        ("GET", session, None),
        ("GET", f"{session}messages/", None),
        ("POST", f"{session}messages/", question),
        ("POST", f"{session}messages/{ids['message_id']}/regenerate/", {}),
        ("DELETE", session, None),
        ("POST", "/api/chatbot/sessions/", {"chatbot_id": ids["chatbot_id"]}),
        ("POST", "/api/chatbot/sessions/", {"document_ids": [ids["document_id"]]}),
        ("POST", "/api/search", asked),
        ("POST", "/api/search", {"query": "internal code", "session_id": ids["session_id"]}),
        ("GET", f"/api/search/hybrid/{ids['chatbot_id']}?q=code", None),
        ("POST", f"/api/search/{ids['search_id']}/rating", {"rating": "up"}),
        ("GET", f"/api/chatbot/documents/?chatbot_id={ids['chatbot_id']}", None),
        ("GET", f"/api/chatbot/imports/{ids['import_id']}/", None),
        ("DELETE", f"/api/keys/{ids['key_id']}/", None),
        ("POST", f"/api/keys/{ids['key_id']}/rotate/", {}),
        ("POST", "/api/keys/", {"name": "mine", "chatbot_id": ids["chatbot_id"]}),
        ("DELETE", f"/api/service-accounts/{ids['service_account_id']}/", None),
        ("GET", f"/v1/models/dragoman-{ids['chatbot_id']}", None),
    ]
    harmless: list[tuple[str, str, Any]] = [
        ("POST", "/api/search", {"query": "internal code", "document_ids": [ids["document_id"]]}),
        ("POST", "/api/search/batch", {"queries": [asked]}),
        ("GET", f"/api/chatbot/sessions/?chatbot_id={ids['chatbot_id']}", None),
        ("GET", f"/api/keys/?service_account_id={ids['service_account_id']}", None),
    ]
    method, path, body = dice.choice([*forbidden, *harmless])
    may_succeed = (method, path, body) in harmless
    return _Request(method=method, path=path, body=body, foreign=True, may_succeed=may_succeed)


# ---- the run


async def mix(https: Sequence[httpx.AsyncClient], tenants: Sequence[Tenant], *, requests: int, seed: int = 1) -> Tally:
    """Send so many requests, each client one after the other for tenants in turn, and look at every answer."""
    tally = Tally()
    owners = {each: tenant.name for tenant in tenants for ids in tenant.ids.values() for each in ids}
    owners |= {marker: tenant.name for tenant in tenants for marker in tenant.markers}
    left = iter(range(requests))

    async def client(http: httpx.AsyncClient, dice: random.Random) -> None:
        for _ in left:
            tenant = dice.choice(tenants)
            if dice.random() < _FOREIGN_SHARE:
                request = _foreign(dice, dice.choice([each for each in tenants if each is not tenant]))
            else:
                request = _own(dice, tenant)
            watch = time.perf_counter()
            answer = await http.request(
                request.method, request.path, json=request.body, headers={"X-API-Key": tenant.secret}
            )
            tally.latencies_ms.append((time.perf_counter() - watch) * 1000)
            _look_at(tally, owners, tenant, request, answer)

    await asyncio.gather(*(client(http, random.Random(seed * 1000 + number)) for number, http in enumerate(https)))
    return tally


def _look_at(tally: Tally, owners: dict[str, str], tenant: Tenant, request: _Request, answer: httpx.Response) -> None:
    label = f"{tenant.name}: {request.method} {request.path} {answer.status_code}"
    tally.statuses[f"{'foreign' if request.foreign else 'own'} {answer.status_code}"] += 1
    if request.foreign and not request.may_succeed:
        tally.to_foreign[answer.status_code] += 1
        if answer.status_code not in (403, 404):
            tally.opened.append(label)
    elif not answer.is_success:
        tally.broken.append(f"{label} {answer.text[:200]}")
    sent = set(_ID.findall(request.path + json.dumps(request.body))) if request.foreign else set()
    ids = set(_ID.findall(answer.text)) - sent  # an error names the address it was asked at
    markers = set(_MARKER.findall(answer.text))
    tally.ids_checked += len(ids)
    tally.markers_checked += len(markers)
    for seen in ids | markers:
        if owners.setdefault(seen, tenant.name) != tenant.name:
            tally.foreign_rows.append(f"{label} holds {seen} of {owners[seen]}")
    if request.method == "POST" and request.path == "/api/chatbot/sessions/" and answer.status_code == 201:
        tenant.ids["session_id"].append(answer.json()["id"])


def measure() -> None:
    """The whole run against an instance of its own, with two API processes."""
    environment = {"DRAGOMAN_API_PROCESSES": "2", "DRAGOMAN_EMBEDDER": "hashing"}
    with tempfile.TemporaryDirectory(prefix="dragoman-bench-") as folder:
        home = Path(folder) / "home"
        with running(home, **environment) as instance:
            tenants = [
                Tenant(name=f"tenant{number}", secret=_new_tenant(home, f"tenant{number}", environment))
                for number in range(_TENANTS)
            ]
            started = time.perf_counter()
            tally = asyncio.run(_drive(instance.url, tenants))
            spent_s = time.perf_counter() - started
    _report(tally, spent_s)


def _new_tenant(home: Path, name: str, environment: dict[str, str]) -> str:
    """The key of its owner."""
    command = [sys.executable, "-m", "dragoman", "tenant", "create", name, "--owner", f"{name}@example.com"]
    made = subprocess.run(
        [*command, "--home", str(home), "--json"],
        env={**os.environ, **environment, "DRAGOMAN_HOME": str(home)},
        capture_output=True,
        check=True,
        text=True,
    )
    key: str = json.loads(made.stdout)["api_key"]
    return key


async def _drive(url: str, tenants: Sequence[Tenant]) -> Tally:
    one_connection = httpx.Limits(max_connections=1, max_keepalive_connections=1)
    https = [httpx.AsyncClient(base_url=url, timeout=120, limits=one_connection) for _ in range(_CLIENTS)]
    try:
        for tenant in tenants:
            await prepare(https[0], tenant)
        return await mix(https, tenants, requests=_REQUESTS)
    finally:
        await asyncio.gather(*(http.aclose() for http in https))


def _report(tally: Tally, spent_s: float) -> None:
    show("requests, with preparation in seconds", f"{len(tally.latencies_ms)} in {spent_s:.0f}")
    show("foreign rows", len(tally.foreign_rows))
    show("requests with foreign ids that must be refused", sum(tally.to_foreign.values()))
    show("of them, other than 403 or 404", len(tally.opened))
    show("statuses", dict(sorted(tally.statuses.items())))
    show("own requests that failed", len(tally.broken))
    show("ids and markers looked at", f"{tally.ids_checked} and {tally.markers_checked}")
    show("latency", p50_p95(tally.latencies_ms))
    for line in [*tally.foreign_rows[:5], *tally.opened[:5], *tally.broken[:5]]:
        print(f"  {line}")
