"""Connectors end to end: sync, reports, deletion and its safeguards, secrets, interruption; documents by URL list."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from tests.api.conftest import Company, MakeCompany, Service
from tests.contract.s3_server import shared_s3_server
from tests.contract.web_site import WebSite, run_web_site

from dragoman.connectors import service as connectors
from dragoman.connectors.sync import run_sync
from dragoman.connectors.watch import watch_folders
from dragoman.entrypoints.api import create_app
from dragoman.jobs import repository as jobs_repository
from dragoman.jobs import service as jobs
from dragoman.jobs.entities import JobKind

_PATH = "/api/chatbot/connectors/"


class KilledError(Exception):
    """The worker died here."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder below which connectors may read."""
    return tmp_path_factory.mktemp("allowed")


@pytest.fixture(scope="module")
async def service(settings_for: Callable[..., Any], files: Path) -> AsyncIterator[Service]:
    settings = settings_for(connector_folders=[files], private_networks=["127.0.0.0/8"])
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        yield Service(app=app, settings=settings)


@pytest.fixture
async def site() -> AsyncIterator[WebSite]:
    async with run_web_site() as made:
        yield made


@dataclass(kw_only=True)
class Desk:
    """A company with a folder of its own among the files."""

    company: Company
    folder: Path

    def write(self, name: str, content: str) -> None:
        """As if it had been written a while ago, and later than what was there."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.stat().st_mtime_ns if path.exists() else 0
        path.write_text(content)
        moment = max(time.time_ns() - 10**11, before + 10**6)
        os.utime(path, ns=(moment, moment))

    async def connect(self, *, who: str = "owner", run: bool = True, **more: Any) -> dict[str, Any]:
        body = {"name": "Files", "kind": "folder", "settings": {"path": str(self.folder)}, **more}
        made = await self.company.api(who).post(_PATH, json=body)
        assert made.status_code == 201, made.text
        if run:
            await self.company.service.run_jobs()
        connector: dict[str, Any] = made.json()
        return connector

    async def sync(self, connector: dict[str, Any], **body: Any) -> dict[str, Any]:
        """Sync now; the report."""
        started = await self.company.api().post(f"{_PATH}{connector['id']}/sync/", json=body)
        assert started.status_code == 202, started.text
        await self.company.service.run_jobs()
        return await self.report(connector, started.json()["id"])

    async def report(self, connector: dict[str, Any], sync_id: str | None = None) -> dict[str, Any]:
        api = self.company.api()
        if sync_id is None:
            sync_id = (await api.get(f"{_PATH}{connector['id']}/syncs/")).json()["syncs"][0]["id"]
        answer = await api.get(f"{_PATH}{connector['id']}/syncs/{sync_id}/")
        assert answer.status_code == 200, answer.text
        report: dict[str, Any] = answer.json()
        return report

    async def show(self, connector: dict[str, Any]) -> dict[str, Any]:
        shown: dict[str, Any] = (await self.company.api().get(f"{_PATH}{connector['id']}/")).json()
        return shown

    async def documents(self) -> dict[str, dict[str, Any]]:
        listed = (await self.company.api().get("/api/chatbot/documents/", params={"limit": 200})).json()["documents"]
        return {each["file_name"]: each for each in listed}

    async def finds(self, query: str, words: str) -> bool:
        found = await self.company.search(query)
        return any(words in result["content"] for result in found["results"])


@pytest.fixture
async def desk(company: Company, files: Path) -> Desk:
    folder = files / str(company.tenant_id)
    folder.mkdir()
    return Desk(company=company, folder=folder)


def _counts(report: dict[str, Any]) -> dict[str, int]:
    return {name: count for name, count in report["counts"].items() if count}


def _outcomes(report: dict[str, Any]) -> dict[str, str]:
    return {item["key"]: item["outcome"] for item in report["items"]}


# ---- following


async def test_new_changed_and_vanished_files_are_followed_and_reported(desk: Desk) -> None:
    desk.write("lamps.md", "# Lamps\n\nThe lamp costs 40 euros.\n")
    desk.write("deep/cables.md", "# Cables\n\nThe cable is three metres long.\n")
    desk.write("doors.md", "# Doors\n\nThe door is made of oak.\n")
    connector = await desk.connect()
    report = await desk.report(connector)
    assert (report["state"], report["trigger"]) == ("succeeded", "settings")
    assert _counts(report) == {"new": 3}
    assert _outcomes(report) == {"lamps.md": "new", "deep/cables.md": "new", "doors.md": "new"}
    assert report["duration_s"] >= 0
    assert await desk.finds("price of the lamp", "40 euros")

    desk.write("lamps.md", "# Lamps\n\nThe lamp costs 55 euros.\n")
    (desk.folder / "doors.md").unlink()
    desk.write("new.md", "# Windows\n\nThe window opens outwards.\n")
    report = await desk.sync(connector)
    assert _counts(report) == {"new": 1, "changed": 1, "unchanged": 1, "vanished": 1}
    assert _outcomes(report) == {"lamps.md": "changed", "new.md": "new", "doors.md": "vanished"}
    assert await desk.finds("price of the lamp", "55 euros")
    assert not await desk.finds("price of the lamp", "40 euros")
    assert not await desk.finds("what is the door made of", "oak")
    documents = await desk.documents()
    assert set(documents) == {"lamps.md", "cables.md", "new.md"}
    assert documents["lamps.md"]["version"] == 2
    assert documents["lamps.md"]["external_id"] == f"connector:{connector['id']}:lamps.md"


async def test_a_sync_without_changes_stores_and_reads_nothing(desk: Desk) -> None:
    desk.write("a.md", "# A\n\nText of a.\n")
    connector = await desk.connect()
    desk.write("a.md", "# A\n\nText of a.\n")  # touched
    before = await desk.documents()
    assert _counts(await desk.sync(connector)) == {"unchanged": 1}
    assert _counts(await desk.sync(connector)) == {"unchanged": 1}
    assert await desk.documents() == before


async def test_twins_are_two_documents_and_one_goes_without_the_other(desk: Desk) -> None:
    for name in ("a.md", "b.md", "c.md"):
        desk.write(name, "# Same\n\nThe same words everywhere.\n")
    connector = await desk.connect()
    (desk.folder / "a.md").unlink()
    assert _counts(await desk.sync(connector)) == {"unchanged": 2, "vanished": 1}
    assert set(await desk.documents()) == {"b.md", "c.md"}
    assert await desk.finds("same words", "same words everywhere")


async def test_files_that_cannot_be_read_are_told_and_do_not_stop_the_others(desk: Desk) -> None:
    desk.write("good.md", "# Good\n\nReadable.\n")
    desk.write("empty.md", "")
    (desk.folder / "broken.pdf").write_bytes(b"%PDF-1.4 broken")
    os.utime(desk.folder / "broken.pdf", (1, 1))
    (desk.folder / "program.exe").write_bytes(b"MZ" + b"\0" * 200)
    os.utime(desk.folder / "program.exe", (1, 1))
    connector = await desk.connect()
    report = await desk.report(connector)
    outcomes = _outcomes(report)
    assert outcomes["good.md"] == "new"
    assert outcomes["broken.pdf"] == "failed"
    assert {outcomes["empty.md"], outcomes["program.exe"]} <= {"skipped", "failed"}
    reasons = {item["key"]: item["reason"] for item in report["items"]}
    assert reasons["broken.pdf"].endswith(".")
    failed = await desk.company.api().get(f"{_PATH}{connector['id']}/items/", params={"state": "failed"})
    assert "broken.pdf" in {item["key"] for item in failed.json()["items"]}
    desk.write("broken.pdf", "# Now it is text\n\nBut still called PDF.\n")
    (desk.folder / "empty.md").unlink()
    desk.write("empty.md", "# No longer empty\n\nNow with words.\n")
    assert _outcomes(await desk.sync(connector))["empty.md"] == "new"


async def test_a_document_that_a_person_deleted_does_not_come_back_until_it_changes(desk: Desk) -> None:
    desk.write("a.md", "# A\n\nFirst text.\n")
    desk.write("b.md", "# B\n\nOther text.\n")
    connector = await desk.connect()
    document = (await desk.documents())["a.md"]
    await desk.company.api().delete(f"/api/chatbot/documents/{document['id']}/")
    await desk.sync(connector)
    assert set(await desk.documents()) == {"b.md"}
    desk.write("a.md", "# A\n\nSecond text.\n")
    await desk.sync(connector)
    assert set(await desk.documents()) == {"a.md", "b.md"}


# ---- what is lost


async def test_an_origin_that_is_suddenly_empty_deletes_nothing_until_a_person_says_so(desk: Desk) -> None:
    for number in range(3):
        desk.write(f"{number}.md", f"# {number}\n\nText number {number}.\n")
    connector = await desk.connect()
    for number in range(3):
        (desk.folder / f"{number}.md").unlink()
    report = await desk.sync(connector)
    assert _counts(report) == {}
    assert "suspicious" in report["notes"][0]
    assert len(await desk.documents()) == 3
    report = await desk.sync(connector, allow_mass_deletion=True)
    assert _counts(report) == {"vanished": 3}
    assert await desk.documents() == {}


async def test_losing_more_than_half_is_suspicious_and_half_is_not(desk: Desk) -> None:
    for number in range(4):
        desk.write(f"{number}.md", f"# {number}\n\nText number {number}.\n")
    connector = await desk.connect()
    for number in range(3):
        (desk.folder / f"{number}.md").rename(desk.folder / f".{number}")
    report = await desk.sync(connector)
    assert _counts(report) == {"unchanged": 1}
    (desk.folder / ".0").rename(desk.folder / "0.md")
    assert _counts(await desk.sync(connector)) == {"unchanged": 2, "vanished": 2}


async def test_vanished_documents_are_kept_where_that_is_set(desk: Desk) -> None:
    desk.write("a.md", "# A\n\nText a.\n")
    desk.write("b.md", "# B\n\nText b.\n")
    connector = await desk.connect(on_vanished="keep")
    (desk.folder / "a.md").unlink()
    assert _counts(await desk.sync(connector)) == {"unchanged": 1, "kept": 1}
    assert _counts(await desk.sync(connector)) == {"unchanged": 1}
    assert set(await desk.documents()) == {"a.md", "b.md"}


async def test_a_folder_that_is_gone_fails_the_sync_and_deletes_nothing(desk: Desk) -> None:
    desk.write("a.md", "# A\n\nText.\n")
    connector = await desk.connect()
    desk.folder.rename(desk.folder.with_name(f"{desk.folder.name}-away"))
    report = await desk.sync(connector)
    assert (report["state"], report["error_code"]) == ("failed", "connector.refused")
    assert "no folder" in report["error"]
    assert len(await desk.documents()) == 1


# ---- interruption and turns


async def test_a_sync_goes_on_in_slices_without_doing_anything_twice(desk: Desk) -> None:
    for number in range(5):
        desk.write(f"{number}.md", f"# {number}\n\nText number {number}.\n")
    connector = await desk.connect(run=False)
    deps = desk.company.service.deps
    kinds = {connectors.SYNC: JobKind(name=connectors.SYNC, body=partial(run_sync, deps, slice_s=0.0))}
    slices = 0
    while waiting := await _waiting(desk.company, connectors.SYNC):
        for job_id in waiting:
            await jobs.execute(deps.database, kinds, tenant_id=desk.company.tenant_id, job_id=job_id)
            slices += 1
    report = await desk.report(connector)
    assert slices >= 5
    assert (report["state"], _counts(report)) == ("succeeded", {"new": 5})
    assert len(report["items"]) == 5


async def test_a_sync_that_was_killed_goes_on_where_it_stood(desk: Desk, site: WebSite) -> None:
    site.link("/", "/a.html", "/b.html", text="The start page of the shop")
    site.link("/a.html", text="The first page tells of apples")
    site.link("/b.html", text="The second page tells of bananas")
    settings = {"start_urls": [site.url()], "delay_s": 0, "sitemap": False}
    connector = await desk.connect(run=False, kind="website", settings=settings)
    deps, seen = desk.company.service.deps, 0

    async def dying(step: str, fraction: float) -> None:
        nonlocal seen
        seen += 1
        if seen == 2:
            raise KilledError

    [job_id] = await _waiting(desk.company, connectors.SYNC)
    async with deps.database.system_transaction() as connection:
        job = await jobs_repository.find_job(connection, tenant_id=desk.company.tenant_id, job_id=job_id)
    assert job is not None
    with pytest.raises(KilledError):
        await run_sync(deps, job, dying)
    site.forget_requests()
    await desk.company.service.run_jobs()
    report = await desk.report(connector)
    assert (report["state"], _counts(report)) == ("succeeded", {"new": 3})
    assert site.asked.count("/a.html") == 0  # it was read before the end
    assert site.asked.count("/b.html") == 1
    assert len(await desk.documents()) == 3


async def test_one_connector_has_one_sync_at_a_time(desk: Desk) -> None:
    desk.write("a.md", "# A\n\nText.\n")
    connector = await desk.connect(run=False)
    api = desk.company.api()
    first = (await api.post(f"{_PATH}{connector['id']}/sync/")).json()
    second = (await api.post(f"{_PATH}{connector['id']}/sync/")).json()
    assert first["id"] == second["id"] == connector["last_sync"]["id"]
    more = await api.post(f"{_PATH}{connector['id']}/sync/", json={"allow_mass_deletion": True})
    assert (more.status_code, more.json()["code"]) == (409, "connectors.sync_running")
    assert len(await _waiting(desk.company, connectors.SYNC)) == 1


async def test_what_is_due_is_started_once_by_the_scheduler(desk: Desk) -> None:
    desk.write("a.md", "# A\n\nText.\n")
    connector = await desk.connect(interval_s=600)
    deps = desk.company.service.deps
    assert await connectors.enqueue_due(deps.database, deps.sender) == 0
    await _make_due(desk, connector)
    assert await connectors.enqueue_due(deps.database, deps.sender) == 1
    assert await connectors.enqueue_due(deps.database, deps.sender) == 0
    await desk.company.service.run_jobs()
    report = await desk.report(connector)
    assert (report["trigger"], _counts(report)) == ("interval", {"unchanged": 1})


async def test_a_paused_connector_sleeps_and_wakes_with_a_sync(desk: Desk) -> None:
    desk.write("a.md", "# A\n\nText.\n")
    connector = await desk.connect(run=False)
    api, deps = desk.company.api(), desk.company.service.deps
    paused = await api.patch(f"{_PATH}{connector['id']}/", json={"is_paused": True})
    assert (paused.json()["is_paused"], paused.json()["next_sync_at"]) == (True, None)
    await desk.company.service.run_jobs()
    assert (await desk.report(connector))["state"] == "cancelled"
    assert await desk.documents() == {}
    refused = await api.post(f"{_PATH}{connector['id']}/sync/")
    assert (refused.status_code, refused.json()["code"]) == (409, "connectors.paused")
    await _make_due(desk, connector)
    assert await connectors.enqueue_due(deps.database, deps.sender) == 0
    await api.patch(f"{_PATH}{connector['id']}/", json={"is_paused": False})
    await desk.company.service.run_jobs()
    assert set(await desk.documents()) == {"a.md"}


async def test_a_change_in_a_watched_folder_starts_a_sync_within_seconds(desk: Desk, files: Path) -> None:
    desk.write("a.md", "# A\n\nText.\n")
    connector = await desk.connect(interval_s=None)
    assert (connector["is_watched"], connector["next_sync_at"]) == (True, None)
    deps, stop = desk.company.service.deps, asyncio.Event()
    watching = asyncio.create_task(watch_folders(deps.database, deps.sender, [files.resolve()], stop))
    await asyncio.sleep(0.5)
    (desk.folder / "b.md").write_text("# B\n\nFresh text.\n")
    written = time.monotonic()
    while not await _waiting(desk.company, connectors.SYNC):
        assert time.monotonic() - written < 5
        await asyncio.sleep(0.05)
    waited_s = time.monotonic() - written
    await desk.company.service.run_jobs()
    stop.set()
    await asyncio.wait_for(watching, 5)
    report = await desk.report(connector)
    assert (report["trigger"], _counts(report)) == ("change", {"new": 1, "unchanged": 1})
    assert 1.0 <= waited_s < 4  # a second of quiet, so that nothing half written is read


# ---- settings


async def test_settings_are_tried_before_anything_is_stored(desk: Desk, site: WebSite) -> None:
    api = desk.company.api()
    for kind, settings, code, words in (
        ("nonsense", {}, "connectors.unknown_kind", "folder, s3, website"),
        ("website", {}, "connectors.invalid_settings", "start_urls"),
        ("website", {"start_urls": [site.url()], "typo": 1}, "connectors.invalid_settings", "typo"),
        ("website", {"start_urls": ["http://10.0.0.1/"]}, "connector.refused", "DRAGOMAN_PRIVATE_NETWORKS"),
        ("website", {"start_urls": [site.url("/absent.html")]}, "connector.refused", "404"),
        ("folder", {"path": "/etc"}, "connector.refused", "DRAGOMAN_CONNECTOR_FOLDERS"),
        ("folder", {"path": str(desk.folder / "absent")}, "connector.refused", "no folder"),
        ("s3", shared_s3_server().settings("absent-bucket"), "connector.refused", "no such bucket"),
    ):
        refused = await api.post(_PATH, json={"name": "X", "kind": kind, "settings": settings})
        assert (refused.status_code, refused.json()["code"]) == (422, code), refused.text
        assert words in refused.json()["detail"]
    assert (await api.get(_PATH)).json()["total"] == 0


async def test_folders_are_for_administrators_and_members_see_no_connectors(desk: Desk, site: WebSite) -> None:
    site.link("/")
    folder = {"name": "F", "kind": "folder", "settings": {"path": str(desk.folder)}}
    web = {"name": "W", "kind": "website", "settings": {"start_urls": [site.url()], "delay_s": 0}}
    assert (await desk.company.api("editor").post(_PATH, json=folder)).status_code == 403
    assert (await desk.company.api("admin").post(_PATH, json=folder)).status_code == 201
    assert (await desk.company.api("editor").post(_PATH, json=web)).status_code == 201
    for who in ("member", "agent"):
        assert (await desk.company.api(who).get(_PATH)).status_code == 403
        assert (await desk.company.api(who).post(_PATH, json=web)).status_code == 403


async def test_secrets_are_never_shown_nor_stored_in_the_clear_and_stay_when_others_change(desk: Desk) -> None:
    server = shared_s3_server()
    bucket = server.new_bucket()
    with server.client() as client:
        client.put_object(Bucket=bucket, Key="a.md", Body=b"# A\n\nText in a bucket.\n")
    settings = server.settings(bucket) | {"secret_access_key": "very-secret-indeed"}
    connector = await desk.connect(kind="s3", settings=settings)
    assert connector["settings"]["secret_access_key"] == "********"
    assert (await desk.report(connector))["state"] == "succeeded"
    deps = desk.company.service.deps
    async with deps.database.transaction(desk.company.tenant_id) as connection:
        rows = await connection.execute(
            text(
                "select c::text from connectors c union all select j::text from jobs j union all select a::text from audit_events a"
            )
        )
        stored = "".join(rows.scalars())
    assert "very-secret-indeed" not in stored
    api = desk.company.api()
    changed = await api.patch(f"{_PATH}{connector['id']}/", json={"settings": {"include": ["*.md"]}})
    assert changed.status_code == 200, changed.text
    assert "very-secret-indeed" not in changed.text + (await api.get(_PATH)).text
    await desk.company.service.run_jobs()
    assert (await desk.report(connector))["state"] == "succeeded"
    assert connectors._open(deps, await _row(desk, connector))["secret_access_key"] == "very-secret-indeed"


async def test_secrets_do_not_follow_to_another_address(desk: Desk, site: WebSite) -> None:
    site.link("/")
    settings = {"start_urls": [site.url()], "delay_s": 0, "username": "u", "password": "p4ssword"}
    connector = await desk.connect(kind="website", settings=settings)
    async with run_web_site() as other:
        other.link("/")
        api, path = desk.company.api(), f"{_PATH}{connector['id']}/"
        moved = await api.patch(path, json={"settings": {"start_urls": [other.url()]}})
        assert (moved.status_code, moved.json()["code"]) == (422, "connectors.secrets_needed")
        assert other.requests == []
        moved = await api.patch(path, json={"settings": {"start_urls": [other.url()], "password": "another"}})
        assert moved.status_code == 200, moved.text
        assert moved.json()["settings"]["password"] == "********"


async def test_changed_settings_are_applied_to_what_was_read_before(desk: Desk) -> None:
    desk.write("a.md", "# A\n\nText a.\n")
    desk.write("b.txt", "Text b of the file.\n")
    connector = await desk.connect()
    changed = await desk.company.api().patch(
        f"{_PATH}{connector['id']}/", json={"settings": {"exclude": ["*.txt"]}, "name": "Only Markdown"}
    )
    assert changed.json()["name"] == "Only Markdown"
    assert changed.json()["settings"]["exclude"] == ["*.txt"]
    await desk.company.service.run_jobs()
    assert set(await desk.documents()) == {"a.md"}


async def test_a_removed_connector_leaves_its_documents_or_takes_them_along(desk: Desk) -> None:
    desk.write("a.md", "# A\n\nText of a.\n")
    api = desk.company.api()
    first = await desk.connect()
    assert (await api.delete(f"{_PATH}{first['id']}/")).status_code == 204
    await desk.company.service.run_jobs()
    assert set(await desk.documents()) == {"a.md"}
    desk.write("b.md", "# B\n\nText of b, about rivers.\n")
    second = await desk.connect()
    assert (await api.delete(f"{_PATH}{second['id']}/", params={"documents": "delete"})).status_code == 204
    assert (await api.get(f"{_PATH}{second['id']}/")).status_code == 404
    await desk.company.service.run_jobs()
    assert len(await desk.documents()) == 1  # that of the first
    assert not await desk.finds("rivers", "about rivers")
    async with desk.company.service.deps.database.transaction(desk.company.tenant_id) as connection:
        left = [
            (await connection.execute(text(f"select count(*) from {table}"))).scalar_one()
            for table in ("connectors", "connector_items", "connector_syncs", "connector_sync_entries")
        ]
    assert left == [0, 0, 0, 0]


async def test_a_connector_belongs_to_its_tenant(desk: Desk, make_company: MakeCompany) -> None:
    desk.write("a.md", "# A\n\nText.\n")
    connector = await desk.connect()
    report = await desk.report(connector)
    other = (await make_company()).api()
    for method, path in (
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("POST", "sync/"),
        ("GET", "syncs/"),
        ("GET", f"syncs/{report['id']}/"),
        ("GET", "items/"),
    ):
        body = {"json": {"name": "Mine"}} if method == "PATCH" else {}
        answer = await other.request(method, f"{_PATH}{connector['id']}/{path}", **body)
        assert (answer.status_code, answer.json()["code"]) == (404, "connectors.not_found"), f"{method} {path}"
    mine = {
        "name": "M",
        "kind": "folder",
        "settings": {"path": str(desk.folder)},
        "chatbot_id": connector["chatbot_id"],
    }
    assert (await other.post(_PATH, json=mine)).status_code == 404


async def test_the_scheduler_learns_no_more_of_connectors_than_it_needs(desk: Desk) -> None:
    await desk.connect()
    async with desk.company.service.deps.database.system_transaction() as connection:
        assert (await connection.execute(text("select count(*) from (select id from connectors) c"))).scalar_one()
    for column in ("settings", "sealed_secrets", "name"):
        with pytest.raises(Exception, match="permission denied"):
            async with desk.company.service.deps.database.system_transaction() as connection:
                await connection.execute(text(f"select {column} from connectors"))


# ---- a web site


async def test_a_site_is_followed_page_by_page(desk: Desk, site: WebSite) -> None:
    site.link("/", "/opening.html", "/prices.html", "/hidden.html", text="Welcome to the museum")
    site.link("/opening.html", text="The museum opens at ten in the morning.")
    site.link("/prices.html", text="A ticket for the museum costs 12 euros.")
    site.link("/hidden.html", text="Not for you.", head='<meta name="robots" content="noindex">')
    connector = await desk.connect(
        kind="website", settings={"start_urls": [site.url()], "delay_s": 0}, category="museum"
    )
    report = await desk.report(connector)
    assert _counts(report) == {"new": 3, "skipped": 1}
    documents = await desk.documents()
    assert documents["opening.html"]["category"] == "museum"
    assert await desk.finds("when does the museum open", "ten in the morning")

    site.forget_requests()
    assert _counts(await desk.sync(connector)) == {"unchanged": 3, "skipped": 1}
    assert all("if-none-match" in headers for path, headers in site.requests if path == "/prices.html")

    site.link("/prices.html", text="A ticket for the museum costs 14 euros.")
    site.answer("/opening.html", 500)
    report = await desk.sync(connector)
    assert _outcomes(report)[site.url("/prices.html")] == "changed"
    assert _outcomes(report)[site.url("/opening.html")] == "failed"
    assert await desk.finds("price of a ticket", "14 euros")
    assert await desk.finds("when does the museum open", "ten in the morning")

    site.link("/opening.html", text="The museum opens at ten in the morning.")
    site.answer("/prices.html", 410)
    report = await desk.sync(connector)
    assert _outcomes(report)[site.url("/prices.html")] == "vanished"
    assert not await desk.finds("price of a ticket", "14 euros")

    site.link("/opening.html", text="The museum opens at ten.", head='<meta name="robots" content="noindex">')
    await desk.sync(connector, allow_mass_deletion=True)
    assert set(await desk.documents()) == {"127.0.0.1.html"}


async def test_a_site_that_is_down_fails_the_sync_after_some_tries_and_loses_nothing(desk: Desk, site: WebSite) -> None:
    site.link("/", *(f"/{number}.html" for number in range(15)))
    for number in range(15):
        site.link(f"/{number}.html", text=f"Page number {number}")
    connector = await desk.connect(
        kind="website", settings={"start_urls": [site.url()], "delay_s": 0, "sitemap": False}
    )
    for number in range(15):
        site.answer(f"/{number}.html", 503)
    site.forget_requests()
    await desk.company.api().post(f"{_PATH}{connector['id']}/sync/")
    [job_id] = await _waiting(desk.company, connectors.SYNC)
    await desk.company.service.run_job(desk.company.tenant_id, job_id)
    async with desk.company.service.deps.database.system_transaction() as connection:
        row = (
            await connection.execute(text("select state, error_code from jobs where id = :id"), {"id": job_id})
        ).one()
    assert tuple(row) == ("queued", "connector.unavailable")  # it is tried again later
    assert len(site.asked) <= 13
    assert len(await desk.documents()) == 16


# ---- lists of addresses


async def test_a_list_of_addresses_becomes_documents_that_the_same_list_updates(desk: Desk, site: WebSite) -> None:
    site.put("/terms.html", "<html><body><h1>Terms</h1><p>Payment is due in 30 days.</p></body></html>")
    site.put("/notes.txt", "The warehouse is closed on Sundays.", mime_type="text/plain")
    urls = [site.url("/terms.html"), site.url("/notes.txt"), site.url("/terms.html"), site.url("/absent.html")]
    urls.append("http://10.1.2.3/secret")
    api = desk.company.api()
    accepted = await api.post("/api/chatbot/documents/urls/", json={"urls": urls, "category": "web", "tags": ["x"]})
    assert accepted.status_code == 202, accepted.text
    assert [each["url"] for each in accepted.json()["jobs"]] == [urls[0], urls[1], urls[3], urls[4]]
    await desk.company.service.run_jobs()
    documents = await desk.documents()
    assert set(documents) == {"terms.html", "notes.txt"}
    assert documents["terms.html"]["external_id"] == urls[0]
    assert (documents["terms.html"]["category"], documents["terms.html"]["tags"]) == ("web", ["x"])
    assert await desk.finds("when is payment due", "30 days")
    failed = await _failed(desk.company)
    assert failed == {urls[3]: "fetch.refused_by_server", urls[4]: "fetch.forbidden_address"}

    site.put("/terms.html", "<html><body><h1>Terms</h1><p>Payment is due in 14 days.</p></body></html>")
    await api.post("/api/chatbot/documents/urls/", json={"urls": urls[:2]})
    await desk.company.service.run_jobs()
    documents = await desk.documents()
    assert {name: each["version"] for name, each in documents.items()} == {"terms.html": 2, "notes.txt": 1}
    assert await desk.finds("when is payment due", "14 days")
    assert not await desk.finds("when is payment due", "30 days")


@pytest.mark.parametrize(
    "urls", [[], ["ftp://example.com/a"], ["no address"], ["http://a.example/"] * 501, ["http://u:p@a.example/"]]
)
async def test_a_list_that_makes_no_sense_is_refused_whole(desk: Desk, urls: list[str]) -> None:
    refused = await desk.company.api().post("/api/chatbot/documents/urls/", json={"urls": urls})
    assert refused.status_code == 422
    assert await _waiting(desk.company, "connectors.fetch_url") == []


async def test_members_fetch_private_documents_only(desk: Desk, site: WebSite) -> None:
    site.put("/a.txt", "A private note about tulips.", mime_type="text/plain")
    member = desk.company.api("member")
    shared = await member.post("/api/chatbot/documents/urls/", json={"urls": [site.url("/a.txt")]})
    assert shared.status_code == 403
    private = {"urls": [site.url("/a.txt")], "visibility": "private"}
    assert (await member.post("/api/chatbot/documents/urls/", json=private)).status_code == 202
    await desk.company.service.run_jobs()
    assert (await member.get("/api/chatbot/documents/")).json()["total"] == 1
    assert (await desk.company.api("second_member").get("/api/chatbot/documents/")).json()["total"] == 0


# ---- looking behind the API


async def _waiting(company: Company, kind: str) -> list[UUID]:
    query = "select id from jobs where tenant_id = :tenant and kind = :kind and state = 'queued' and run_after <= now()"
    async with company.service.deps.database.system_transaction() as connection:
        rows = await connection.execute(text(query), {"tenant": company.tenant_id, "kind": kind})
        return list(rows.scalars())


async def _failed(company: Company) -> dict[str, str]:
    query = "select payload ->> 'url' as url, error_code from jobs where tenant_id = :tenant and state = 'failed'"
    async with company.service.deps.database.system_transaction() as connection:
        rows = await connection.execute(text(query), {"tenant": company.tenant_id})
        return {row.url: row.error_code for row in rows}


async def _make_due(desk: Desk, connector: dict[str, Any]) -> None:
    async with desk.company.service.deps.database.transaction(desk.company.tenant_id) as connection:
        await connection.execute(
            text("update connectors set next_sync_at = now() where id = :id"), {"id": connector["id"]}
        )


async def _row(desk: Desk, connector: dict[str, Any]) -> Any:
    async with desk.company.service.deps.database.transaction(desk.company.tenant_id) as connection:
        found = await connectors.repository.find_connector(
            connection, tenant_id=desk.company.tenant_id, connector_id=UUID(connector["id"])
        )
    assert found is not None
    return found
