"""Inviting, changing and removing users; links by mail through a real mail server."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import time
from collections.abc import AsyncIterator
from email import message_from_bytes
from email.message import Message
from email.policy import default
from typing import Any
from uuid import UUID

import pytest
from aiosmtpd.smtp import SMTP
from structlog.testing import capture_logs

from dragoman.accounts.errors import SeveralTenantsError, UserNotFoundError, WeakPasswordError
from dragoman.adapters.mailer import smtp
from dragoman.entrypoints.administration import reset_link, set_first_password
from dragoman.entrypoints.api import create_app

from .conftest import Service
from .signing_in import (
    PASSWORD,
    Person,
    add_person,
    audited,
    change,
    client_at,
    code_of,
    rows,
    token_of,
)

NEW_PASSWORD = "seven brittle lamps hum"


class Postbox:
    """Takes mails as a mail server does."""

    def __init__(self) -> None:
        self.mails: list[Message] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        self.mails.append(message_from_bytes(envelope.content, policy=default))
        return "250 OK"

    def to(self, address: str) -> list[Message]:
        return [mail for mail in self.mails if mail["To"] == address]

    async def next_to(self, address: str, *, number: int = 1) -> Message:
        deadline = time.monotonic() + 20
        while len(self.to(address)) < number:
            assert time.monotonic() < deadline, "no mail came"
            await asyncio.sleep(0.02)
        return self.to(address)[number - 1]


@pytest.fixture(scope="module")
async def postbox() -> AsyncIterator[tuple[Postbox, int]]:
    box = Postbox()
    async with await asyncio.get_running_loop().create_server(lambda: SMTP(box), "127.0.0.1", 0) as server:
        yield box, server.sockets[0].getsockname()[1]


@pytest.fixture(scope="module")
async def service(settings_for: Any, postbox: tuple[Postbox, int]) -> AsyncIterator[Service]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DRAGOMAN_MAILER_SMTP_HOST", "127.0.0.1")
        patch.setenv("DRAGOMAN_MAILER_SMTP_PORT", str(postbox[1]))
        patch.setenv("DRAGOMAN_MAILER_SMTP_SECURITY", "none")
        patch.setenv("DRAGOMAN_MAILER_SMTP_SENDER", "Dragoman <dragoman@example.com>")
        settings = settings_for(mailer="smtp", public_url="https://chat.example.com")
        app = create_app(settings)
        async with app.router.lifespan_context(app):
            yield Service(app=app, settings=settings)


def link_in(mail: Message) -> str:
    [line] = [line for line in mail.get_content().splitlines() if line.startswith("https://")]
    return str(line)


# ---- invitations


async def test_an_invitation_comes_by_mail_and_makes_a_user_once(company: Any, postbox: Any) -> None:
    email = f"eva-{company.tenant_id.hex[-8:]}@example.com"
    invited = await company.api().post("/api/users/invitations/", json={"email": email.upper(), "role": "editor"})
    assert (invited.status_code, invited.json()["is_mailed"], invited.json()["email"]) == (201, True, email)
    mail = await postbox[0].next_to(email)
    assert mail["From"] == "Dragoman <dragoman@example.com>"
    assert mail["Subject"] == "Your invitation to Test"
    assert mail.get_content_type() == "text/plain"
    assert link_in(mail) == invited.json()["url"]
    assert link_in(mail).startswith("https://chat.example.com/set-password?token=dgl_")
    body = {"token": token_of(link_in(mail)), "password": PASSWORD, "display_name": "Eva"}
    accepted = await client_at(company.service).post("/api/auth/set-password/", json=body)
    assert accepted.status_code == 200
    me = client_at(company.service, Authorization=f"Bearer {accepted.json()['access_token']}")
    shown = (await me.get("/api/auth/me/")).json()
    assert (shown["email"], shown["display_name"], shown["role"]) == (email, "Eva", "editor")
    again = await client_at(company.service).post("/api/auth/set-password/", json=body)
    assert code_of(again) == (410, "accounts.invalid_link")
    assert [event["role"] for event in await audited(company, "user.accepted_invitation")] == ["editor"]


async def test_people_change_their_own_name_and_machines_have_none(company: Any) -> None:
    ada, bob = await add_person(company), await add_person(company)
    before = (await bob.api().get("/api/auth/me/")).json()
    renamed = await ada.api().patch("/api/auth/me/", json={"display_name": "  Ada Lovelace "})
    assert (renamed.status_code, renamed.json()["display_name"]) == (200, "Ada Lovelace")
    assert (await ada.api().get("/api/auth/me/")).json()["display_name"] == "Ada Lovelace"
    assert (await bob.api().get("/api/auth/me/")).json() == before
    event = (await audited(company, "user.renamed"))[-1]
    assert "Lovelace" not in str(event)

    assert (await ada.api().patch("/api/auth/me/", json={"display_name": " "})).status_code == 422
    assert (await ada.api().patch("/api/auth/me/", json={"display_name": "A" * 201})).status_code == 422
    assert (await ada.api().patch("/api/auth/me/", json={"role": "owner"})).status_code == 422
    account = (await company.api().post("/api/service-accounts/", json={"name": "robot"})).json()["id"]
    key = (await company.api().post("/api/keys/", json={"name": "robot", "service_account_id": account})).json()
    refused = await company.service.client(key["api_key"]).patch("/api/auth/me/", json={"display_name": "Robot"})
    assert code_of(refused) == (403, "accounts.not_a_user")


async def test_open_invitations_are_listed_without_their_links_and_taken_back(company: Any, other_company: Any) -> None:
    api = company.api()
    made = (await api.post("/api/users/invitations/", json={"email": "fay@example.com"})).json()
    listed = await api.get("/api/users/invitations/")
    assert [each["id"] for each in listed.json()["invitations"]] == [made["id"]]
    assert token_of(made["url"]) not in listed.text
    path = f"/api/users/invitations/{made['id']}/"
    assert code_of(await other_company.api().delete(path)) == (404, "accounts.invitation_not_found")
    assert (await api.delete(path)).status_code == 204
    assert code_of(await api.delete(path)) == (404, "accounts.invitation_not_found")
    body = {"token": token_of(made["url"]), "password": PASSWORD}
    assert code_of(await client_at(company.service).post("/api/auth/set-password/", json=body)) == (
        410,
        "accounts.invalid_link",
    )


async def test_a_second_invitation_replaces_the_first(company: Any) -> None:
    api = company.api()
    first, second = [
        (await api.post("/api/users/invitations/", json={"email": "gus@example.com"})).json() for _ in range(2)
    ]
    assert (await api.get("/api/users/invitations/")).json()["total"] == 1
    statuses = [
        (
            await client_at(company.service).post(
                "/api/auth/set-password/", json={"token": token_of(each["url"]), "password": PASSWORD}
            )
        ).status_code
        for each in (first, second)
    ]
    assert statuses == [410, 200]


async def test_an_expired_invitation_makes_nobody(company: Any) -> None:
    made = (await company.api().post("/api/users/invitations/", json={"email": "hal@example.com"})).json()
    await change(company, "update one_time_links set expires_at = now() - interval '1 second'")
    body = {"token": token_of(made["url"]), "password": PASSWORD}
    answer = await client_at(company.service).post("/api/auth/set-password/", json=body)
    assert code_of(answer) == (410, "accounts.invalid_link")


async def test_a_weak_password_does_not_use_a_link_up(company: Any) -> None:
    made = (await company.api().post("/api/users/invitations/", json={"email": "ida@example.com"})).json()
    api, token = client_at(company.service), token_of(made["url"])
    weak = await api.post("/api/auth/set-password/", json={"token": token, "password": "password1"})
    assert code_of(weak) == (422, "accounts.weak_password")
    assert (await api.post("/api/auth/set-password/", json={"token": token, "password": PASSWORD})).status_code == 200


@pytest.mark.parametrize(
    "email", ["nobody", "a@b@c", "a b@example.com", "a@example.com\r\nBcc: b@example.com", "@x.org"]
)
async def test_what_is_no_address_is_not_invited(company: Any, email: str) -> None:
    answer = await company.api().post("/api/users/invitations/", json={"email": email})
    assert answer.status_code == 422


async def test_a_link_used_by_two_at_the_same_moment_makes_one_user(company: Any) -> None:
    made = (await company.api().post("/api/users/invitations/", json={"email": "jo@example.com"})).json()
    body = {"token": token_of(made["url"]), "password": PASSWORD}
    answers = await asyncio.gather(
        *(client_at(company.service).post("/api/auth/set-password/", json=body) for _ in range(3))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 410, 410]


# ---- resets


async def test_a_reset_comes_by_mail_and_ends_all_sign_ins(company: Any, postbox: Any) -> None:
    ada = await add_person(company)
    asked = await client_at(company.service).post("/api/auth/password-reset/", json={"email": ada.email})
    assert asked.status_code == 202
    mail = await postbox[0].next_to(ada.email, number=2)  # the first invited
    assert "new password" in mail["Subject"]
    body = {"token": token_of(link_in(mail)), "password": NEW_PASSWORD}
    assert (await client_at(company.service).post("/api/auth/set-password/", json=body)).status_code == 200
    assert code_of(await ada.api().get("/api/auth/me/")) == (401, "tenancy.signed_out")
    assert (await ada.sign_in()).status_code == 401
    assert (await ada.sign_in(NEW_PASSWORD)).status_code == 200
    again = await client_at(company.service).post("/api/auth/set-password/", json=body)
    assert code_of(again) == (410, "accounts.invalid_link")


async def test_asking_for_a_reset_tells_nothing_of_who_is_known(company: Any, postbox: Any) -> None:
    ada = await add_person(company)
    answers = []
    for email in (ada.email, "nobody@example.com"):
        answer = await client_at(company.service).post("/api/auth/password-reset/", json={"email": email})
        answers.append((answer.status_code, answer.content))
    assert answers[0] == answers[1] == (202, b"null")
    await postbox[0].next_to(ada.email, number=2)
    assert not postbox[0].to("nobody@example.com")


async def test_nobody_is_flooded_with_resets(company: Any, postbox: Any) -> None:
    ada = await add_person(company)
    for _ in range(6):
        await client_at(company.service).post("/api/auth/password-reset/", json={"email": ada.email})
    await company.service.deps.accounts.finish()
    assert len(postbox[0].to(ada.email)) == 1 + 3
    api = client_at(company.service)
    statuses = [
        (await api.post("/api/auth/password-reset/", json={"email": f"n{n}@example.com"})).status_code
        for n in range(21)
    ]
    assert statuses == [202] * 20 + [429]


async def test_of_several_resets_the_last_one_is_good(company: Any, postbox: Any) -> None:
    ada = await add_person(company)
    for _ in range(2):
        await client_at(company.service).post("/api/auth/password-reset/", json={"email": ada.email})
        await company.service.deps.accounts.finish()
    links = [link_in(mail) for mail in postbox[0].to(ada.email)[1:]]
    statuses = [
        (
            await client_at(company.service).post(
                "/api/auth/set-password/", json={"token": token_of(link), "password": NEW_PASSWORD}
            )
        ).status_code
        for link in links
    ]
    assert statuses == [410, 200]


async def test_a_mail_server_that_is_away_fails_no_invitation(company: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = smtp.Adapter(smtp.Settings(host="127.0.0.1", port=9, security="none", sender="a@example.com"))
    monkeypatch.setattr(type(company.service.deps.accounts.mailer), "send", broken.send)
    with capture_logs():
        made = await company.api().post("/api/users/invitations/", json={"email": "kim@example.com"})
    assert (made.status_code, made.json()["is_mailed"]) == (201, False)


# ---- users


async def test_users_are_listed_shown_and_made(company: Any) -> None:
    api = company.api()
    made = await api.post("/api/users/", json={"email": "Lea@Example.com", "display_name": "Lea", "role": "agent"})
    assert made.status_code == 201
    user = made.json()
    assert (user["email"], user["role"], user["is_active"], user["has_password"]) == (
        "lea@example.com",
        "agent",
        True,
        False,
    )
    assert (await api.get(f"/api/users/{user['id']}/")).json() == user
    listed = (await api.get("/api/users/", params={"limit": 100})).json()
    assert user in listed["users"]
    assert "hash" not in str(listed)
    assert code_of(await api.post("/api/users/", json={"email": "LEA@example.com"})) == (409, "accounts.user_exists")


async def test_a_user_without_a_password_can_be_invited_and_keeps_the_role(company: Any) -> None:
    api = company.api()
    await api.post("/api/users/", json={"email": "mia@example.com", "role": "agent"})
    made = (await api.post("/api/users/invitations/", json={"email": "mia@example.com", "role": "member"})).json()
    body = {"token": token_of(made["url"]), "password": PASSWORD}
    tokens = (await client_at(company.service).post("/api/auth/set-password/", json=body)).json()
    me = await client_at(company.service, Authorization=f"Bearer {tokens['access_token']}").get("/api/auth/me/")
    assert me.json()["role"] == "agent"
    again = await api.post("/api/users/invitations/", json={"email": "mia@example.com"})
    assert code_of(again) == (409, "accounts.user_exists")


async def test_a_new_role_holds_for_tokens_that_were_given_out_before(company: Any) -> None:
    ada = await add_person(company)
    assert (await ada.api().get("/api/keys/")).status_code == 403
    changed = await company.api().patch(f"/api/users/{ada.user_id}/", json={"role": "admin"})
    assert changed.json()["role"] == "admin"
    assert (await ada.api().get("/api/keys/")).status_code == 200
    await company.api().patch(f"/api/users/{ada.user_id}/", json={"role": "member"})
    assert (await ada.api().get("/api/keys/")).status_code == 403
    [first, second] = await audited(company, "user.role_changed", ada.user_id)
    assert (first["before"], first["after"], second["after"]) == ("member", "admin", "member")


async def test_a_deactivated_user_is_out_with_sign_ins_and_keys_and_may_come_back(company: Any) -> None:
    ada = await add_person(company)
    key = (await company.api().post("/api/keys/", json={"name": "k", "user_email": ada.email})).json()["api_key"]
    assert (await company.service.client(key).get("/api/chatbots/")).status_code == 200
    path = f"/api/users/{ada.user_id}/"
    assert (await company.api().patch(path, json={"is_active": False})).json()["is_active"] is False
    assert code_of(await ada.api().get("/api/auth/me/")) == (401, "tenancy.signed_out")
    refused = await client_at(company.service).post(
        "/api/auth/refresh/", json={"refresh_token": ada.tokens["refresh_token"]}
    )
    assert refused.status_code == 401
    assert (await ada.sign_in()).status_code == 401
    assert code_of(await company.service.client(key).get("/api/chatbots/")) == (401, "tenancy.revoked_key")
    await company.api().patch(path, json={"is_active": True})
    assert (await ada.sign_in()).status_code == 200
    assert (await ada.api().get("/api/auth/me/")).status_code == 401  # what ended stays ended


async def test_a_removed_user_is_gone(company: Any) -> None:
    ada = await add_person(company)
    path = f"/api/users/{ada.user_id}/"
    assert (await company.api().delete(path)).status_code == 204
    assert code_of(await company.api().get(path)) == (404, "accounts.user_not_found")
    assert (await ada.api().get("/api/auth/me/")).status_code == 401
    assert (await ada.sign_in()).status_code == 401
    assert not await rows(company, "select 1 from sign_ins where user_id::text = :id", id=ada.user_id)


async def test_the_last_owner_can_be_neither_lowered_nor_deactivated_nor_removed(company: Any) -> None:
    api = company.api()
    [owner] = [each for each in (await api.get("/api/users/")).json()["users"] if each["role"] == "owner"]
    path = f"/api/users/{owner['id']}/"
    for answer in (
        await api.patch(path, json={"role": "admin"}),
        await api.patch(path, json={"is_active": False}),
        await api.delete(path),
    ):
        assert code_of(answer) == (409, "accounts.last_owner")
    second = await add_person(company, role="owner")
    assert (await api.patch(path, json={"role": "admin"})).status_code == 200
    own = f"/api/users/{second.user_id}/"
    assert code_of(await second.api().patch(own, json={"role": "member"})) == (409, "accounts.last_owner")


async def test_two_owners_who_lower_each_other_at_once_leave_one(company: Any) -> None:
    first, second = [await add_person(company, role="owner") for _ in range(2)]
    [founder] = [
        each for each in (await company.api().get("/api/users/")).json()["users"] if each["email"] == "ada@example.com"
    ]
    assert (await company.api().patch(f"/api/users/{founder['id']}/", json={"role": "admin"})).status_code == 200
    answers = await asyncio.gather(
        first.api().patch(f"/api/users/{second.user_id}/", json={"role": "member"}),
        second.api().patch(f"/api/users/{first.user_id}/", json={"role": "member"}),
    )
    assert 200 in {answer.status_code for answer in answers}
    [[owners]] = await rows(company, "select count(*) from users where role = 'owner'")
    assert owners == 1


async def test_an_admin_has_no_power_over_owners(company: Any) -> None:
    admin = await add_person(company, role="admin")
    owner = await add_person(company, role="owner")
    api, path = admin.api(), f"/api/users/{owner.user_id}/"
    member = f"/api/users/{(await add_person(company)).user_id}/"
    for answer in (
        await api.patch(path, json={"is_active": False}),
        await api.patch(path, json={"role": "member"}),
        await api.delete(path),
        await api.patch(member, json={"role": "owner"}),
        await api.patch(f"/api/users/{admin.user_id}/", json={"role": "owner"}),
        await api.post("/api/users/", json={"email": "nia@example.com", "role": "owner"}),
        await api.post("/api/users/invitations/", json={"email": "nia@example.com", "role": "owner"}),
    ):
        assert code_of(answer) == (403, "tenancy.forbidden")
    assert (await api.patch(member, json={"role": "admin"})).status_code == 200


async def test_a_person_is_named_and_reached_by_the_tenant_only(company: Any, other_company: Any) -> None:
    ada: Person = await add_person(company)
    assert (await other_company.api().get(f"/api/users/{ada.user_id}/")).status_code == 404
    assert ada.email not in (await other_company.api().get("/api/users/")).text


# ---- the page that a link leads to


async def test_a_link_opens_a_form_that_sets_the_password_and_signs_in(company: Any) -> None:
    url = (await company.api().post("/api/users/invitations/", json={"email": "ola@example.com"})).json()["url"]
    browser = client_at(company.service)
    for _ in range(2):  # a scanner of mails that opens the link uses nothing up
        page = await browser.get(url.removeprefix("https://chat.example.com"))
        assert page.status_code == 200
    assert "script" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    form = {"token": token_of(url), "password": PASSWORD, "again": PASSWORD}
    assert f'value="{form["token"]}"' in page.text
    own = {"Origin": "https://chat.example.com"}
    twice = await browser.post("/set-password", data={**form, "again": "another"}, headers=own)
    assert (twice.status_code, "two different" in twice.text) == (422, True)
    weak = await browser.post(
        "/set-password", data={**form, "password": "password1", "again": "password1"}, headers=own
    )
    assert (weak.status_code, "tried first" in weak.text) == (422, True)
    foreign = await browser.post("/set-password", data=form, headers={"Origin": "https://attacker.example"})
    assert code_of(foreign) == (403, "tenancy.cross_site_request")
    done = await browser.post("/set-password", data=form, headers=own)
    assert done.status_code == 200
    assert "__Host-dragoman_access=" in str(done.headers.get_list("set-cookie"))
    used = await browser.post("/set-password", data=form, headers=own)
    assert (used.status_code, "no longer valid" in used.text) == (410, True)


async def test_the_form_writes_out_nothing_of_a_link_as_markup(company: Any) -> None:
    page = await client_at(company.service).get("/set-password", params={"token": '"><script>alert(1)</script>'})
    assert "<script" not in page.text


async def test_the_form_may_show_its_own_style_and_nothing_else(company: Any) -> None:
    page = await client_at(company.service).get("/set-password", params={"token": "dgl_any"})
    [style] = re.findall(r"<style>(.*?)</style>", page.text, re.DOTALL)
    own = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = page.headers["content-security-policy"]
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{own}'; ")
    assert "unsafe" not in policy


# ---- what operators do at the database


async def test_an_operator_gets_a_link_and_sets_a_password_at_the_database(company: Any, service: Service) -> None:
    email = f"pia-{company.tenant_id.hex[-6:]}@example.com"
    person = (await company.api().post("/api/users/", json={"email": email})).json()
    link = await reset_link(service.settings, email=email.upper())
    body = {"token": token_of(link), "password": PASSWORD}
    assert (await client_at(service).post("/api/auth/set-password/", json=body)).status_code == 200
    place = {"tenant_id": company.tenant_id, "user_id": UUID(person["id"])}
    with pytest.raises(WeakPasswordError):
        await set_first_password(service.settings, **place, password="password1")
    await set_first_password(service.settings, **place, password=NEW_PASSWORD)
    for password, status in ((PASSWORD, 401), (NEW_PASSWORD, 200)):
        body = {"email": email, "password": password}
        assert (await client_at(service).post("/api/auth/sign-in/", json=body)).status_code == status
    with pytest.raises(UserNotFoundError):
        await reset_link(service.settings, email="nobody@example.com")


async def test_an_operator_names_the_tenant_of_an_address_that_is_in_several(
    company: Any, other_company: Any, service: Service
) -> None:
    email = f"both-{company.tenant_id.hex[-8:]}@example.com"
    for each in (company, other_company):
        await each.api().post("/api/users/", json={"email": email})
    with pytest.raises(SeveralTenantsError, match=str(company.tenant_id)):
        await reset_link(service.settings, email=email)
    assert "token=dgl_" in await reset_link(service.settings, email=email, tenant_id=str(company.tenant_id))
