"""Signing in with an identity provider: a real one runs in a thread, and forged ones in its place."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import time
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey
from sqlalchemy import text

from dragoman.accounts.single_sign_on import openid
from dragoman.client import Dragoman
from dragoman.entrypoints.api import create_app
from dragoman.entrypoints.cli import main
from dragoman.tenancy.service import list_tenants

from .conftest import Service
from .serving import serving
from .signing_in import add_person, audited, client_at, code_of, rows

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it still uses a module of authlib that is to go
    from oidc_provider_mock import User, run_server_in_thread

# The provider runs in a thread of this process; what it warns of is its own business.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

CLIENT_SECRET = "a secret of ours at the provider"


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """The address of a provider that knows some people."""
    people = [
        User(sub="eva", claims={"email": "Eva@Tavelund.example", "email_verified": True, "name": "Eva Lund"}),
        User(sub="mallory", claims={"email": "ada@example.com", "email_verified": False, "name": "Not Ada"}),
        User(sub="stranger", claims={"email": "stranger@elsewhere.example", "email_verified": True}),
        User(sub="nameless", claims={}),
        User(sub="ada", claims={"email": "ada@example.com", "email_verified": True, "name": "Ada"}),
    ]
    with run_server_in_thread(user_claims=people, require_nonce=True) as server:
        yield f"http://localhost:{server.server_port}"


@pytest.fixture(scope="module")
async def service(settings_for: Any) -> AsyncIterator[Service]:
    settings = settings_for(private_networks=["localhost"], public_url="http://dragoman.test")
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        yield Service(app=app, settings=settings)


async def _set_up(company: Any, issuer: str, **settings: Any) -> dict[str, Any]:
    body = {"issuer": issuer, "client_id": "dragoman", "client_secret": CLIENT_SECRET, **settings}
    answer = await company.api().put("/api/single-sign-on/", json=body)
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


async def _begin(company: Any, browser: httpx.AsyncClient, **params: str) -> str:
    """Where the browser is led: the provider's page."""
    begun = await browser.get(f"/api/auth/single-sign-on/{company.tenant_id}/start/", params=params)
    assert begun.status_code == 303, begun.text
    return begun.headers["location"]


async def _allow(url: str, who: str) -> str:
    """What the person does at the provider; where the browser is led back to."""
    async with httpx.AsyncClient() as there:
        answer = await there.post(url, data={"sub": who})
    assert answer.status_code == 302, answer.text
    return answer.headers["location"]


async def _come_in(company: Any, who: str) -> tuple[httpx.AsyncClient, httpx.Response]:
    browser = client_at(company.service)
    back = await _allow(await _begin(company, browser, return_to="/chat"), who)
    return browser, await browser.get(back)


async def test_the_flow_uses_pkce_state_and_nonce_which_the_browser_keeps_sealed(company: Any, provider: str) -> None:
    shown = await _set_up(company, provider)
    assert shown["redirect_url"] == "http://dragoman.test/api/auth/single-sign-on/callback/"
    browser = client_at(company.service)
    query = parse_qs(urlsplit(await _begin(company, browser)).query)
    assert query["code_challenge_method"] == ["S256"]
    assert query["response_type"] == ["code"]
    assert query["redirect_uri"] == [shown["redirect_url"]]
    assert "openid" in query["scope"][0].split()
    [challenge], [state], [nonce] = query["code_challenge"], query["state"], query["nonce"]
    assert min(len(challenge), len(state), len(nonce)) >= 43
    kept = browser.cookies["dragoman_state"]
    assert not [secret for secret in (challenge, state, nonce) if secret in kept]
    second = parse_qs(urlsplit(await _begin(company, browser)).query)
    assert not {challenge, state, nonce} & {second[name][0] for name in ("code_challenge", "state", "nonce")}


async def test_the_verifier_goes_to_the_provider_and_fits_the_challenge(
    company: Any, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from authlib.oauth2.rfc7636 import create_s256_code_challenge

    await _set_up(company, provider, creates_users=True)
    sent: list[httpx.Request] = []
    real = httpx.AsyncHTTPTransport.handle_async_request

    async def watching(self: Any, request: httpx.Request) -> httpx.Response:
        if request.method == "POST" and request.url.path.endswith("token"):
            sent.append(request)
        return await real(self, request)

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", watching)
    browser = client_at(company.service)
    url = await _begin(company, browser)
    assert (await browser.get(await _allow(url, "eva"))).status_code == 303
    [request] = sent
    form = parse_qs(request.content.decode())
    assert create_s256_code_challenge(form["code_verifier"][0]) == parse_qs(urlsplit(url).query)["code_challenge"][0]
    assert request.headers["authorization"].startswith("Basic ")


async def test_a_new_person_becomes_a_user_with_the_default_role_and_is_known_next_time(
    company: Any, provider: str
) -> None:
    await _set_up(company, provider, creates_users=True, default_role="agent", allowed_domains=["tavelund.example"])
    for _ in range(2):
        browser, answer = await _come_in(company, "eva")
        assert (answer.status_code, answer.headers["location"]) == (303, "/chat")
        me = (await browser.get("/api/auth/me/")).json()
        assert (me["email"], me["display_name"], me["role"]) == ("eva@tavelund.example", "Eva Lund", "agent")
        assert "dragoman_state" not in browser.cookies
    [[users]] = await rows(company, "select count(*) from users where email = 'eva@tavelund.example'")
    assert users == 1
    events = await audited(company, "user.signed_in", me["user_id"])
    assert [event["method"] for event in events] == ["single_sign_on"] * 2


async def test_who_is_no_user_stays_outside_where_none_are_made(company: Any, provider: str) -> None:
    await _set_up(company, provider)
    browser, answer = await _come_in(company, "eva")
    assert code_of(answer) == (403, "accounts.single_sign_on_refused")
    assert (await browser.get("/api/auth/me/")).status_code == 401
    [event] = await audited(company, "user.sign_in_refused")
    assert event["reason"] == "single_sign_on"


async def test_domains_bound_who_becomes_a_user(company: Any, provider: str) -> None:
    await _set_up(company, provider, creates_users=True, allowed_domains=["@Tavelund.example"])
    assert code_of((await _come_in(company, "stranger"))[1]) == (403, "accounts.single_sign_on_refused")
    assert (await _come_in(company, "eva"))[1].status_code == 303


async def test_an_address_that_the_provider_does_not_vouch_for_opens_nobodys_account(
    company: Any, provider: str
) -> None:
    """Else whoever may write any address into a profile would become its owner."""
    await _set_up(company, provider, creates_users=True)
    for who in ("mallory", "nameless"):
        assert code_of((await _come_in(company, who))[1]) == (403, "accounts.single_sign_on_refused")
    assert not await rows(company, "select 1 from user_identities")
    browser, answer = await _come_in(company, "ada")  # vouched for: the owner of this tenant
    assert answer.status_code == 303
    assert (await browser.get("/api/auth/me/")).json()["role"] == "owner"


async def test_a_deactivated_user_stays_outside(company: Any, provider: str) -> None:
    await _set_up(company, provider)
    person = await add_person(company, email="eva@tavelund.example")
    assert (await _come_in(company, "eva"))[1].status_code == 303
    await company.api().patch(f"/api/users/{person.user_id}/", json={"is_active": False})
    assert code_of((await _come_in(company, "eva"))[1]) == (403, "accounts.single_sign_on_refused")


async def test_who_comes_back_must_be_the_browser_that_began(company: Any, provider: str) -> None:
    """So that nobody is signed in to an attacker's account by a link (login CSRF)."""
    await _set_up(company, provider, creates_users=True)
    attacker = client_at(company.service)
    back = await _allow(await _begin(company, attacker), "eva")
    victim = client_at(company.service)
    assert code_of(await victim.get(back)) == (403, "accounts.single_sign_on_refused")
    await _begin(company, victim)  # has begun, but not this
    assert code_of(await victim.get(back)) == (403, "accounts.single_sign_on_refused")
    assert (await attacker.get(back)).status_code == 303


@pytest.mark.parametrize("state", ["", "x", "é", "\U0001f600", "%ff", "\0"])
async def test_a_state_of_ones_own_making_is_refused(company: Any, provider: str, state: str) -> None:
    await _set_up(company, provider, creates_users=True)
    browser = client_at(company.service)
    back = urlsplit(await _allow(await _begin(company, browser), "eva"))
    query = {**{name: values[0] for name, values in parse_qs(back.query).items()}, "state": state}
    refused = await browser.get(back.path, params=query)
    assert refused.status_code in (403, 422), refused.text
    assert (await browser.get("/api/auth/me/")).status_code == 401


async def test_a_code_is_good_once_and_a_made_up_one_never(company: Any, provider: str) -> None:
    await _set_up(company, provider, creates_users=True)
    browser = client_at(company.service)
    back = await _allow(await _begin(company, browser), "eva")
    kept = dict(browser.cookies)
    assert (await browser.get(back)).status_code == 303
    replaying = client_at(company.service, Cookie=f"dragoman_state={kept['dragoman_state']}")
    assert code_of(await replaying.get(back)) == (403, "accounts.single_sign_on_refused")
    state = parse_qs(urlsplit(await _begin(company, browser)).query)["state"][0]
    made_up = await browser.get("/api/auth/single-sign-on/callback/", params={"state": state, "code": "made-up"})
    assert code_of(made_up) == (403, "accounts.single_sign_on_refused")


async def test_a_refusal_at_the_provider_and_an_answer_of_another_are_refused(company: Any, provider: str) -> None:
    await _set_up(company, provider, creates_users=True)
    for extra in ({"error": "access_denied"}, {"code": "x", "iss": "https://another.example"}, {}):
        browser = client_at(company.service)
        state = parse_qs(urlsplit(await _begin(company, browser)).query)["state"][0]
        answer = await browser.get("/api/auth/single-sign-on/callback/", params={"state": state, **extra})
        assert code_of(answer) == (403, "accounts.single_sign_on_refused")


@pytest.mark.parametrize(
    "elsewhere", ["https://attacker.example", "//attacker.example", "/\\attacker.example", "javascript:alert(1)", ""]
)
async def test_people_are_led_to_no_other_site(company: Any, provider: str, elsewhere: str) -> None:
    await _set_up(company, provider, creates_users=True)
    browser = client_at(company.service)
    answer = await browser.get(await _allow(await _begin(company, browser, return_to=elsewhere), "eva"))
    assert answer.headers["location"] == "/"


# ---- ID tokens that are forged


@pytest.fixture
def forged(company: Any, provider: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Comes back with an ID token of these claims, signed as told; a token of the right ones is let in."""
    key = RSAKey.generate_key(2048, parameters={"kid": "their-key"})

    async def come(
        *,
        header: dict[str, Any] | None = None,
        added: dict[str, Any] | None = None,
        sign_with: Any = key,
        **changed: Any,
    ) -> httpx.Response:
        """`added`: to the header of the signed token."""
        await _set_up(company, provider, creates_users=True)
        browser = client_at(company.service)
        query = parse_qs(urlsplit(await _begin(company, browser)).query)
        moment = int(time.time())
        claims = {
            "iss": provider,
            "aud": "dragoman",
            "sub": "eva",
            "nonce": query["nonce"][0],
            "iat": moment,
            "exp": moment + 300,
            "email": "eva@tavelund.example",
            "email_verified": True,
            **changed,
        }
        head = {"alg": "RS256", "kid": "their-key", **(header or {})}
        present = {name: value for name, value in claims.items() if value is not None}
        token = jwt.encode(head, present, sign_with, algorithms=[head["alg"]])
        if added:
            shown = base64.urlsafe_b64encode(json.dumps({**head, **added}).encode()).decode().rstrip("=")
            token = ".".join([shown, *token.split(".")[1:]])

        async def keys(*_: Any, **__: Any) -> KeySet:
            return KeySet([key])

        async def exchanged(*_: Any) -> openid._Tokens:
            return openid._Tokens(id_token=token, access_token="x")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(openid, "_keys", keys)
            patch.setattr(openid, "_exchanged", exchanged)
            back = {"state": query["state"][0], "code": "x"}
            return await browser.get("/api/auth/single-sign-on/callback/", params=back)

    return come


async def test_an_id_token_of_the_provider_is_let_in(forged: Any) -> None:
    """So that the refusals below are for what they say."""
    assert (await forged()).status_code == 303


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://another.example"},
        {"aud": "another-client"},
        {"aud": ["dragoman", "another-client"]},
        {"nonce": "of-another-sign-in"},
        {"nonce": None},
        {"exp": 1},
        {"exp": None},
        {"sub": ""},
        {"sub": None},
        {"email_verified": None},
    ],
)
async def test_an_id_token_that_is_not_for_this_sign_in_is_refused(
    company: Any, forged: Any, changed: dict[str, Any]
) -> None:
    assert code_of(await forged(**changed)) == (403, "accounts.single_sign_on_refused")
    assert await audited(company, "user.sign_in_refused")


async def test_an_id_token_of_another_key_or_a_shared_secret_is_refused(forged: Any) -> None:
    another = RSAKey.generate_key(2048, parameters={"kid": "their-key"})
    assert code_of(await forged(sign_with=another)) == (403, "accounts.single_sign_on_refused")
    secret = OctKey.import_key(CLIENT_SECRET)
    assert code_of(await forged(sign_with=secret, header={"alg": "HS256"})) == (403, "accounts.single_sign_on_refused")


@pytest.mark.parametrize("added", [{"crit": None}, {"crit": 5}, {"crit": [{}]}, {"crit": ["b64"]}, {"kid": "another"}])
async def test_an_id_token_of_a_changed_header_is_refused(forged: Any, added: dict[str, Any]) -> None:
    assert code_of(await forged(added=added)) == (403, "accounts.single_sign_on_refused")


# ---- what the page for signing in offers


async def _offered(company: Any, **params: Any) -> Any:
    answer = await client_at(company.service).get("/api/auth/single-sign-on/", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()["providers"]


@pytest.fixture
async def alone(company: Any) -> None:
    """No other tenant of the installation has single sign-on."""
    for tenant in await list_tenants(company.service.deps.database):
        async with company.service.deps.database.transaction(tenant.id) as connection:
            await connection.execute(text("delete from single_sign_on"))


async def test_a_stranger_is_offered_the_provider_of_the_tenant_it_names(
    company: Any, other_company: Any, provider: str
) -> None:
    await _set_up(company, provider, name="Tavelund login")
    await _set_up(other_company, provider, name="Another login")
    [offered] = await _offered(company, tenant=str(company.tenant_id))
    start = f"http://dragoman.test/api/auth/single-sign-on/{company.tenant_id}/start/"
    assert offered == {"name": "Tavelund login", "start_url": start}
    browser = client_at(company.service)
    assert (await browser.get(offered["start_url"], params={"return_to": "/chat"})).status_code == 303


@pytest.mark.usefixtures("alone")
async def test_without_a_tenant_only_the_one_that_has_a_provider_is_offered(
    company: Any, other_company: Any, provider: str
) -> None:
    """Else whoever asks would learn who uses this installation."""
    assert await _offered(company) == []
    await _set_up(company, provider, name="Tavelund login")
    assert [each["name"] for each in await _offered(company)] == ["Tavelund login"]
    await _set_up(other_company, provider, name="Another login")
    assert await _offered(company) == []
    await company.api().delete("/api/single-sign-on/")
    assert [each["name"] for each in await _offered(company)] == ["Another login"]


@pytest.mark.usefixtures("alone")
async def test_a_tenant_that_nobody_has_answers_as_one_without_a_provider(
    company: Any, other_company: Any, provider: str
) -> None:
    await _set_up(other_company, provider)  # which is not offered in their place
    assert await _offered(company, tenant=str(uuid4())) == await _offered(company, tenant=str(company.tenant_id)) == []
    unreadable = await client_at(company.service).get("/api/auth/single-sign-on/", params={"tenant": "acme"})
    assert unreadable.status_code == 422


async def test_asking_for_what_is_offered_is_bounded_by_address(company: Any) -> None:
    asking = client_at(company.service)
    most = 10 * company.service.settings.sign_in_attempts_per_address
    answers = [await asking.get("/api/auth/single-sign-on/") for _ in range(most + 1)]
    assert [answer.status_code for answer in answers[:-1]] == [200] * most
    assert code_of(answers[-1]) == (429, "accounts.too_many_attempts")
    assert int(answers[-1].headers["retry-after"]) > 0
    assert (await client_at(company.service).get("/api/auth/single-sign-on/")).status_code == 200


_READS_PAGES = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def _told(answer: httpx.Response) -> dict[str, str]:
    """What the page for signing in is told, to which the browser is led back."""
    assert answer.status_code == 303, answer.text
    page = urlsplit(answer.headers["location"])
    assert (page.netloc, page.path) == ("dragoman.test", "/sign-in")
    return {name: values[0] for name, values in parse_qs(page.query).items()}


@pytest.mark.parametrize(("who", "why"), [("eva", "no_user"), ("nameless", "unconfirmed_address")])
async def test_a_person_who_is_refused_reads_why_and_keeps_the_wanted_page(
    company: Any, provider: str, who: str, why: str
) -> None:
    await _set_up(company, provider)
    browser = client_at(company.service, **_READS_PAGES)
    back = await _allow(await _begin(company, browser, return_to="/documents?state=failed"), who)
    told = _told(await browser.get(back))
    assert told == {"refused": why, "next": "/documents?state=failed", "tenant": str(company.tenant_id)}
    assert (await browser.get("/api/auth/me/")).status_code == 401


async def test_a_person_reads_that_the_provider_said_no_or_that_it_was_not_begun_here(
    company: Any, provider: str
) -> None:
    await _set_up(company, provider)
    browser = client_at(company.service, **_READS_PAGES)
    callback = "/api/auth/single-sign-on/callback/"
    assert _told(await browser.get(callback, params={"state": "x", "code": "x"})) == {
        "refused": "not_begun",
        "next": "/",
    }
    state = parse_qs(urlsplit(await _begin(company, browser)).query)["state"][0]
    told = _told(await browser.get(callback, params={"state": state, "error": "access_denied"}))
    assert told["refused"] == "declined"


async def test_a_person_reads_that_the_provider_is_away_or_not_set_up(company: Any) -> None:
    browser = client_at(company.service, **_READS_PAGES)
    start = f"/api/auth/single-sign-on/{company.tenant_id}/start/"
    assert _told(await browser.get(start, params={"return_to": "//attacker.example"})) == {
        "refused": "not_set_up",
        "next": "/",
        "tenant": str(company.tenant_id),
    }
    await _set_up(company, "http://localhost:9/")
    assert _told(await browser.get(start))["refused"] == "unreachable"


async def test_the_client_lists_what_is_offered(company: Any, provider: str) -> None:
    await _set_up(company, provider, name="Tavelund login")
    async with serving(company.service) as url, Dragoman(url, None) as stranger:
        [offered] = await stranger.single_sign_on.offered(company.tenant_id)
        assert offered.name == "Tavelund login"
        assert await stranger.single_sign_on.offered(uuid4()) == []


# ---- setting it up


async def test_the_client_secret_is_stored_sealed_and_never_shown(company: Any, provider: str) -> None:
    await _set_up(company, provider)
    shown = await company.api().get("/api/single-sign-on/")
    assert shown.json()["has_client_secret"] is True
    assert CLIENT_SECRET not in shown.text
    stored = str(await rows(company, "select s::text from single_sign_on s"))
    stored += str(await rows(company, "select e::text from audit_events e"))
    assert CLIENT_SECRET not in stored
    await _set_up(company, provider, client_secret=None, name="Tavelund")
    assert (await company.api().get("/api/single-sign-on/")).json()["has_client_secret"] is True
    await _set_up(company, provider, client_secret=None, client_id="another")  # goes to no other client
    assert (await company.api().get("/api/single-sign-on/")).json()["has_client_secret"] is False


@pytest.mark.parametrize(
    "issuer", ["http://login.example.com", "ftp://x.org", "https://u:p@x.org", "https://x.org/?a", "x"]
)
async def test_an_issuer_that_is_no_https_address_is_refused(company: Any, issuer: str) -> None:
    answer = await company.api().put("/api/single-sign-on/", json={"issuer": issuer, "client_id": "d"})
    assert answer.status_code == 422


async def test_an_issuer_in_a_private_network_is_not_asked(company: Any, other_company: Any) -> None:
    """The guard of every address that a user can set."""
    await _set_up(company, "https://169.254.169.254")
    answer = await client_at(company.service).get(f"/api/auth/single-sign-on/{company.tenant_id}/start/")
    assert code_of(answer) == (422, "fetch.forbidden_address")


async def test_a_provider_that_calls_itself_otherwise_is_not_used(company: Any, provider: str) -> None:
    await _set_up(company, f"{provider}/")
    answer = await client_at(company.service).get(f"/api/auth/single-sign-on/{company.tenant_id}/start/")
    assert code_of(answer) == (502, "accounts.provider")


async def test_without_a_provider_there_is_nothing_to_begin(company: Any) -> None:
    answer = await client_at(company.service).get(f"/api/auth/single-sign-on/{company.tenant_id}/start/")
    assert code_of(answer) == (404, "accounts.single_sign_on_not_found")
    assert (await company.api().delete("/api/single-sign-on/")).status_code == 404


# ---- from the command line


async def test_the_command_sets_shows_and_removes_the_provider(
    service: Service, company: Any, provider: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(service) as url:
        who = ["--url", url, "--api-key", company.secrets["owner"]]

        async def run(*command: str, typed: str = "") -> tuple[int, str, str]:
            monkeypatch.setattr("sys.stdin", io.StringIO(typed))
            code = await asyncio.to_thread(main, ["sso", *command, *who])
            said = capsys.readouterr()
            return code, said.out, said.err

        code, _, error = await run("show")
        assert (code != 0, "identity provider" in error) == (True, True)
        change = ("set", provider, "dragoman", "--name", "ACME", "--create-users", "--default-role", "agent")
        domains = ("--allow-domain", "tavelund.example", "--allow-domain", "@Example.com")
        code, out, error = await run(*change, *domains, "--secret-stdin", typed=f"{CLIENT_SECRET}\n")
        assert (code, CLIENT_SECRET in out + error) == (0, False)
        code, out, _ = await run("show", "--json")
        shown = json.loads(out)
        assert (shown["issuer"], shown["client_id"], shown["name"]) == (provider, "dragoman", "ACME")
        assert (shown["has_client_secret"], shown["creates_users"], shown["default_role"]) == (True, True, "agent")
        assert shown["allowed_domains"] == ["tavelund.example", "example.com"]

        code, out, error = await run(*change)  # the secret of the same client stays
        assert (code, "stored" in out, "--allow-domain" in error) == (0, True, True)
        stored = await rows(company, "select sealed_client_secret from single_sign_on")
        assert stored[0][0] is not None
        assert CLIENT_SECRET not in stored[0][0]

        assert (await run("set", "http://login.example.com", "dragoman"))[0] != 0  # no https
        assert (await run("remove"))[0] == 0
        assert (await run("show"))[0] != 0
    assert len(await audited(company, "single_sign_on.set")) == 2
    assert len(await audited(company, "single_sign_on.removed")) == 1
