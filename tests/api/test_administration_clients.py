"""The asynchronous client and its synchronous twin for people, keys, the audit log, privacy and feedback."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx
import pytest

from dragoman.client import ApiError, AuditHead, Dragoman, SyncDragoman
from dragoman.privacy import erasure
from dragoman.tenancy import audit
from dragoman.tenancy.audit_log import chain

from .commands import worker_beside
from .serving import serving
from .signing_in import PASSWORD, add_person, token_of

QUESTION = "What discount do gold partners receive?"
NEW_PASSWORD = "seven brittle lamps hum"
ABSENT = "019a0000-0000-7000-8000-000000000000"

ClientOf = Callable[[str | None], AbstractAsyncContextManager[Any]]


class _Called:
    """A call of the synchronous client that waits to be awaited, or to be gone through, in a thread."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call

    def __await__(self) -> Generator[Any, None, Any]:
        return asyncio.to_thread(self._call).__await__()

    async def __aiter__(self) -> AsyncIterator[Any]:
        for item in await asyncio.to_thread(lambda: list(self._call())):
            yield item


class _Part:
    """A synchronous client, or a part of it, that is used as the asynchronous one."""

    def __init__(self, part: Any) -> None:
        self._part = part

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._part, name)
        if not callable(found):
            return _Part(found)
        return lambda *arguments, **named: _Called(lambda: found(*arguments, **named))


@pytest.fixture(scope="module")
async def url(service: Any) -> AsyncIterator[str]:
    async with serving(service) as url:
        yield url


@pytest.fixture(params=["async", "sync"])
def client_of(request: pytest.FixtureRequest, url: str) -> ClientOf:
    """Opens a client with this key or access token."""

    @asynccontextmanager
    async def opened(secret: str | None) -> AsyncIterator[Any]:
        if request.param == "async":
            async with Dragoman(url, secret, max_retries=0) as client:
                yield client
            return
        with SyncDragoman(url, secret, max_retries=0) as twin:
            yield _Part(twin)

    return opened


@pytest.fixture
async def client(company: Any, client_of: ClientOf) -> AsyncIterator[Any]:
    """That of the tenant's owner."""
    async with client_of(company.secrets["owner"]) as client:
        yield client


@pytest.fixture
async def worker(service: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    monkeypatch.setattr(erasure, "_SETTLED_S", 0.0)
    async with worker_beside(service):
        yield


async def _refused(call: Awaitable[Any]) -> tuple[int, str]:
    with pytest.raises(ApiError) as raised:
        await call
    return raised.value.status, raised.value.code


# ---- people and sign-ins


async def test_a_user_is_invited_changed_and_removed(company: Any, client: Any, client_of: ClientOf) -> None:
    email = f"eva-{company.tenant_id.hex[-8:]}@example.com"
    invited = await client.users.invite(email, role="editor")
    assert (invited.email, invited.is_mailed) == (email, False)
    assert [each.id async for each in client.users.invitations()] == [invited.id]
    async with client_of(None) as stranger:
        tokens = await stranger.accounts.set_password(token_of(invited.url), PASSWORD, display_name="Eva")
        again = await _refused(stranger.accounts.set_password(token_of(invited.url), PASSWORD))
    assert again == (410, "accounts.invalid_link")
    async with client_of(tokens.access_token) as eva:
        me = await eva.accounts.me()
        assert (me.email, me.role, me.display_name, me.sign_in_id) == (email, "editor", "Eva", tokens.sign_in_id)
        assert (await eva.accounts.rename_me("Eva Luna")).display_name == "Eva Luna"
    changed = await client.users.update(me.user_id, display_name="Eve", role="member")
    assert (changed.display_name, changed.role, changed.has_password) == ("Eve", "member", True)
    assert (await client.users.get(me.user_id)).last_sign_in_at is not None
    assert (await client.users.update(me.user_id, is_active=False)).is_active is False
    async with client_of(tokens.access_token) as eva:
        assert (await _refused(eva.accounts.me()))[0] == 401
    await client.users.remove(me.user_id)
    assert email not in [user.email async for user in client.users.list()]
    assert await _refused(client.users.get(me.user_id)) == (404, "accounts.user_not_found")


async def test_an_invitation_is_taken_back_and_a_user_made_without_a_password(
    company: Any, client: Any, client_of: ClientOf
) -> None:
    invited = await client.users.invite("gus@example.com")
    await client.users.revoke_invitation(invited.id)
    assert [each async for each in client.users.invitations()] == []
    assert await _refused(client.users.revoke_invitation(invited.id)) == (404, "accounts.invitation_not_found")
    made = await client.users.create("hal@example.com", display_name="Hal")
    assert (made.has_password, made.role) == (False, "member")
    assert await _refused(client.users.create("hal@example.com")) == (409, "accounts.user_exists")
    async with client_of(company.secrets["member"]) as member:
        assert (await _refused(member.users.invite("ivy@example.com")))[0] == 403


async def test_who_signs_in_sees_the_sign_ins_refreshes_changes_the_password_and_leaves(
    company: Any, client_of: ClientOf
) -> None:
    ada = await add_person(company)
    async with client_of(None) as stranger:
        assert (await _refused(stranger.accounts.sign_in(ada.email, "wrong words here")))[0] == 401
        tokens = await stranger.accounts.sign_in(ada.email, PASSWORD, tenant_id=company.tenant_id)
        refreshed = await stranger.accounts.refresh(tokens.refresh_token)
        assert refreshed.sign_in_id == tokens.sign_in_id
        assert refreshed.refresh_token != tokens.refresh_token
        await stranger.accounts.request_password_reset("nobody@example.com")
        assert [key["kty"] for key in (await stranger.accounts.jwks())["keys"]] == ["EC"]
    async with client_of(refreshed.access_token) as signed_in:
        open_ones = [each async for each in signed_in.accounts.sign_ins()]
        assert (open_ones[0].id, open_ones[0].is_current) == (tokens.sign_in_id, True)
        assert len(open_ones) == 2
        await signed_in.accounts.end_sign_in(open_ones[1].id)
        assert len([each async for each in signed_in.accounts.sign_ins()]) == 1
        wrong = await _refused(signed_in.accounts.change_password("wrong words here", NEW_PASSWORD))
        assert wrong[0] in (401, 403, 422)
        await signed_in.accounts.change_password(PASSWORD, NEW_PASSWORD)
    async with client_of(None) as stranger:
        assert (await _refused(stranger.accounts.sign_in(ada.email, PASSWORD)))[0] == 401
        last = await stranger.accounts.sign_in(ada.email, NEW_PASSWORD)
        await stranger.accounts.sign_out(last.refresh_token)
        assert (await _refused(stranger.accounts.refresh(last.refresh_token)))[0] == 401


# ---- service accounts, keys, widget keys, limits


async def test_a_service_account_has_keys_that_follow_it(company: Any, client: Any, client_of: ClientOf) -> None:
    robot = await client.service_accounts.create("Robot", description="Syncs", role="editor")
    assert (await client.service_accounts.get(robot.id)).name == "Robot"
    key = await client.keys.create("sync", role="editor", service_account_id=robot.id, scopes=["documents:read"])
    assert (key.scopes, key.service_account_id) == (["documents:read"], robot.id)
    assert [each.id async for each in client.keys.list(service_account_id=robot.id)] == [key.id]
    assert (await client.keys.update(key.id, description="Nightly")).description == "Nightly"
    rotated = await client.keys.rotate(key.id, grace_hours=0)
    async with client_of(key.api_key) as before, client_of(rotated.api_key) as present:
        assert (await _refused(before.accounts.me()))[0] == 401
        assert (await present.accounts.me()).api_key_id == key.id
        assert (await _refused(present.keys.create("more")))[0] == 403
    assert (await client.service_accounts.update(robot.id, is_active=False)).is_active is False
    assert (await client.keys.revoke(key.id)).revoked_at is not None
    await client.service_accounts.delete(robot.id)
    assert [each async for each in client.service_accounts.list()] == []
    assert await _refused(client.service_accounts.get(robot.id)) == (404, "tenancy.service_account_not_found")


async def test_a_widget_key_admits_visitors_until_it_is_revoked(company: Any, client: Any, client_of: ClientOf) -> None:
    made = await client.widget_keys.create(company.chatbot_id, "app", origins=["https://a.example"])
    async with client_of(None) as visitor:
        assert (await _refused(visitor.widget_keys.admit(made.public_key)))[0] == 403
        changed = await client.widget_keys.update(company.chatbot_id, made.id, name="phone", allows_no_origin=True)
        assert (changed.name, changed.allows_no_origin) == ("phone", True)
        admitted = await visitor.widget_keys.admit(made.public_key)
        renewed = await visitor.widget_keys.admit(made.public_key, token=admitted.token)
        assert renewed.visitor_id == admitted.visitor_id
        assert [each.id async for each in client.widget_keys.list(company.chatbot_id)] == [made.id]
        assert (await client.widget_keys.revoke(company.chatbot_id, made.id)).revoked_at is not None
        assert (await _refused(visitor.widget_keys.admit(made.public_key)))[0] in (401, 403)
    absent = await _refused(client.widget_keys.revoke(company.chatbot_id, ABSENT))
    assert absent == (404, "tenancy.widget_key_not_found")


async def test_limits_are_read_and_set(client: Any) -> None:
    assert (await client.limits.set({"streams": 3})).effective["streams"] == 3
    assert (await client.limits.read()).own["streams"] == 3
    assert (await _refused(client.limits.set({"streams": -1})))[0] == 422


# ---- audit


async def test_the_audit_log_is_filtered_exported_and_verified(company: Any, client: Any, client_of: ClientOf) -> None:
    key = await client.keys.create("first")
    log = company.service.deps.audit_log
    await audit.flush(company.service.deps.database)
    await chain.chain_tenant(log.database, log.keyring, log.anchors, company.tenant_id)
    events = [event async for event in client.audit.list({"subject_id": key.id})]
    assert [(event.action, event.details["name"]) for event in events] == [("key.created", "first")]
    lines = b"".join([piece async for piece in client.audit.export({"action": "key."})]).splitlines()
    assert str(key.id) in {json.loads(line)["subject_id"] for line in lines}
    pieces = [piece async for piece in client.audit.export({"subject_id": key.id}, file_format="csv")]
    assert [row["action"] for row in csv.DictReader(io.StringIO(b"".join(pieces).decode()))] == ["key.created"]
    head = await client.audit.get_head()
    assert isinstance(head, AuditHead)
    verified = await client.audit.verify([head])
    assert (verified.is_whole, verified.head.sequence, verified.problems) == (True, head.sequence, [])
    forged = await client.audit.verify([head.model_copy(update={"hash": "0" * 64})])
    assert not forged.is_whole
    async with client_of(company.secrets["editor"]) as editor:
        assert (await _refused(editor.audit.get_head()))[0] == 403


# ---- privacy


@pytest.mark.usefixtures("worker")
async def test_a_person_is_exported_and_erased(company: Any, client: Any) -> None:
    ada = await add_person(company)
    asked = await client.privacy.export("user", ada.user_id)
    done = await client.privacy.wait(asked.id, timeout_s=60)
    assert (done.state, done.kind, done.subject_id) == ("done", "export", ada.user_id)
    content = b"".join([piece async for piece in client.privacy.read_archive(asked.id)])
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        assert ada.email.encode() in b"".join(archive.read(name) for name in archive.namelist())
    await client.privacy.delete_archive(asked.id)
    with pytest.raises(ApiError) as raised:
        [piece async for piece in client.privacy.read_archive(asked.id)]
    assert raised.value.status == 404
    erased = await client.privacy.wait((await client.privacy.erase("user", ada.user_id)).id, timeout_s=60)
    assert erased.state == "done"
    assert {each.kind async for each in client.privacy.list()} == {"export", "erase"}
    assert (await client.privacy.get(erased.id)).counts == erased.counts
    assert (await ada.sign_in()).status_code == 401
    assert (await _refused(client.privacy.erase("user", ada.user_id)))[0] == 404


# ---- feedback


@pytest.mark.usefixtures("worker")
async def test_an_answer_is_rated_corrected_and_reported_on(company: Any, client: Any) -> None:
    answers = [await company.ask(QUESTION) for _ in range(2)]
    ids = [answer["id"] for answer in answers]
    given = await client.feedback.give(ids[0], "down", correction="It is 20 percent.", metadata={"screen": "chat"})
    assert (given.rating, given.correction_state) == ("down", "open")
    assert (await client.feedback.change(ids[0], comment="Since May.")).comment == "Since May."
    assert [each.comment for each in (await client.feedback.get(ids[0])).history] == [""]
    listed = [each async for each in client.feedback.list(rating="down", has_text=True, correction="open")]
    assert [each.id for each in listed] == [given.id]
    analytics = await client.feedback.analytics(chatbot_id=company.chatbot_id)
    assert (analytics.up, analytics.down, analytics.corrections["open"]) == (0, 1, 1)
    accepted = await client.feedback.accept_correction(given.id, question="Which discount?")
    assert accepted.document_id
    other = await client.feedback.give(ids[1], "down", correction="Nothing.")
    rejected = await client.feedback.reject_correction(other.id, note="Wrong.")
    assert rejected.correction_state == "rejected"
    await client.feedback.withdraw(ids[1])
    assert await _refused(client.feedback.get(ids[1])) == (404, "feedback.not_found")
    report = await client.feedback.request_report()
    deadline = asyncio.get_running_loop().time() + 60
    while (written := await client.feedback.get_report(report.id)).state == "queued":
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.1)
    assert written.state == "ready"
    assert (await client.feedback.get_report_as_markdown(report.id)).startswith("# ")
    assert [each.id async for each in client.feedback.list_reports()] == [report.id]


async def test_feedback_is_exported_by_both_clients(company: Any, url: str) -> None:
    answer = await company.ask(QUESTION)
    async with Dragoman(url, company.secrets["owner"]) as client:
        await client.feedback.give(answer["id"], "up", comment="Yes.")
        async with client.feedback.open_export(format="jsonl", rating="up") as response:
            assert isinstance(response, httpx.Response)
            lines = b"".join([piece async for piece in response.aiter_bytes()]).splitlines()
    assert [json.loads(line)["comment"] for line in lines] == ["Yes."]

    def export() -> bytes:
        with SyncDragoman(url, company.secrets["owner"]) as twin, twin.feedback.open_export(format="jsonl") as sent:
            return b"".join(sent.iter_bytes())

    assert (await asyncio.to_thread(export)).splitlines() == lines


# ---- sessions


async def test_ones_own_sessions_are_made_renamed_asked_in_and_removed(
    company: Any, client: Any, client_of: ClientOf
) -> None:
    made = await client.sessions.create(title="Discounts")
    assert [each.id async for each in client.sessions.list()] == [made.id]
    async with client_of(company.secrets["member"]) as member:
        assert [each async for each in member.sessions.list()] == []
        assert (await _refused(member.sessions.get(made.id)))[0] == 404
        assert (await _refused(member.sessions.delete(made.id)))[0] == 404
    renamed = await client.sessions.update(made.id, title="Rebates")
    assert (renamed.title, (await client.sessions.get(made.id)).title) == ("Rebates", "Rebates")
    answer = await client.messages.send(made.id, QUESTION)
    assert [each.role async for each in client.messages.list(made.id)] == ["user", "assistant"]
    assert answer.content
    await client.sessions.delete(made.id)
    assert (await _refused(client.sessions.get(made.id)))[0] == 404
