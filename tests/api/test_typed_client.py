"""The typed client against the real application: what one sends the other understands, and the other way round."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from dragoman.client import ApiError, Document, DocumentFailedError, Dragoman, FileContent

from .conftest import HANDBOOK, Company

PAGE = FileContent(name="handbook.md", content=HANDBOOK.encode(), mime_type="text/markdown")


@pytest.fixture
async def client(company: Company) -> AsyncIterator[Dragoman]:
    transport = httpx.ASGITransport(app=company.service.app, raise_app_exceptions=False)
    async with Dragoman("http://dragoman.test", company.secrets["owner"], transport=transport) as client:
        yield client


async def _read(company: Company, client: Dragoman, source: FileContent = PAGE, **form: str) -> Document:
    uploaded = await client.documents.upload(source, **form)
    await company.service.run_jobs()
    return await client.documents.wait_until_ready(uploaded.id, timeout_s=5)


async def test_a_document_is_uploaded_shown_in_all_its_parts_and_downloaded(
    company: Company, client: Dragoman, tmp_path: Path
) -> None:
    document = await _read(company, client, category="policies", external_id="h")
    assert (document.state, document.approval, document.source) == ("ready", "approved", "upload")
    status = await client.documents.get_status(document.id)
    assert {step.state for step in status.steps} == {"done"}
    chunks = [chunk async for chunk in client.documents.list_chunks(document.id)]
    assert len(chunks) == document.total_chunks
    quality = await client.documents.get_quality(document.id)
    assert quality.score == document.quality_score
    assert {"parts", "languages", "counts", "findings"} <= set(quality.report)
    assert (await client.documents.download(document.id, tmp_path)).read_bytes() == PAGE.content
    actions = [entry.action async for entry in client.documents.list_history(document.id)]
    assert actions == ["document.downloaded", "document.uploaded"]
    found = await client.search("How long may goods be returned?")
    assert found.results[0].end > found.results[0].start
    training_data = await client.documents.get_training_data(document.chatbot_id)
    assert (training_data.ready, [each.id for each in training_data.documents]) == (1, [document.id])
    with pytest.raises(ApiError, match="no such page"):
        await client.documents.get_page(document.id, 99)


async def test_lists_take_all_filters_at_once(company: Company, client: Dragoman) -> None:
    document = await _read(company, client, category="policies", external_id="h")
    wanted = {
        "state": "ready", "approval": "approved", "search": "hand", "category": "policies", "language": "en",
        "visibility": "shared", "source": "upload", "external_id": "h", "sort": "quality", "content_type": "document",
    }  # fmt: skip
    found = [each async for each in client.documents.list(**wanted, min_quality=0.01, chatbot_id=document.chatbot_id)]
    assert [each.id for each in found] == [document.id]
    assert await client.documents.count(**wanted, tag="none") == 0


async def test_a_document_is_replaced_restored_relabelled_and_read_again(company: Company, client: Dragoman) -> None:
    document = await _read(company, client)
    edited = HANDBOOK.replace("42 days", "50 days").encode()
    replaced = await client.documents.replace(document.id, FileContent(name="handbook.md", content=edited))
    assert (replaced.id, replaced.is_duplicate, replaced.state) == (document.id, False, "ready")
    await company.service.run_jobs()
    ready = await client.documents.wait_until_ready(document.id, timeout_s=5)
    assert (ready.version, ready.reused_chunks) == (2, ready.total_chunks - 1)
    await client.documents.restore(document.id, 1)
    await company.service.run_jobs()
    versions = await client.documents.list_versions(document.id)
    assert [(each.version, each.is_live, each.made_from) for each in versions] == [
        (3, True, 1), (2, False, None), (1, False, None),
    ]  # fmt: skip
    changed = await client.documents.update(document.id, category="x", tags=["a", "b"], metadata={"region": "EMEA"})
    assert (changed.category, changed.tags, changed.version) == ("x", ["a", "b"], 3)
    assert (await client.documents.reprocess(document.id, embed_all=True)).version == 4
    cancelled = await client.documents.cancel(document.id)
    assert cancelled.processed
    with pytest.raises(DocumentFailedError) as caught:
        await client.documents.wait_until_ready(document.id, timeout_s=5)
    assert caught.value.code == "cancelled"
    await client.documents.retry(document.id)
    await company.service.run_jobs()
    assert (await client.documents.wait_until_ready(document.id, timeout_s=5)).version == 4


async def test_a_document_waits_for_approval_and_is_rejected_or_approved(company: Company, client: Dragoman) -> None:
    await client.chatbots.update(company.chatbot_id, settings={"moderation": "review"})
    first = await _read(company, client)
    second = await _read(company, client, FileContent(name="b.md", content=b"# Prices\n\nPrices are listed elsewhere."))
    assert [first.state, second.state] == ["pending", "pending"]
    assert [each.id async for each in client.documents.list(approval="pending", sort="oldest")] == [first.id, second.id]
    assert (await client.documents.approve(first.id)).state == "ready"
    await client.documents.reject(second.id, "Out of date")
    with pytest.raises(DocumentFailedError, match="Out of date"):
        await client.documents.wait_until_ready(second.id, timeout_s=5)


async def test_many_files_are_followed_as_one_import(company: Company, client: Dragoman, tmp_path: Path) -> None:
    opened = await client.imports.create("archive", expected_documents=3)
    good = tmp_path / "good.md"
    good.write_text(HANDBOOK, encoding="utf-8")
    sources = [
        good,
        FileContent(name="x.bin", content=b"\x00\x01\x02\x03"),
        FileContent(name="bad.json", content=b"{]"),
    ]
    results = [
        result
        async for result in client.documents.upload_many(
            sources, external_ids=["a", None, "c"], tags=["t"], import_id=opened.id
        )
    ]
    assert [result.accepted for result in results] == [True, False, True]
    await company.service.run_jobs()
    details = await client.imports.get(opened.id)
    assert (details.counts["succeeded"], details.counts["failed"], details.total) == (1, 1, 2)
    [failed] = [job async for job in client.imports.failures(opened.id)]
    assert (failed.file_name, failed.document_id) == ("bad.json", results[2].id)
    assert (await client.jobs.retry(failed.id)).state == "queued"
    document = await client.documents.get(str(results[0].id))
    assert (document.external_id, document.tags) == ("a", ["t"])


async def test_a_client_acts_for_its_users_and_each_sees_their_own(company: Company) -> None:
    await company.know()
    made = await company.api().post("/api/keys/", json={"name": "site", "may_act_for_users": True})
    transport = httpx.ASGITransport(app=company.service.app)
    async with Dragoman("http://dragoman.test", made.json()["api_key"], transport=transport) as client:
        session = await client.sessions.create(user_id="ada")
        answer = await client.messages.send(session.id, "Who receives a discount?", user_id="ada")
        again = await client.messages.regenerate(session.id, answer.id, user_id="ada")
        await client.messages.select(session.id, answer.id, user_id="ada")
        events = [event async for event in client.messages.stream(session.id, "How long?", user_id="ada")]
        assert events[-1].type == "complete"
        told = [event.type async for event in client.messages.follow(session.id, again.id, user_id="ada")]
        assert told[-1] == "complete"
        assert await client.messages.cancel(session.id, again.id, user_id="ada") == "complete"
        assert (await client.sessions.update(session.id, title="Ada's", user_id="ada")).title == "Ada's"
        assert (await client.sessions.get(session.id, user_id="ada")).title == "Ada's"
        assert "discount" in await client.sessions.export(session.id, user_id="ada")
        assert len([each async for each in client.messages.list(session.id, user_id="ada")]) == 4
        assert (await client.ask("How long is the warranty?", user_id="bob")).answered
        assert [each.id async for each in client.sessions.list(user_id="ada")] == [session.id]
        assert len([each async for each in client.sessions.list(user_id="bob")]) == 1
        assert [each async for each in client.sessions.list()] == []
        for other in ("bob", None):
            with pytest.raises(ApiError, match="no session with this id"):
                await client.sessions.get(session.id, user_id=other)
        await client.sessions.delete(session.id, user_id="ada")


async def test_keys_machines_members_and_widgets_are_managed(company: Company, client: Dragoman) -> None:
    machine = await client.service_accounts.create("import", description="Nightly.", role="editor")
    key = await client.keys.create(
        "host", service_account_id=machine.id, scopes=["search"], description="One.", chatbot_id=company.chatbot_id
    )
    assert (key.scopes, key.service_account_id, key.confined) == (["search"], machine.id, False)
    rotated = await client.keys.rotate(key.id, grace_hours=1)
    assert rotated.api_key != key.api_key
    assert (await client.keys.update(key.id, name="host 2")).name == "host 2"
    assert [each.id async for each in client.keys.list(service_account_id=machine.id)] == [key.id]
    board = await client.chatbots.create("Board", access="listed")
    assert (await client.chatbots.update(board.id, access="tenant")).access == "tenant"
    assert (await client.chatbots.set_member(board.id, machine.id, "agent")).kind == "service_account"
    assert [(each.id, each.role) async for each in client.chatbots.members(board.id)] == [(machine.id, "agent")]
    await client.chatbots.remove_member(board.id, machine.id)
    widget = await client.widget_keys.create(board.id, "site", origins=["https://a.example"], allows_no_origin=True)
    first = await client.widget_keys.admit(widget.public_key)
    assert (await client.widget_keys.admit(widget.public_key, token=first.token)).visitor_id == first.visitor_id
    changed = await client.widget_keys.update(board.id, widget.id, origins=["https://b.example"])
    assert changed.origins == ["https://b.example"]
    assert (await client.widget_keys.revoke(board.id, widget.id)).revoked_at is not None
    assert [each.id async for each in client.widget_keys.list(board.id)] == [widget.id]
    assert not (await client.service_accounts.update(machine.id, is_active=False)).is_active
    assert [each.id async for each in client.service_accounts.list()] == [machine.id]
    assert (await client.service_accounts.get(machine.id)).name == "import"
    await client.service_accounts.delete(machine.id)
    with pytest.raises(ApiError, match="no service account"):
        await client.service_accounts.get(machine.id)
