"""Keys with scopes and new secrets, machines with a name, roles on single chatbots, and visitors of web sites."""

from __future__ import annotations

import base64
import re
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from dragoman.entrypoints import reference
from dragoman.feedback import corrections
from dragoman.feedback.errors import FeedbackNotFoundError, ReportNotFoundError
from dragoman.feedback.improvement import service as reports
from dragoman.kit import clock
from dragoman.tenancy import access, audit, concerned, visitor_tokens, widgets
from dragoman.tenancy.entities import Caller, Reach, Role

SITE = "https://www.example.com"
HIDDEN_TEXT = "# Salaries\n\nThe secret bonus of the Aurora team is 9000 euros.\n"


@pytest.fixture(autouse=True)
def _all_refusals_written(service: Any) -> None:
    """However many there were in this minute."""
    audit._trail_of(service.deps.database).quota = audit._Quota()


async def _key(company: Any, who: str = "owner", **body: Any) -> dict[str, Any]:
    made = await company.api(who).post("/api/keys/", json={"name": "k", **body})
    assert made.status_code == 201, made.text
    key: dict[str, Any] = made.json()
    return key


async def _actions(service: Any, company: Any, subject_id: str) -> list[tuple[str, dict[str, Any]]]:
    """What the audit log says of one thing, the oldest first."""
    query = text("select action, details from audit_events where subject_id = :id order by id")
    await audit.flush(service.deps.database)
    async with service.deps.database.transaction(company.tenant_id) as connection:
        return [(row.action, row.details) for row in await connection.execute(query, {"id": UUID(subject_id)})]


# ---- scopes


async def test_a_key_with_scopes_may_do_these_things_only(service: Any, company: Any) -> None:
    await company.know()
    key = service.client((await _key(company, role="owner", scopes=["search", "documents:read"]))["api_key"])
    assert (await key.post("/api/search", json={"query": "discount"})).status_code == 200
    assert (await key.get("/api/chatbot/documents/")).status_code == 200
    for refused in (await key.get("/api/keys/"), await key.post("/api/chatbot/sessions/", json={})):
        assert (refused.status_code, refused.json()["code"]) == (403, "tenancy.forbidden")
        assert "documents:read, search" in refused.json()["detail"]


async def test_scopes_are_permissions_of_the_role(company: Any) -> None:
    refused = await company.api().post("/api/keys/", json={"name": "k", "role": "member", "scopes": ["keys:manage"]})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
    unknown = await company.api().post("/api/keys/", json={"name": "k", "scopes": ["everything"]})
    assert unknown.status_code == 422


async def test_no_key_makes_or_rotates_one_that_may_do_more(service: Any, company: Any) -> None:
    scoped = service.client((await _key(company, role="owner", scopes=["keys:manage", "search"]))["api_key"])
    assert (await scoped.post("/api/keys/", json={"name": "k", "role": "owner"})).status_code == 403
    allowed = await scoped.post("/api/keys/", json={"name": "k", "role": "owner", "scopes": ["search"]})
    assert allowed.status_code == 201
    owners = str(company.key_ids["owner"])
    assert (await scoped.post(f"/api/keys/{owners}/rotate/")).status_code == 403
    assert (await company.api().get("/api/keys/")).status_code == 200


# ---- rotation and last use


async def test_after_a_rotation_both_secrets_open_until_the_grace_is_over(
    service: Any, company: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await _key(company)
    rotated = (await company.api().post(f"/api/keys/{key['id']}/rotate/")).json()
    assert rotated["api_key"] != key["api_key"]
    assert rotated["prefix"] == rotated["api_key"][:12]
    for secret in (key["api_key"], rotated["api_key"]):
        assert (await service.client(secret).get("/api/chatbots/")).status_code == 200
    access.forget_key(service.deps.database, UUID(key["id"]))
    in_25_hours = clock.now() + timedelta(hours=25)
    monkeypatch.setattr(access, "now", lambda: in_25_hours)
    refused = await service.client(key["api_key"]).get("/api/chatbots/")
    assert (refused.status_code, refused.json()["code"]) == (401, "tenancy.expired_key")
    assert (await service.client(rotated["api_key"]).get("/api/chatbots/")).status_code == 200
    actions = dict(await _actions(service, company, key["id"]))
    assert {"key.created", "key.rotated", "key.refused"} <= set(actions)
    assert actions["key.refused"]["reason"] == "rotated"


async def test_a_rotation_without_grace_ends_the_old_secret_at_once(service: Any, company: Any) -> None:
    key = await _key(company)
    old = service.client(key["api_key"])
    assert (await old.get("/api/chatbots/")).status_code == 200
    rotated = await company.api().post(f"/api/keys/{key['id']}/rotate/", json={"grace_hours": 0})
    assert (await old.get("/api/chatbots/")).status_code == 401
    assert (await service.client(rotated.json()["api_key"]).get("/api/chatbots/")).status_code == 200


async def test_a_second_rotation_ends_the_first_secret(service: Any, company: Any) -> None:
    first = await _key(company)
    second = (await company.api().post(f"/api/keys/{first['id']}/rotate/")).json()
    third = (await company.api().post(f"/api/keys/{first['id']}/rotate/")).json()
    statuses = [
        (await service.client(each["api_key"]).get("/api/chatbots/")).status_code for each in (first, second, third)
    ]
    assert statuses == [401, 200, 200]


async def test_a_revoked_key_is_not_rotated(company: Any) -> None:
    key = await _key(company)
    await company.api().delete(f"/api/keys/{key['id']}/")
    refused = await company.api().post(f"/api/keys/{key['id']}/rotate/")
    assert (refused.status_code, refused.json()["code"]) == (409, "tenancy.key_not_rotatable")


async def test_an_admin_does_not_take_an_owners_identity_by_rotating_his_key(company: Any) -> None:
    key = await _key(company, role="member", user_email="ada@example.com")
    assert (await company.api("admin").post(f"/api/keys/{key['id']}/rotate/")).status_code == 403


async def test_the_list_tells_when_and_from_where_a_key_was_used(service: Any, company: Any) -> None:
    key = await _key(company, description="For the shop.")
    assert (key["last_used_at"], key["last_used_address"]) == (None, None)
    await service.client(key["api_key"]).get("/api/chatbots/")
    listed = (await company.api().get("/api/keys/", params={"limit": 200})).json()["keys"]
    [shown] = [each for each in listed if each["id"] == key["id"]]
    assert shown["last_used_at"] is not None
    assert shown["last_used_address"] == "127.0.0.1"
    assert shown["description"] == "For the shop."


# ---- service accounts


async def _account(company: Any, name: str = "import", role: str = "member") -> str:
    made = await company.api().post("/api/service-accounts/", json={"name": name, "role": role})
    assert made.status_code == 201, made.text
    account_id: str = made.json()["id"]
    return account_id


async def test_a_machine_owns_what_its_keys_make(service: Any, company: Any) -> None:
    account = await _account(company)
    keys = [await _key(company, service_account_id=account) for _ in range(2)]
    one, other = (service.client(key["api_key"]) for key in keys)
    session_id = (await one.post("/api/chatbot/sessions/", json={})).json()["id"]
    assert (await other.get(f"/api/chatbot/sessions/{session_id}/")).status_code == 200
    assert (await company.api("member").get(f"/api/chatbot/sessions/{session_id}/")).status_code == 404
    listed = await company.api().get("/api/keys/", params={"service_account_id": account})
    assert {key["id"] for key in listed.json()["keys"]} == {key["id"] for key in keys}


async def test_keys_follow_their_machine(service: Any, company: Any) -> None:
    account = await _account(company, role="admin")
    client = service.client((await _key(company, role="admin", service_account_id=account))["api_key"])
    path = f"/api/service-accounts/{account}/"
    assert (await client.get("/api/keys/")).status_code == 200
    await company.api().patch(path, json={"role": "member"})
    assert (await client.get("/api/keys/")).status_code == 403
    await company.api().patch(path, json={"is_active": False})
    refused = await client.get("/api/chatbots/")
    assert (refused.status_code, refused.json()["code"]) == (401, "tenancy.inactive_service_account")
    await company.api().patch(path, json={"is_active": True})
    assert (await client.get("/api/chatbots/")).status_code == 200
    assert (await company.api().delete(path)).status_code == 204
    assert (await client.get("/api/chatbots/")).status_code == 401
    actions = [action for action, _ in await _actions(service, company, account)]
    assert actions == ["service_account.created", *["service_account.changed"] * 3, "service_account.deleted"]


async def test_machines_have_names_of_their_own_and_at_most_the_makers_role(company: Any) -> None:
    await _account(company, "twice")
    again = await company.api().post("/api/service-accounts/", json={"name": "twice"})
    assert (again.status_code, again.json()["code"]) == (409, "tenancy.service_account_exists")
    above = await company.api("admin").post("/api/service-accounts/", json={"name": "up", "role": "owner"})
    assert above.status_code == 403
    account = await _account(company, "small")
    too_much = {"name": "k", "role": "admin", "service_account_id": account}
    assert (await company.api().post("/api/keys/", json=too_much)).status_code == 422


async def test_a_users_key_has_at_most_the_users_role(service: Any, company: Any) -> None:
    async with service.deps.database.transaction(company.tenant_id) as connection:
        await connection.execute(text("update users set role = 'member' where email = 'editor@example.com'"))
    access.forget_tenant(service.deps.database, company.tenant_id)
    assert (await company.upload(who="editor")).status_code == 403


# ---- roles on single chatbots, and chatbots with a list


class Listed:
    """A chatbot with a list, a document in it, and keys of people beside the list."""

    def __init__(self, service: Any, company: Any, chatbot_id: str, document: dict[str, Any]) -> None:
        self.service, self.company, self.chatbot_id, self.document = service, company, chatbot_id, document

    async def machine(self, name: str, *, role: str | None = None, on: str | None = None) -> Any:
        """The client of a machine that is a member of the tenant, with a role on a chatbot, this one unless said."""
        account = await _account(self.company, name)
        if role:
            path = f"/api/chatbots/{on or self.chatbot_id}/members/{account}/"
            assert (await self.company.api().put(path, json={"role": role})).status_code == 200
        return self.service.client((await _key(self.company, service_account_id=account))["api_key"])


@pytest.fixture
async def listed(service: Any, company: Any) -> Listed:
    made = await company.api().post("/api/chatbots/", json={"name": "Board", "access": "listed"})
    chatbot_id = made.json()["id"]
    assert made.json()["access"] == "listed"
    document = await company.know(HIDDEN_TEXT, "salaries.md", chatbot_id=chatbot_id)
    return Listed(service, company, chatbot_id, document)


async def test_a_listed_chatbot_does_not_exist_for_those_who_are_not_on_its_list(listed: Listed) -> None:
    company, chatbot_id, document_id = listed.company, listed.chatbot_id, listed.document["id"]
    session_id = await company.open_session("owner", chatbot_id=chatbot_id)
    for who in ("editor", "agent", "member"):
        api = company.api(who)
        answers = [
            await api.get(f"/api/chatbots/{chatbot_id}/"),
            await api.post("/api/search", json={"query": "bonus", "chatbot_id": chatbot_id}),
            await api.get(f"/api/search/hybrid/{chatbot_id}", params={"q": "bonus"}),
            await api.post("/api/chatbot/sessions/", json={"chatbot_id": chatbot_id}),
            await api.get(f"/api/chatbot/sessions/{session_id}/"),
            await api.get("/api/chatbot/documents/", params={"chatbot_id": chatbot_id}),
            await api.get(f"/api/chatbot/documents/{document_id}/"),
            await api.get(f"/api/chatbot/documents/{document_id}/content/"),
            await api.delete(f"/api/chatbot/documents/{document_id}/"),
            await api.post("/api/chatbot/sessions/", json={"document_ids": [document_id]}),
            await api.get(f"/v1/models/dragoman-{chatbot_id}"),
            await api.post(
                "/v1/chat/completions",
                json={"model": f"dragoman-{chatbot_id}", "messages": [{"role": "user", "content": "bonus?"}]},
            ),
        ]
        assert [answer.status_code for answer in answers] == [404] * len(answers), who
        absent = await api.get(f"/api/chatbot/documents/{uuid4()}/")
        hidden = answers[6].json()
        assert (hidden["code"], hidden["detail"]) == (absent.json()["code"], absent.json()["detail"])


async def test_lists_leave_out_what_is_hidden(listed: Listed) -> None:
    company, chatbot_id = listed.company, listed.chatbot_id
    await company.open_session("editor")
    await company.api().post("/api/chatbot/imports/", json={"name": "Board", "chatbot_id": chatbot_id})
    for who, sees in (("editor", False), ("admin", True)):
        texts = [
            (await company.api(who).get(path)).text
            for path in (
                "/api/chatbots/",
                "/v1/models",
                "/api/chatbot/imports/",
                "/api/jobs/",
                "/api/chatbot/sessions/",
            )
        ]
        assert [chatbot_id in text for text in texts[:3]] == [sees] * 3, who
        assert (listed.document["id"] in texts[3]) is sees
    assert (await company.api("editor").get("/api/chatbots/")).json()["total"] == 1


async def test_one_query_of_a_batch_does_not_reach_a_hidden_chatbot(listed: Listed) -> None:
    queries = [{"query": "bonus"}, {"query": "bonus", "chatbot_id": listed.chatbot_id}]
    found = await listed.company.api("member").post("/api/search/batch", json={"queries": queries})
    results = found.json()["results"]
    assert "error" not in results[0] or results[0]["error"] is None
    assert results[1]["error"]["status"] == 404
    assert "9000" not in found.text


async def test_who_is_on_the_list_has_his_role_there_and_nowhere_else(listed: Listed) -> None:
    editor = await listed.machine("editor", role="editor")
    found = await editor.post("/api/search", json={"query": "bonus", "chatbot_id": listed.chatbot_id, "explain": True})
    assert found.status_code == 200
    assert "9000" in found.text
    note = {"file": ("note.md", b"# Note\n\nA note.")}
    here = await editor.post("/api/chatbot/documents/", files=note, data={"chatbot_id": listed.chatbot_id})
    assert here.status_code == 202, here.text
    elsewhere = await editor.post("/api/chatbot/documents/", files=note)
    assert elsewhere.status_code == 403
    assert (await editor.get("/api/jobs/", params={"chatbot_id": listed.chatbot_id})).status_code == 200
    assert (await editor.get("/api/jobs/")).status_code == 403
    assert (await editor.get("/api/keys/")).status_code == 403
    member = await listed.machine("member", role="member")
    asked = {"query": "bonus", "chatbot_id": listed.chatbot_id}
    assert (await member.post("/api/search", json=asked)).status_code == 200
    assert (await member.post("/api/search", json={**asked, "explain": True})).status_code == 403


async def _rated(company: Any, chatbot_id: str) -> tuple[str, str]:
    """An answer with a correction that waits, and a report, both of this chatbot: their ids."""
    session_id = await company.open_session("owner", chatbot_id=chatbot_id)
    answer = await company.ask("What is the bonus?", who="owner", session_id=session_id)
    body = {"rating": "down", "correction": "9500 euros."}
    given = await company.api().post(f"/api/chatbot/messages/{answer['id']}/feedback/", json=body)
    report = await company.api().post("/api/chatbot/reports/improvement/", json={"chatbot_id": chatbot_id})
    assert (given.status_code, report.status_code) == (201, 202)
    return given.json()["id"], report.json()["id"]


def _about_feedback(client: Any, feedback_id: str, report_id: str) -> list[Any]:
    return [
        client.get(f"/api/chatbot/reports/{report_id}/"),
        client.post(f"/api/chatbot/feedback/{feedback_id}/accept-correction/", json={}),
        client.post(f"/api/chatbot/feedback/{feedback_id}/reject-correction/", json={}),
    ]


async def test_who_looks_after_one_chatbot_neither_reads_nor_decides_feedback_of_others(listed: Listed) -> None:
    company, mine = listed.company, str(listed.company.chatbot_id)
    hidden, own = await _rated(company, listed.chatbot_id), await _rated(company, mine)
    absent = (str(uuid4()), str(uuid4()))
    not_found = [(404, "feedback.report_not_found"), (404, "feedback.not_found"), (404, "feedback.not_found")]
    path = "/api/chatbot/feedback/"
    of_hidden = {"chatbot_id": listed.chatbot_id}
    editor = await listed.machine("of one", role="editor", on=mine)
    for who, codes in ((editor, [(403, "tenancy.forbidden")] * 3), (company.api("editor"), not_found)):
        for ids in (hidden, absent):  # nothing tells the one from the other
            answers = [await answer for answer in _about_feedback(who, *ids)]
            assert [(answer.status_code, answer.json()["code"]) for answer in answers] == codes
        shown = await who.get(path, params=of_hidden)
        assert shown.status_code == codes[0][0], shown.text
        assert (await who.get("/api/chatbot/reports/", params=of_hidden)).status_code == codes[0][0]
    waiting = await company.api().get(path, params={"chatbot_id": listed.chatbot_id, "correction": "open"})
    assert [each["id"] for each in waiting.json()["feedback"]] == [hidden[0]]  # nothing was decided
    assert [(await answer).status_code for answer in _about_feedback(editor, *own)] == [200, 202, 409]
    listed_own = await editor.get(path, params={"chatbot_id": mine})
    assert [each["id"] for each in listed_own.json()["feedback"]] == [own[0]]


async def test_a_role_on_one_chatbot_says_nothing_of_feedback_on_an_open_one(listed: Listed) -> None:
    """It exists for the caller, who is a member there: refused, as everything that members may not do."""
    other = await _rated(listed.company, str(listed.company.chatbot_id))
    editor = await listed.machine("of the board", role="editor")
    assert [(await answer).status_code for answer in _about_feedback(editor, *other)] == [403] * 3
    assert (await editor.get("/api/chatbot/reports/")).status_code == 403


async def test_services_of_feedback_ask_for_the_role_on_the_chatbot_too(listed: Listed) -> None:
    """Whatever door leads to them."""
    company, deps = listed.company, listed.service.deps
    feedback_id, report_id = await _rated(company, str(company.chatbot_id))
    caller = Caller(
        tenant_id=company.tenant_id,
        role=Role.MEMBER,
        asker="user:nobody",
        permissions=access.PERMISSIONS[Role.MEMBER],
        reach=Reach(roles={UUID(listed.chatbot_id): Role.EDITOR}),
    )
    with pytest.raises(ReportNotFoundError):
        await reports.get_report(deps, caller, UUID(report_id))
    with pytest.raises(FeedbackNotFoundError):
        await corrections.reject(deps, caller, UUID(feedback_id), note="")
    with pytest.raises(FeedbackNotFoundError):
        await corrections.accept(deps, caller, UUID(feedback_id), question=None, answer=None)


async def test_a_role_on_the_default_chatbot_counts_where_none_is_named(listed: Listed) -> None:
    editor = await listed.machine("default", role="editor", on=str(listed.company.chatbot_id))
    note = {"file": ("note.md", b"# Note\n\nA note.")}
    assert (await editor.post("/api/chatbot/documents/", files=note)).status_code == 202
    assert (await editor.post("/api/search", json={"query": "x", "explain": True})).status_code == 200


async def test_naming_a_chatbot_on_the_way_does_not_widen_rights(listed: Listed) -> None:
    """Parameters that an operation does not know, and ids that it only filters by, give nothing."""
    admin = await listed.machine("admin", role="admin")
    here, elsewhere = listed.chatbot_id, str(listed.company.chatbot_id)
    document = listed.document["id"]
    note = {"file": ("note.md", b"# Note\n\nA note.")}
    refused = {
        "make a chatbot": admin.post("/api/chatbots/", json={"name": "x"}, params={"chatbot_id": here}),
        "all imports": admin.get("/api/chatbot/imports/", params={"document_id": document}),
        "all connectors": admin.get("/api/chatbot/connectors/", params={"session_id": here}),
        "keys": admin.get("/api/keys/", params={"chatbot_id": here}),
        "make a key": admin.post("/api/keys/", json={"name": "x", "chatbot_id": here}),
        "change another": admin.patch(f"/api/chatbots/{elsewhere}/", json={"name": "x"}, params={"chatbot_id": here}),
        "upload elsewhere": admin.post(
            "/api/chatbot/documents/", files=note, data={"chatbot_id": elsewhere}, params={"chatbot_id": here}
        ),
        "upload to the default": admin.post("/api/chatbot/documents/", files=note, params={"chatbot_id": here}),
        "explain by a document": admin.post(
            "/api/search", json={"query": "x", "explain": True, "document_ids": [document]}
        ),
        "explain in a batch": admin.post(
            "/api/search/batch", json={"queries": [{"query": "x", "explain": True}], "chatbot_id": here}
        ),
        "the default of the tenant": admin.patch(f"/api/chatbots/{here}/", json={"is_default": True}),
        "a folder of the machine": admin.post(
            "/api/chatbot/connectors/",
            json={"name": "x", "kind": "folder", "settings": {"path": "/"}, "chatbot_id": here},
        ),
    }
    for name, request in refused.items():
        answer = await request
        if name == "explain in a batch":
            assert answer.status_code == 422 or answer.json()["results"][0]["error"]["status"] == 403, answer.text
        else:
            assert answer.status_code in (403, 422), f"{name}: {answer.status_code} {answer.text}"
    assert (await admin.patch(f"/api/chatbots/{here}/", json={"name": "Renamed"})).status_code == 200


async def test_nobody_gives_a_role_above_his_own_on_the_chatbot(listed: Listed) -> None:
    admin = await listed.machine("chief", role="admin")
    other = await _account(listed.company, "other")
    path = f"/api/chatbots/{listed.chatbot_id}/members/{other}/"
    assert (await admin.put(path, json={"role": "owner"})).status_code == 403
    assert (await admin.put(path, json={"role": "admin"})).status_code == 200
    members = (await admin.get(f"/api/chatbots/{listed.chatbot_id}/members/")).json()["members"]
    assert {(each["name"], each["kind"], each["role"]) for each in members} == {
        ("chief", "service_account", "admin"),
        ("other", "service_account", "admin"),
    }
    assert (await admin.delete(path)).status_code == 204
    assert (await admin.delete(path)).status_code == 404
    assert (
        await admin.put(f"/api/chatbots/{listed.chatbot_id}/members/{uuid4()}/", json={"role": "member"})
    ).status_code == 404
    actions = [action for action, _ in await _actions(listed.service, listed.company, listed.chatbot_id)]
    assert actions.count("chatbot.member_removed") == 1
    assert actions.count("chatbot.member_set") == 2


async def test_a_list_made_later_shuts_out_at_once_and_its_end_lets_in(company: Any) -> None:
    path = f"/api/chatbots/{company.chatbot_id}/"
    member = company.api("member")
    assert (await member.get(path)).status_code == 200
    await company.api().patch(path, json={"access": "listed"})
    assert (await member.get(path)).status_code == 404
    assert (await member.post("/api/search", json={"query": "x"})).status_code == 404
    await company.api().patch(path, json={"access": "tenant"})
    assert (await member.get(path)).status_code == 200


async def test_a_plain_key_made_for_a_listed_chatbot_is_on_its_list(listed: Listed) -> None:
    key = await _key(listed.company, chatbot_id=listed.chatbot_id)
    found = await listed.service.client(key["api_key"]).post("/api/search", json={"query": "bonus"})
    assert "9000" in found.text


async def test_for_a_confined_key_nothing_else_exists(listed: Listed) -> None:
    company = listed.company
    document = await company.know()
    key = await _key(company, role="owner", chatbot_id=listed.chatbot_id, confined=True)
    api = listed.service.client(key["api_key"])
    assert "9000" in (await api.post("/api/search", json={"query": "bonus"})).text
    assert [each["id"] for each in (await api.get("/api/chatbots/")).json()["chatbots"]] == [listed.chatbot_id]
    assert (await api.get(f"/api/chatbots/{company.chatbot_id}/")).status_code == 404
    assert (await api.get(f"/api/chatbot/documents/{document['id']}/")).status_code == 404
    asked = {"query": "x", "chatbot_id": str(company.chatbot_id)}
    assert (await api.post("/api/search", json=asked)).status_code == 404
    assert document["id"] not in (await api.get("/api/jobs/")).text
    for path in ("/api/keys/", "/api/usage/", "/api/service-accounts/"):
        assert (await api.get(path)).status_code == 403
    assert (await api.post("/api/chatbots/", json={"name": "x"})).status_code == 403
    assert (await company.api().post("/api/keys/", json={"name": "k", "confined": True})).status_code == 422


def test_the_errors_of_what_is_hidden_exist() -> None:
    assert set(concerned.LOCATED_BY.values()) <= set(concerned._errors())


def test_each_operation_on_a_chatbot_tells_which() -> None:
    """By its path, or it means the default one, or it is about many and leaves out what is hidden."""
    on_chatbots = {
        f"{method} {path.rstrip('/')}"
        for (method, path), permission in reference.permissions_by_operation().items()
        if permission in access.CHATBOT_PERMISSIONS
    }
    located = {name for name in on_chatbots if set(re.findall(r"{(\w+)}", name)) & concerned.LOCATED_BY.keys()}
    chosen_in_body = {"POST /v1/chat/completions"}
    about_all = {  # refused to whom a chatbot is hidden, unless they name one
        "GET /api/chatbot/feedback",
        "GET /api/chatbot/feedback/export",
        "GET /api/chatbot/analytics/feedback",
        "GET /api/chatbot/reports",
        "POST /api/chatbot/reports/improvement",
    }
    chosen_in_body |= about_all
    told = located | concerned.MEANS_DEFAULT | concerned.LEAVES_OUT | chosen_in_body
    assert on_chatbots - told == set(), "Add a new operation to a table in `tenancy/concerned.py`."
    assert concerned.MEANS_DEFAULT | concerned.LEAVES_OUT | chosen_in_body <= on_chatbots


# ---- visitors


async def _widget(company: Any, *, chatbot_id: str | None = None, **body: Any) -> dict[str, Any]:
    path = f"/api/chatbots/{chatbot_id or company.chatbot_id}/widget-keys/"
    made = await company.api().post(path, json={"name": "site", "origins": [SITE], **body})
    assert made.status_code == 201, made.text
    widget: dict[str, Any] = made.json()
    return widget


async def _admitted(service: Any, widget: dict[str, Any], *, origin: str | None = SITE, **body: Any) -> Any:
    headers = {} if origin is None else {"Origin": origin}
    return await service.client(**headers).post("/api/widget/tokens/", json={"key": widget["public_key"], **body})


def _visiting(service: Any, token: str, origin: str | None = SITE) -> Any:
    headers = {"Authorization": f"Bearer {token}"}
    return service.client(**headers, **({} if origin is None else {"Origin": origin}))


async def test_a_visitor_asks_and_sees_own_sessions_only(service: Any, company: Any) -> None:
    await company.know()
    widget = await _widget(company)
    one, other = [(await _admitted(service, widget)).json() for _ in range(2)]
    assert one["visitor_id"] != other["visitor_id"]
    assert one["chatbot_id"] == str(company.chatbot_id)
    visitor = _visiting(service, one["token"])
    opened = await visitor.post("/api/chatbot/sessions/", json={"user_id": "somebody"})
    assert opened.status_code == 201, opened.text
    path = f"/api/chatbot/sessions/{opened.json()['id']}/"
    answer = await visitor.post(f"{path}messages/", json={"message": "What discount do gold partners receive?"})
    assert "17 percent" in answer.json()["content"]
    assert (await visitor.get("/api/chatbot/sessions/")).json()["total"] == 1
    stranger = _visiting(service, other["token"])
    assert (await stranger.get(path)).status_code == 404
    assert (await stranger.get("/api/chatbot/sessions/")).json()["total"] == 0
    for refused in ("/api/chatbots/", "/api/chatbot/documents/", "/api/keys/", "/api/usage/"):
        assert (await visitor.get(refused)).status_code == 403


async def test_a_visitor_reaches_one_chatbot_only(service: Any, company: Any) -> None:
    second = (await company.api().post("/api/chatbots/", json={"name": "Second"})).json()["id"]
    visitor = _visiting(service, (await _admitted(service, await _widget(company, chatbot_id=second))).json()["token"])
    assert (await visitor.post("/api/search", json={"query": "x"})).json()["chatbot_id"] == second
    first = str(company.chatbot_id)
    assert (await visitor.post("/api/search", json={"query": "x", "chatbot_id": first})).status_code == 404
    assert (await visitor.post("/api/chatbot/sessions/", json={"chatbot_id": first})).status_code == 404


async def test_an_earlier_token_proves_who_the_visitor_is(
    service: Any, company: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    widget = await _widget(company)
    first = (await _admitted(service, widget)).json()
    later = clock.now() + timedelta(minutes=31)
    for module in (visitor_tokens, widgets):
        monkeypatch.setattr(module, "now", lambda: later)
    expired = await _visiting(service, first["token"]).get("/api/chatbot/sessions/")
    assert (expired.status_code, expired.json()["code"]) == (401, "tenancy.expired_visitor_token")
    second = (await _admitted(service, widget, token=first["token"])).json()
    assert second["visitor_id"] == first["visitor_id"]
    assert (await _visiting(service, second["token"]).get("/api/chatbot/sessions/")).status_code == 200
    much_later = clock.now() + timedelta(days=31)
    monkeypatch.setattr(visitor_tokens, "now", lambda: much_later)
    assert (await _admitted(service, widget, token=first["token"])).status_code == 401


async def test_a_token_of_another_widget_proves_nothing(service: Any, company: Any, other_company: Any) -> None:
    theirs = (await _admitted(service, await _widget(other_company))).json()
    refused = await _admitted(service, await _widget(company), token=theirs["token"])
    assert (refused.status_code, refused.json()["code"]) == (401, "tenancy.invalid_visitor_token")


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://www.example.com", "https://www.example.com.evil.example", "null", ""]
)
async def test_a_widget_key_from_another_web_site_is_refused_and_audited(
    service: Any, company: Any, origin: str
) -> None:
    widget = await _widget(company)
    refused = await _admitted(service, widget, origin=origin)
    assert (refused.status_code, refused.json()["code"]) == (403, "tenancy.origin_not_allowed")
    assert "access-control-allow-origin" not in refused.headers
    assert ("visitor.refused", origin) in [
        (action, details.get("origin")) for action, details in await _actions(service, company, widget["id"])
    ]


async def test_a_token_from_another_web_site_is_refused_and_audited(service: Any, company: Any) -> None:
    widget = await _widget(company, origins=[SITE, "https://shop.example.com"])
    token = (await _admitted(service, widget)).json()["token"]
    assert (await _visiting(service, token).get("/api/chatbot/sessions/")).status_code == 200
    for origin in ("https://evil.example", "https://shop.example.com"):
        refused = await _visiting(service, token, origin).get("/api/chatbot/sessions/")
        assert (refused.status_code, refused.json()["code"]) == (403, "tenancy.origin_not_allowed")
        assert "access-control-allow-origin" not in refused.headers
    refusals = [details for action, details in await _actions(service, company, widget["id"]) if "refused" in action]
    assert {each["origin"] for each in refusals} == {"https://evil.example", "https://shop.example.com"}


async def test_programs_without_an_origin_need_leave(service: Any, company: Any) -> None:
    """Once a token is given, its holder may leave the header out: whoever can do that can also write any."""
    widget = await _widget(company)
    assert (await _admitted(service, widget, origin=None)).status_code == 403
    token = (await _admitted(service, widget)).json()["token"]
    assert (await _visiting(service, token, None).get("/api/chatbot/sessions/")).status_code == 200
    app = await _widget(company, allows_no_origin=True)
    token = (await _admitted(service, app, origin=None)).json()["token"]
    assert (await _visiting(service, token, None).get("/api/chatbot/sessions/")).status_code == 200
    assert (await _visiting(service, token, SITE).get("/api/chatbot/sessions/")).status_code == 403


async def test_a_changed_token_opens_nothing(service: Any, company: Any) -> None:
    token = (await _admitted(service, await _widget(company))).json()["token"]
    content = bytearray(base64.urlsafe_b64decode(token[4:] + "=" * (-len(token[4:]) % 4)))
    for place in range(0, len(content), 7):
        changed = bytearray(content)
        changed[place] ^= 1
        text_of_it = "dgv_" + base64.urlsafe_b64encode(bytes(changed)).decode().rstrip("=")
        refused = await _visiting(service, text_of_it).get("/api/chatbot/sessions/")
        assert (refused.status_code, refused.json()["code"]) == (401, "tenancy.invalid_visitor_token")
    for nonsense in ("dgv_", "dgv_abc", token[:-3], token + "AA", "dgv_" + "A" * 900, "dgv_%%%"):
        assert (await _visiting(service, nonsense).get("/api/chatbot/sessions/")).status_code == 401


async def test_a_revoked_widget_key_and_its_tokens_open_nothing(service: Any, company: Any) -> None:
    widget = await _widget(company)
    visitor = _visiting(service, (await _admitted(service, widget)).json()["token"])
    assert (await visitor.get("/api/chatbot/sessions/")).status_code == 200
    path = f"/api/chatbots/{company.chatbot_id}/widget-keys/{widget['id']}/"
    assert (await company.api().delete(path)).json()["revoked_at"] is not None
    assert (await visitor.get("/api/chatbot/sessions/")).status_code == 401
    refused = await _admitted(service, widget)
    assert (refused.status_code, refused.json()["code"]) == (401, "tenancy.unknown_widget_key")


async def test_a_web_site_that_is_taken_away_is_shut_out(service: Any, company: Any) -> None:
    widget = await _widget(company)
    visitor = _visiting(service, (await _admitted(service, widget)).json()["token"])
    path = f"/api/chatbots/{company.chatbot_id}/widget-keys/{widget['id']}/"
    await company.api().patch(path, json={"origins": ["https://*.example.org"]})
    assert (await visitor.get("/api/chatbot/sessions/")).status_code == 401
    assert (await _admitted(service, widget)).status_code == 403
    assert (await _admitted(service, widget, origin="https://www.example.org")).status_code == 200
    assert (await _admitted(service, widget, origin="https://example.org")).status_code == 403


@pytest.mark.parametrize("origin", ["example.com", "https://", "https://a/b", "https://*", "javascript:x", "*", "null"])
async def test_what_is_no_origin_is_refused(company: Any, origin: str) -> None:
    body = {"name": "site", "origins": [origin]}
    refused = await company.api().post(f"/api/chatbots/{company.chatbot_id}/widget-keys/", json=body)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")


async def test_pages_of_allowed_web_sites_may_read_the_answers(service: Any, company: Any) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    page = service.client(Origin="https://pages.example.net", **asked)
    assert "access-control-allow-origin" not in (await page.options("/api/widget/tokens/")).headers
    widget = await _widget(company, origins=["https://pages.example.net"])
    allowed = await page.options("/api/widget/tokens/")
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (204, "https://pages.example.net")
    assert "Authorization" in allowed.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in allowed.headers
    given = await _admitted(service, widget, origin="https://pages.example.net")
    assert given.headers["access-control-allow-origin"] == "https://pages.example.net"
    visitor = _visiting(service, given.json()["token"], "https://pages.example.net")
    for answer in (
        await visitor.get("/api/chatbot/sessions/"),
        await visitor.post("/api/search", json={"query": "x"}),
        await visitor.get("/api/chatbots/"),  # 403, which the page may read too
    ):
        assert answer.headers["access-control-allow-origin"] == "https://pages.example.net"
        assert answer.headers["vary"] == "Origin"
    own_key = service.client(company.secrets["owner"], Origin="https://pages.example.net")
    assert "access-control-allow-origin" not in (await own_key.get("/api/chatbots/")).headers
