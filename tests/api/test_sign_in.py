"""Signing in with a password: tokens, refresh, sign-out, lock-out; what is forged, replayed or guessed is refused."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey
from sqlalchemy import text

from dragoman.accounts import passwords
from dragoman.kit.clock import new_id, now
from dragoman.tenancy.tokens import access_tokens, signing_keys
from dragoman.tenancy.tokens.entities import ACCESS_TOKEN_S

from .signing_in import PASSWORD, Person, add_person, audited, change, client_at, code_of, rows


@pytest.fixture
async def ada(company: Any) -> Person:
    return await add_person(company)


async def _is_in(company: Any, access_token: str) -> int:
    answer = await client_at(company.service, Authorization=f"Bearer {access_token}").get("/api/chatbots/")
    return answer.status_code


# ---- signing in


async def test_address_and_password_give_tokens_that_open_the_api(company: Any, ada: Person) -> None:
    answer = await ada.sign_in()
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    tokens = answer.json()
    assert tokens["token_type"] == "Bearer"
    assert ACCESS_TOKEN_S - 30 <= tokens["expires_in"] <= ACCESS_TOKEN_S == 900
    assert tokens["refresh_token"].startswith("dgr_")
    me = await client_at(company.service, Authorization=f"Bearer {tokens['access_token']}").get("/api/auth/me/")
    assert (me.json()["email"], me.json()["role"], me.json()["user_id"]) == (ada.email, "member", ada.user_id)
    assert me.json()["sign_in_id"] == tokens["sign_in_id"]
    assert "users:manage" not in me.json()["permissions"]
    [event] = [each for each in await audited(company, "user.signed_in", ada.user_id) if each["method"] == "password"]
    assert event["actor"] == f"user:{ada.user_id}"


async def test_who_has_signed_in_asks_and_searches_as_that_user(company: Any, ada: Person) -> None:
    """Through the endpoints that are served past FastAPI too."""
    await company.know()
    api = ada.api()
    found = await api.post("/api/search", json={"query": "discount of gold partners"})
    assert found.status_code == 200
    assert found.json()["results"]
    session = (await api.post("/api/chatbot/sessions/", json={})).json()["id"]
    assert (await api.get(f"/api/chatbot/sessions/{session}/")).status_code == 200
    assert (await company.api("member").get(f"/api/chatbot/sessions/{session}/")).status_code == 404
    assert (await api.get("/api/keys/")).status_code == 403


async def test_the_address_is_one_in_any_case_and_the_password_however_it_is_composed(company: Any) -> None:
    person = await add_person(company)
    decomposed, composed = "über den Wolken\u2003grün", "über den Wolken grün".encode().decode()
    changed = await person.api().post(
        "/api/auth/password/", json={"current_password": PASSWORD, "new_password": decomposed}
    )
    assert changed.status_code == 204, changed.text
    answer = await client_at(company.service).post(
        "/api/auth/sign-in/", json={"email": f" {person.email.upper()} ", "password": composed}
    )
    assert answer.status_code == 200


async def test_unknown_users_wrong_passwords_and_deactivated_users_get_one_answer(company: Any, ada: Person) -> None:
    await change(
        company, "update users set deactivated_at = now() where id = :id", id=(await add_person(company)).user_id
    )
    [[deactivated]] = await rows(company, "select email from users where deactivated_at is not null")
    bodies = []
    for email, password in (("nobody@example.com", PASSWORD), (ada.email, "wrong words here"), (deactivated, PASSWORD)):
        answer = await client_at(company.service).post(
            "/api/auth/sign-in/", json={"email": email, "password": password}
        )
        assert answer.status_code == 401
        bodies.append({**answer.json(), "request_id": ""})
    assert bodies[0] == bodies[1] == bodies[2]
    assert bodies[0]["code"] == "accounts.wrong_credentials"


@pytest.mark.parametrize("password", ["", PASSWORD[:-1], "x" * 1024, "\ud800", "violet"])
async def test_another_password_is_refused_and_audited(company: Any, ada: Person, password: str) -> None:
    body = json.dumps({"email": ada.email, "password": password})
    answer = await client_at(company.service).post(
        "/api/auth/sign-in/", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code in (401, 422, 400), answer.text
    if answer.status_code == 401:
        [event] = await audited(company, "user.sign_in_refused", ada.user_id)
        assert (event["reason"], event["actor"]) == ("wrong_credentials", "anonymous")


async def test_an_unknown_user_costs_as_many_hashes_and_queries_as_a_known_one(
    company: Any, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the time of the answer tells nothing; counted instead of measured."""
    hashed: list[str] = []
    real = passwords._in_thread

    async def counting(work: Callable[[], Any]) -> Any:
        hashed.append("x")
        return await real(work)

    monkeypatch.setattr(passwords, "_in_thread", counting)
    counts = []
    for email in (ada.email, "nobody@example.com"):
        hashed.clear()
        await client_at(company.service).post("/api/auth/sign-in/", json={"email": email, "password": "wrong words"})
        counts.append(len(hashed))
    assert counts == [1, 1]


async def test_passwords_and_tokens_are_never_stored_in_the_clear(company: Any, ada: Person) -> None:
    await ada.sign_in()
    stored = ""
    for table in ("users", "user_passwords", "sign_ins", "refresh_tokens", "one_time_links", "audit_events"):
        stored += str(await rows(company, f"select t::text from {table} t"))
    assert "$argon2id$v=19$m=65536,t=3,p=4$" in stored
    for secret in (PASSWORD, ada.tokens["refresh_token"], ada.tokens["access_token"]):
        assert secret not in stored


async def test_a_hash_of_other_parameters_is_made_anew_by_the_next_sign_in(company: Any, ada: Person) -> None:
    import argon2

    old = argon2.PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
    await change(company, "update user_passwords set password_hash = :h where user_id = :id", h=old, id=ada.user_id)
    assert (await ada.sign_in()).status_code == 200
    [[stored]] = await rows(company, "select password_hash from user_passwords where user_id = :id", id=ada.user_id)
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert (await ada.sign_in()).status_code == 200


async def test_a_person_of_two_tenants_says_which_one_is_meant(company: Any, other_company: Any) -> None:
    email = f"both-{company.tenant_id.hex[-8:]}@example.com"
    for each in (company, other_company):
        await add_person(each, email=email)
    api = client_at(company.service)
    asked = await api.post("/api/auth/sign-in/", json={"email": email, "password": PASSWORD})
    assert code_of(asked) == (409, "accounts.several_tenants")
    assert str(company.tenant_id) in asked.json()["detail"]
    body = {"email": email, "password": PASSWORD, "tenant_id": str(other_company.tenant_id)}
    tokens = (await api.post("/api/auth/sign-in/", json=body)).json()
    me = await client_at(company.service, Authorization=f"Bearer {tokens['access_token']}").get("/api/auth/me/")
    assert me.json()["tenant_id"] == str(other_company.tenant_id)
    elsewhere = {**body, "tenant_id": str(new_id())}
    assert code_of(await api.post("/api/auth/sign-in/", json=elsewhere)) == (401, "accounts.wrong_credentials")


# ---- access tokens that are forged, changed, expired, of others


def _forged(header: dict[str, Any], claims: dict[str, Any]) -> str:
    """A token without a signature."""

    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part(header)}.{part(claims)}."


async def _claims(company: Any, person: Person, **changed: Any) -> dict[str, Any]:
    moment = int(time.time())
    claims = {
        "iss": company.service.settings.url,
        "aud": access_tokens.AUDIENCE,
        "sub": person.user_id,
        "tid": str(company.tenant_id),
        "sid": person.tokens["sign_in_id"],
        "iat": moment,
        "exp": moment + 900,
        "jti": "1",
    }
    return {name: value for name, value in {**claims, **changed}.items() if value is not None}


async def _signed(company: Any, claims: dict[str, Any], **header: Any) -> str:
    deps = company.service.deps
    key = await signing_keys.ensure(deps.database, deps.keyring, company.service.settings.url)
    head = {"alg": "ES256", "kid": key.id, "typ": "at+jwt", **header}
    return jwt.encode(head, claims, signing_keys.private_key(key, deps.keyring), algorithms=["ES256"])


async def test_a_token_that_we_signed_with_our_claims_opens(company: Any, ada: Person) -> None:
    """So that the refusals below are for what they say."""
    assert await _is_in(company, await _signed(company, await _claims(company, ada))) == 200


async def test_a_token_without_a_signature_is_refused_and_audited(company: Any, ada: Person) -> None:
    claims = await _claims(company, ada)
    kid = json.loads(base64.urlsafe_b64decode(ada.tokens["access_token"].split(".")[0] + "=="))["kid"]
    for algorithm in ("none", "None", "NONE", ""):
        token = _forged({"alg": algorithm, "typ": "at+jwt", "kid": kid}, claims)
        answer = await client_at(company.service, Authorization=f"Bearer {token}").get("/api/chatbots/")
        assert code_of(answer) == (401, "tenancy.invalid_token")
    events = await audited(company, "token.refused", ada.tokens["sign_in_id"])
    assert [event["reason"] for event in events] == ["algorithm"] * 4
    assert {event["actor"] for event in events} == {"anonymous"}


async def test_a_token_signed_with_the_public_key_as_a_secret_is_refused(company: Any, ada: Person) -> None:
    """The confusion of algorithms (RFC 8725, 2.1)."""
    jwks = (await client_at(company.service).get("/.well-known/jwks.json")).json()
    for form in (json.dumps(jwks["keys"][0]).encode(), ECKey.import_key(jwks["keys"][0]).as_pem(private=False)):
        secret = OctKey.import_key(base64.b64encode(form).decode())
        head = {"alg": "HS256", "kid": jwks["keys"][0]["kid"], "typ": "at+jwt"}
        token = jwt.encode(head, await _claims(company, ada), secret, algorithms=["HS256"])
        assert await _is_in(company, token) == 401


async def test_a_token_of_a_key_that_brings_itself_along_is_refused(company: Any, ada: Person) -> None:
    own = ECKey.generate_key("P-256", private=True)
    for head in (
        {"kid": "unknown"},
        {"jwk": own.as_dict(private=False)},
        {"kid": (await company.service.client().get("/.well-known/jwks.json")).json()["keys"][0]["kid"]},
        {"kid": "unknown", "jku": "https://attacker.example/jwks.json"},
    ):
        registry = jwt.JWSRegistry(algorithms=["ES256"], strict_check_header=False)
        token = jwt.encode(
            {"alg": "ES256", "typ": "at+jwt", **head}, await _claims(company, ada), own, registry=registry
        )
        assert await _is_in(company, token) == 401


@pytest.mark.parametrize(
    ("changed", "header", "code", "reason"),
    [
        ({"aud": "another-service"}, {}, "tenancy.invalid_token", "aud"),
        ({"aud": None}, {}, "tenancy.invalid_token", "aud"),
        ({"iss": "https://elsewhere.example"}, {}, "tenancy.invalid_token", "iss"),
        ({"iss": None}, {}, "tenancy.invalid_token", "iss"),
        ({"exp": None}, {}, "tenancy.invalid_token", "exp"),
        ({"exp": 1}, {}, "tenancy.expired_token", "expired"),
        ({"exp": "tomorrow"}, {}, "tenancy.invalid_token", None),
        ({"nbf": 4102444800}, {}, "tenancy.invalid_token", None),
        ({}, {"typ": "JWT"}, "tenancy.invalid_token", "type"),
        ({}, {"typ": "logout+jwt"}, "tenancy.invalid_token", "type"),
    ],
)
async def test_a_token_for_another_purpose_or_time_is_refused_and_audited(
    company: Any, ada: Person, changed: dict[str, Any], header: dict[str, Any], code: str, reason: str | None
) -> None:
    token = await _signed(company, await _claims(company, ada, **changed), **header)
    answer = await client_at(company.service, Authorization=f"Bearer {token}").get("/api/chatbots/")
    assert code_of(answer) == (401, code)
    assert answer.headers["www-authenticate"] == "Bearer"
    [event] = await audited(company, "token.refused", ada.tokens["sign_in_id"])
    assert reason in (None, event["reason"])


async def test_a_changed_token_is_refused(company: Any, ada: Person) -> None:
    head, claims, signature = ada.tokens["access_token"].split(".")
    changed = json.loads(base64.urlsafe_b64decode(claims + "=="))
    changed["tid"] = str(new_id())
    other = base64.urlsafe_b64encode(json.dumps(changed).encode()).decode().rstrip("=")
    for token in (f"{head}.{other}.{signature}", f"{head}.{claims}.", f"{head}.{claims}.{signature[:-4]}AAAA"):
        assert await _is_in(company, token) == 401


@pytest.mark.parametrize("token", ["..", "a.b.c", "e30.e30.", "ü.ü.ü", f"{'a' * 5000}.b.c", "[1].[2].[3]"])
async def test_what_only_looks_like_a_token_is_refused(company: Any, token: str) -> None:
    answer = await client_at(company.service).get(
        "/api/chatbots/", headers={"Authorization": f"Bearer {token}".encode()}
    )
    assert code_of(answer) == (401, "tenancy.invalid_token")


async def test_tokens_that_are_forged_in_numbers_do_not_fill_the_audit_log(company: Any, ada: Person) -> None:
    claims = await _claims(company, ada)
    for number in range(30):
        assert await _is_in(company, _forged({"alg": "none"}, {**claims, "jti": str(number)})) == 401
    assert len(await audited(company, "token.refused")) == 10


async def test_a_token_of_one_tenant_opens_nothing_of_another(company: Any, other_company: Any, ada: Person) -> None:
    document = await other_company.know()
    answer = await ada.api().get(f"/api/chatbot/documents/{document['id']}/")
    assert answer.status_code == 404
    swapped = await _signed(company, await _claims(company, ada, tid=str(other_company.tenant_id)))
    assert await _is_in(company, swapped) == 401  # such a sign-in is not there


# ---- refresh


async def _refresh(company: Any, token: str) -> Any:
    return await client_at(company.service).post("/api/auth/refresh/", json={"refresh_token": token})


async def test_a_refresh_token_gives_new_ones_once(company: Any, ada: Person) -> None:
    first = await _refresh(company, ada.tokens["refresh_token"])
    assert first.status_code == 200
    tokens = first.json()
    assert tokens["refresh_token"] != ada.tokens["refresh_token"]
    assert tokens["sign_in_id"] == ada.tokens["sign_in_id"]
    assert await _is_in(company, tokens["access_token"]) == 200


async def test_a_refresh_token_that_is_used_again_ends_the_sign_in_and_is_audited(company: Any, ada: Person) -> None:
    stolen = ada.tokens["refresh_token"]
    second = (await _refresh(company, stolen)).json()
    third = (await _refresh(company, second["refresh_token"])).json()
    assert await _is_in(company, third["access_token"]) == 200
    assert code_of(await _refresh(company, stolen)) == (401, "accounts.reused_refresh_token")
    assert code_of(await _refresh(company, third["refresh_token"])) == (401, "accounts.invalid_refresh_token")
    for access_token in (ada.tokens["access_token"], third["access_token"]):
        assert await _is_in(company, access_token) == 401
    [event] = await audited(company, "sign_in.token_reused", ada.tokens["sign_in_id"])
    assert event["user_id"] == ada.user_id
    assert (await ada.sign_in()).status_code == 200  # the person is not locked out


async def test_a_refresh_token_that_comes_again_late_ends_the_sign_in(company: Any, ada: Person) -> None:
    await _refresh(company, ada.tokens["refresh_token"])
    await change(
        company, "update refresh_tokens set used_at = used_at - interval '11 seconds' where used_at is not null"
    )
    assert code_of(await _refresh(company, ada.tokens["refresh_token"])) == (401, "accounts.reused_refresh_token")


async def test_tabs_that_refresh_at_the_same_moment_get_the_same_next_token(company: Any, ada: Person) -> None:
    answers = await asyncio.gather(*(_refresh(company, ada.tokens["refresh_token"]) for _ in range(4)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1
    [[tokens]] = await rows(
        company, "select count(*) from refresh_tokens where sign_in_id = :id", id=ada.tokens["sign_in_id"]
    )
    assert tokens == 2
    assert await audited(company, "sign_in.token_reused") == []


@pytest.mark.parametrize("column", ["refresh_tokens", "sign_ins"])
async def test_an_expired_refresh_token_opens_nothing(company: Any, ada: Person, column: str) -> None:
    await change(company, f"update {column} set expires_at = now() - interval '1 second'")
    assert code_of(await _refresh(company, ada.tokens["refresh_token"])) == (401, "accounts.invalid_refresh_token")


@pytest.mark.parametrize("token", ["", "dgr_", "dgr_" + "A" * 64, "dgr_" + "ü" * 64, "dgl_" + "A" * 64, "nonsense"])
async def test_what_is_no_refresh_token_opens_nothing(company: Any, token: str) -> None:
    assert code_of(await _refresh(company, token)) == (401, "accounts.invalid_refresh_token")


async def test_a_refresh_token_opens_no_endpoint_and_an_access_token_refreshes_nothing(
    company: Any, ada: Person
) -> None:
    assert await _is_in(company, ada.tokens["refresh_token"]) == 401
    assert (await _refresh(company, ada.tokens["access_token"][:199])).status_code == 401


# ---- ending


async def test_signing_out_ends_both_tokens_at_once(company: Any, ada: Person) -> None:
    assert await _is_in(company, ada.tokens["access_token"]) == 200
    body = {"refresh_token": ada.tokens["refresh_token"]}
    assert (await client_at(company.service).post("/api/auth/sign-out/", json=body)).status_code == 204
    refused = await ada.api().get("/api/chatbots/")
    assert code_of(refused) == (401, "tenancy.signed_out")
    assert code_of(await _refresh(company, ada.tokens["refresh_token"])) == (401, "accounts.invalid_refresh_token")
    assert (await client_at(company.service).post("/api/auth/sign-out/", json=body)).status_code == 204  # once more
    assert len(await audited(company, "sign_in.ended")) == 1


async def test_ones_sign_ins_are_listed_and_ended_but_not_those_of_others(company: Any, ada: Person) -> None:
    lost = (await ada.sign_in()).json()
    listed = (await ada.api().get("/api/auth/sign-ins/")).json()
    assert [(each["id"], each["is_current"]) for each in listed["sign_ins"]] == [
        (lost["sign_in_id"], False),
        (ada.tokens["sign_in_id"], True),
    ]
    assert listed["sign_ins"][0]["address"].startswith("10.")
    bob = await add_person(company)
    path = f"/api/auth/sign-ins/{lost['sign_in_id']}/"
    assert code_of(await bob.api().delete(path)) == (404, "accounts.sign_in_not_found")
    assert code_of(await company.api().delete(path)) == (404, "accounts.sign_in_not_found")
    assert (await ada.api().delete(path)).status_code == 204
    assert await _is_in(company, lost["access_token"]) == 401
    assert (await ada.api().get("/api/auth/sign-ins/")).json()["total"] == 1


async def test_a_sign_in_that_another_process_revoked_opens_nothing_after_two_seconds(
    company: Any, ada: Person
) -> None:
    assert await _is_in(company, ada.tokens["access_token"]) == 200
    await change(company, "update sign_ins set revoked_at = now()")
    revoked = time.monotonic()
    while await _is_in(company, ada.tokens["access_token"]) == 200:
        assert time.monotonic() - revoked < access_tokens.REMEMBERED_S + 0.5
        await asyncio.sleep(0.05)


async def test_a_new_password_ends_the_other_sign_ins(company: Any, ada: Person) -> None:
    other = (await ada.sign_in()).json()
    body = {"current_password": "wrong words here", "new_password": "seven brittle lamps hum"}
    assert code_of(await ada.api().post("/api/auth/password/", json=body)) == (401, "accounts.wrong_credentials")
    assert await _is_in(company, other["access_token"]) == 200
    changed = await ada.api().post("/api/auth/password/", json={**body, "current_password": PASSWORD})
    assert changed.status_code == 204
    assert await _is_in(company, other["access_token"]) == 401
    assert await _is_in(company, ada.tokens["access_token"]) == 200
    assert (await ada.sign_in()).status_code == 401
    assert (await ada.sign_in("seven brittle lamps hum")).status_code == 200


@pytest.mark.parametrize(
    "weak",
    ["short", "password123", "P@ssw0rd2024!", "qwertyuiop", "aaaaaaaaaaaa", "abcabcabcabc", "12345678", "letmein!!", "x" * 257,
     "\u0007seven brittle lamps", "welcomeadmin1", "1q2w3e4r5t"],
)  # fmt: skip
async def test_a_weak_password_is_refused(company: Any, ada: Person, weak: str) -> None:
    body = {"current_password": PASSWORD, "new_password": weak}
    assert code_of(await ada.api().post("/api/auth/password/", json=body)) == (422, "accounts.weak_password")


async def test_a_password_of_ones_own_address_or_company_is_refused(company: Any) -> None:
    ada = await add_person(company, email=f"lovelace-{company.tenant_id.hex[-6:]}@tavelund.example")
    for weak in ("lovelace1843", "Tavelund-2026"):
        body = {"current_password": PASSWORD, "new_password": weak}
        assert code_of(await ada.api().post("/api/auth/password/", json=body)) == (422, "accounts.weak_password")


async def test_an_api_key_has_no_password_and_no_sign_ins(company: Any) -> None:
    key = (await company.api().post("/api/keys/", json={"name": "shop"})).json()["api_key"]
    api = company.service.client(key)
    assert code_of(await api.get("/api/auth/sign-ins/")) == (403, "accounts.not_a_user")
    body = {"current_password": PASSWORD, "new_password": "seven brittle lamps hum"}
    assert code_of(await api.post("/api/auth/password/", json=body)) == (403, "accounts.not_a_user")
    me = (await api.get("/api/auth/me/")).json()
    assert (me["user_id"], me["email"], me["role"]) == (None, None, "member")


# ---- guessing


async def test_guessing_one_password_after_another_is_stopped_and_audited(company: Any, ada: Person) -> None:
    """Strangers from many addresses: the account's counter stops them."""
    statuses = [(await ada.sign_in(f"guess number {number}")).status_code for number in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    locked = await ada.sign_in()
    assert code_of(locked) == (429, "accounts.too_many_attempts")
    assert 0 < int(locked.headers["retry-after"]) <= 15 * 60
    reasons = [event["reason"] for event in await audited(company, "user.sign_in_refused", ada.user_id)]
    assert reasons.count("wrong_credentials") == 10
    assert "too_many_attempts" in reasons


async def test_who_guesses_does_not_lock_out_devices_and_addresses_that_signed_in_before(
    company: Any, ada: Person
) -> None:
    home = "192.0.2.17"
    device = (await ada.sign_in(address=home)).json()["device"]
    for number in range(12):
        await ada.sign_in(f"guess number {number}")
    assert (await ada.sign_in()).status_code == 429  # a stranger, even with the right password
    assert (await ada.sign_in(address=home)).status_code == 200
    assert (await ada.sign_in(device=device)).status_code == 200  # from anywhere


async def test_a_known_device_may_guess_no_more_often_than_others(company: Any, ada: Person) -> None:
    device = (await ada.sign_in()).json()["device"]
    statuses = [(await ada.sign_in(f"guess {number}", device=device)).status_code for number in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    assert (await ada.sign_in()).status_code == 200  # a counter of its own: others are not locked out


async def test_what_a_device_keeps_counts_for_no_other_account_and_cannot_be_forged(company: Any, ada: Person) -> None:
    bob = await add_person(company)
    device = (await ada.sign_in()).json()["device"]
    for forged in (device, device[:-2] + "AA", "s1:k1:AAAA", "x"):
        for number in range(11):
            await bob.sign_in(f"guess {number}", device=forged)
        assert (await bob.sign_in(device=forged)).status_code == 429


@pytest.mark.parametrize("tenants", [1, 2])
async def test_an_answer_takes_as_many_hashes_whoever_is_asked_for(
    company: Any, other_company: Any, monkeypatch: pytest.MonkeyPatch, tenants: int
) -> None:
    """So that the time of a refusal tells nobody who has a user here. More tenants, more hashes: they are the person's own."""
    email = f"twin{tenants}-{company.tenant_id.hex[-8:]}@example.com"
    people = [await add_person(each, email=email) for each in (company, other_company)[:tenants]]
    ended = await add_person(company)
    await company.api().patch(f"/api/users/{ended.user_id}/", json={"is_active": False})
    made = (await company.api().post("/api/users/", json={"email": f"no-password-{email}"})).json()
    verified: list[str] = []
    hasher = passwords._HASHER

    class Counting:
        def verify(self, password_hash: str, password: bytes) -> bool:
            verified.append(password_hash)
            return hasher.verify(password_hash, password)

        def __getattr__(self, name: str) -> Any:
            return getattr(hasher, name)

    passwords._nobodys_hash()
    monkeypatch.setattr(passwords, "_HASHER", Counting())

    async def count_of(email: str, password: str = "wrong words here") -> int:
        verified.clear()
        answer = await client_at(company.service).post(
            "/api/auth/sign-in/", json={"email": email, "password": password}
        )
        assert code_of(answer) == (401, "accounts.wrong_credentials")
        assert len({hasher.check_needs_rehash(each) for each in verified}) == 1, "all cost the same"
        return len(verified)

    assert await count_of(people[0].email) == tenants
    for absent in ("nobody@example.com", made["email"], ended.email):
        assert await count_of(absent) == 1
    assert await count_of(ended.email, PASSWORD) == 1


async def test_spraying_one_password_over_many_accounts_is_stopped(company: Any, ada: Person) -> None:
    api = client_at(company.service, "203.0.113.66")
    statuses = []
    for number in range(33):
        email = ada.email if number in (0, 32) else f"person{number}@spray.example"
        answer = await api.post("/api/auth/sign-in/", json={"email": email, "password": "Summer-2026-now"})
        statuses.append(answer.status_code)
    assert statuses == [401] * 30 + [429] * 3
    assert (await ada.sign_in()).status_code == 200  # others sign in from elsewhere
    reasons = [event["reason"] for event in await audited(company, "user.sign_in_refused", ada.user_id)]
    assert reasons == ["wrong_credentials", "too_many_attempts"]


async def test_an_ipv6_network_sprays_no_further_than_one_address(company: Any, ada: Person) -> None:
    """Whoever has one address of IPv6 has the whole /64 network, and comes from another one each time."""
    statuses = []
    for number in range(32):
        api = client_at(company.service, f"2001:db8:77:77::{number + 1:x}")
        body = {"email": f"person{number}@spray.example", "password": "Summer-2026-now"}
        statuses.append((await api.post("/api/auth/sign-in/", json=body)).status_code)
    assert statuses == [401] * 30 + [429] * 2
    assert (await ada.sign_in(address="2001:db8:77:78::1")).status_code == 200


async def test_counters_name_nobody(company: Any, ada: Person) -> None:
    await ada.sign_in("wrong words here")
    keys = await company.service.deps.cache.client.keys("dragoman:rate:sign_in:*")
    assert keys
    assert not [key for key in keys if ada.email.encode() in key or b"@" in key]


async def test_more_sign_ins_than_can_be_hashed_are_asked_to_come_again(
    company: Any, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "_MOST_WAITING", 0)
    answer = await ada.sign_in()
    assert code_of(answer) == (503, "accounts.busy")
    assert answer.headers["retry-after"] == "1"


# ---- signing keys


async def test_the_public_keys_verify_our_tokens_and_hold_nothing_private(company: Any, ada: Person) -> None:
    jwks = (await client_at(company.service).get("/.well-known/jwks.json")).json()
    [key] = jwks["keys"]
    assert (key["kty"], key["crv"], key["alg"], key["use"]) == ("EC", "P-256", "ES256", "sig")
    assert "d" not in key
    decoded = jwt.decode(ada.tokens["access_token"], ECKey.import_key(key), algorithms=["ES256"])
    assert decoded.header["typ"] == "at+jwt"
    assert (decoded.claims["aud"], decoded.claims["sub"]) == (access_tokens.AUDIENCE, ada.user_id)
    assert not {"email", "name", "role"} & set(decoded.claims)


async def test_after_a_rotation_old_tokens_verify_until_they_end(company: Any, ada: Person) -> None:
    deps, url = company.service.deps, company.service.settings.url
    before = await signing_keys.ensure(deps.database, deps.keyring, url)
    await signing_keys.rotate(deps.database, deps.keyring, url)
    assert await _is_in(company, ada.tokens["access_token"]) == 200
    new = (await ada.sign_in()).json()["access_token"]
    heads = [json.loads(base64.urlsafe_b64decode(t.split(".")[0] + "==")) for t in (ada.tokens["access_token"], new)]
    assert heads[0]["kid"] == before.id != heads[1]["kid"]
    async with deps.database.system_transaction() as connection:
        past = now() - timedelta(seconds=ACCESS_TOKEN_S + 30)
        await connection.execute(
            text("update signing_keys set retired_at = :past where id = :id"), {"past": past, "id": before.id}
        )
    signing_keys._memory_of(deps.database).forget()
    access_tokens.forget_user(deps.database, __import__("uuid").UUID(ada.user_id))
    assert await _is_in(company, ada.tokens["access_token"]) == 401
    assert await _is_in(company, new) == 200
    kids = [key["kid"] for key in (await client_at(company.service).get("/.well-known/jwks.json")).json()["keys"]]
    assert kids == [heads[1]["kid"]]


async def test_private_keys_are_stored_sealed(company: Any, ada: Person) -> None:
    async with company.service.deps.database.system_transaction() as connection:
        stored = (await connection.execute(text("select signing_keys::text from signing_keys"))).scalars().all()
    assert stored
    assert not [row for row in stored if "PRIVATE" in row or '"d"' in row]
