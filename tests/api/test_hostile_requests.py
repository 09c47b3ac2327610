"""Whatever stands in a header, a token, a cookie, a cursor or a filter: an answer, never a server error, and no way in.

Through the application, so that all doors are asked: FastAPI's, the short way of searches, and the OpenAI API.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from .conftest import Service
from .signing_in import Person, add_person, client_at

_few = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
_HEADER_BYTES = st.binary(max_size=60).filter(lambda value: not set(value) & set(b"\r\n\0"))
_SCHEMES = st.sampled_from(
    [b"Bearer ", b"bearer ", b"BEARER\t", b"Bearer", b"Basic ", b"Digest ", b"", b"Bearer Bearer "]
)
_FORMS = st.sampled_from([b"", b"dgm_", b"dgv_", b"dgr_", b"dgl_", b"dgm_a.b.c", b"eyJ.eyJ.", b"...", b".."])
_DOORS = (("GET", "/api/chatbots/", None), ("POST", "/api/search", {"query": "lamp"}))


@pytest.fixture(scope="module")
async def person(make_company: Any) -> Person:
    return await add_person(await make_company())


async def _asked(
    service: Service,
    headers: list[tuple[bytes, bytes]],
    *,
    method: str = "GET",
    path: str = "/api/chatbots/",
    body: Any = None,
) -> httpx.Response:
    """The answer to a request with exactly these headers, some perhaps twice."""
    client = client_at(service, "127.0.0.1")  # this machine itself, whose requests are not counted
    answer = await client.request(method, path, json=body, headers=httpx.Headers(headers))
    assert answer.status_code < 500, f"{method} {path} {headers}: {answer.text}"
    return answer


async def _statuses(service: Service, headers: list[tuple[bytes, bytes]]) -> set[int]:
    """What the doors say; they must agree."""
    found = {
        (await _asked(service, headers, method=method, path=path, body=body)).status_code
        for method, path, body in _DOORS
    }
    assert len(found) == 1, f"the doors differ: {headers} {found}"
    return found


# ---- keys and tokens


@_few
@given(_SCHEMES, _FORMS, _HEADER_BYTES, st.sampled_from([b"authorization", b"x-api-key"]))
@example(b"Bearer ", b"dgm_", "é".encode(), b"authorization")
@example(b"", b"dgm_", b"\xff", b"x-api-key")
async def test_what_is_no_key_opens_nothing(service: Any, scheme: bytes, form: bytes, rest: bytes, name: bytes) -> None:
    assert await _statuses(service, [(name, scheme + form + rest)]) == {401}


@_few
@given(_HEADER_BYTES, st.booleans())
async def test_of_two_keys_in_one_request_the_first_counts(
    service: Any, company: Any, rest: bytes, first: bool
) -> None:
    right = company.secrets["owner"].encode()
    assume(rest.strip() not in (b"", right))
    for name, value in ((b"x-api-key", right), (b"authorization", b"Bearer " + right)):
        headers = [(name, value), (name, rest)]
        assert await _statuses(service, headers if first else headers[::-1]) == ({200} if first else {401})


@_few
@given(st.integers(0, 2), st.integers(0, 10_000), st.integers(0, 7))
async def test_no_bit_of_an_access_token_can_be_changed(
    service: Any, person: Person, part: int, place: int, bit: int
) -> None:
    parts = person.tokens["access_token"].split(".")
    content = bytearray(base64.urlsafe_b64decode(parts[part] + "=="))
    content[place % len(content)] ^= 1 << bit
    parts[part] = base64.urlsafe_b64encode(bytes(content)).decode().rstrip("=")
    assert await _statuses(service, [(b"authorization", f"Bearer {'.'.join(parts)}".encode())]) == {401}


@_few
@given(st.integers(0, 2000))
async def test_a_part_of_an_access_token_is_none(service: Any, person: Person, length: int) -> None:
    token = person.tokens["access_token"]
    cut = token[: length % len(token)]
    assert await _statuses(service, [(b"authorization", f"Bearer {cut}".encode())]) == {401}


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@_few
@given(
    st.sampled_from(["none", "None", "HS256", "HS512", "RS256", "PS256", "ES384", "EdDSA", "ES256"]) | _JSON,
    st.dictionaries(
        st.sampled_from(["typ", "kid", "jwk", "jku", "x5u", "crit", "b64", "zip", "enc"]), _JSON, max_size=3
    ),
    st.dictionaries(st.sampled_from(["iss", "aud", "sub", "tid", "sid", "exp", "iat", "nbf"]), _JSON, max_size=4),
)
@example(algorithm="ES256", header={"crit": None}, claims={})
@example(algorithm="ES256", header={"crit": [{}]}, claims={})
async def test_a_token_of_ones_own_making_is_refused(
    service: Any, person: Person, algorithm: Any, header: dict[str, Any], claims: dict[str, Any]
) -> None:
    """Ours in all but what was changed, and signed with what anybody knows: the public key, or nothing."""
    first, second, signature = person.tokens["access_token"].split(".")
    made = {**_opened(first), **header, "alg": algorithm}
    said = {**_opened(second), **claims}
    assume((made, said) != (_opened(first), _opened(second)))
    content = f"{_packed(made)}.{_packed(said)}"
    public = (await client_at(service).get("/.well-known/jwks.json")).content
    mac = base64.urlsafe_b64encode(hmac.digest(public, content.encode(), hashlib.sha256)).decode().rstrip("=")
    for proof in ("", signature, mac):
        assert await _statuses(service, [(b"authorization", f"Bearer {content}.{proof}".encode())]) == {401}


def _opened(part: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=="))
    return value


def _packed(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@_few
@given(st.sampled_from(["refresh", "sign-out"]), st.sampled_from(["", "dgr_", "dgl_"]), st.text(max_size=70))
async def test_what_is_no_refresh_token_is_refused(service: Any, path: str, prefix: str, rest: str) -> None:
    body = json.dumps({"refresh_token": prefix + rest}).encode()
    answer = await client_at(service).post(f"/api/auth/{path}/", content=body)
    assert answer.status_code in (401, 422), answer.text


@_few
@given(st.text(max_size=70), st.text(max_size=20), st.text(max_size=20))
@example("dgl_" + "A" * 64, "\ud800", "\0")
async def test_what_is_no_link_is_refused(service: Any, rest: str, password: str, name: str) -> None:
    body = json.dumps({"token": f"dgl_{rest}", "password": password, "display_name": name}).encode()
    answer = await client_at(service).post("/api/auth/set-password/", content=body)
    assert answer.status_code in (410, 422), answer.text


@_few
@given(st.text(max_size=40), st.text(min_size=1, max_size=10))
@example("\ud800@example.com", "\ud800")
@example("a\0@example.com", "\0")
async def test_whoever_signs_in_with_whatever_is_refused(service: Any, email: str, password: str) -> None:
    body = json.dumps({"email": email, "password": password}).encode()
    answer = await client_at(service).post("/api/auth/sign-in/", content=body)
    assert answer.status_code in (401, 422), answer.text


# ---- cookies


@_few
@given(_HEADER_BYTES.filter(lambda value: b"dragoman_access" not in value), st.booleans())
@example(b'theme={"dark":true}', True)
@example(b"a[b]=1; @x", True)
@example(b"=;;=", False)
async def test_cookies_of_others_do_not_hide_ours(service: Any, person: Person, other: bytes, before: bool) -> None:
    own = f"dragoman_access={person.tokens['access_token']}".encode()
    cookie = other + b"; " + own if before else own + b"; " + other
    assert (await _asked(service, [(b"cookie", cookie)])).status_code == 200


@_few
@given(_HEADER_BYTES)
async def test_whatever_a_cookie_holds_it_opens_nothing(service: Any, value: bytes) -> None:
    own_page = (b"sec-fetch-site", b"same-origin")
    held = b"; ".join(b"dragoman_" + name + b"=" + value for name in (b"access", b"refresh", b"device", b"state"))
    assert await _statuses(service, [(b"cookie", held), own_page]) == {401}
    refreshed = await _asked(service, [(b"cookie", held), own_page], method="POST", path="/api/auth/refresh/")
    assert refreshed.status_code in (401, 422)


@_few
@given(st.text(max_size=30), st.text(max_size=30))
@example("é", "é")
async def test_whoever_comes_back_to_single_sign_on_unasked_is_refused(service: Any, state: str, code: str) -> None:
    query = urlencode({"state": state, "code": code}, errors="surrogatepass")
    answer = await _asked(
        service, [(b"cookie", b"dragoman_state=x")], path=f"/api/auth/single-sign-on/callback/?{query}"
    )
    assert answer.status_code in (403, 422), answer.text


# ---- where a request comes from


@_few
@given(
    _HEADER_BYTES
    | st.sampled_from([b"null", b"https://*", b"https://a.example:99999", b"https://a.example,https://b.example"])
)
async def test_no_origin_but_that_of_the_page_gets_a_visitor_in(service: Any, company: Any, origin: bytes) -> None:
    assume(origin.strip().lower() != b"https://shop.example")
    key = await company.api().post(
        f"/api/chatbots/{company.chatbot_id}/widget-keys/", json={"name": "w", "origins": ["https://shop.example"]}
    )
    body = {"key": key.json()["public_key"]}
    admitted = await _asked(service, [(b"origin", origin)], method="POST", path="/api/widget/tokens/", body=body)
    assert admitted.status_code == 403
    assert "access-control-allow-origin" not in admitted.headers
    own = await _asked(
        service, [(b"origin", b"https://shop.example")], method="POST", path="/api/widget/tokens/", body=body
    )
    visitor = (b"authorization", f"Bearer {own.json()['token']}".encode())
    asked = await _asked(
        service, [visitor, (b"origin", origin)], method="POST", path="/api/search", body={"query": "lamp"}
    )
    assert asked.status_code == 403


@_few
@given(
    st.lists(_HEADER_BYTES, min_size=1, max_size=3),
    st.sampled_from(
        [
            b"x-forwarded-for",
            b"forwarded",
            b"traceparent",
            b"tracestate",
            b"x-request-id",
            b"range",
            b"if-none-match",
            b"accept",
            b"content-type",
            b"accept-language",
            b"last-event-id",
            b"host",
        ]
    ),
)
async def test_headers_that_are_only_read_break_nothing(
    service: Any, company: Any, values: list[bytes], name: bytes
) -> None:
    key = (b"x-api-key", company.secrets["owner"].encode())
    for method, path, body in _DOORS:
        await _asked(service, [key, *((name, value) for value in values)], method=method, path=path, body=body)


@pytest.fixture(scope="module")
async def read(make_company: Any) -> tuple[Any, dict[str, Any]]:
    company = await make_company()
    return company, await company.know()


@_few
@given(
    st.one_of(
        st.builds(lambda first, last: f"bytes={first}-{last}".encode(), st.integers(-5, 9999), st.integers(-5, 10**30)),
        st.lists(st.integers(0, 400), max_size=40).map(lambda x: b"bytes=" + b",".join(b"%d-" % each for each in x)),
        _HEADER_BYTES.map(lambda value: b"bytes=" + value),
    )
)
async def test_a_range_gives_a_part_of_the_file_or_the_whole(service: Any, read: Any, value: bytes) -> None:
    company, document = read
    headers = [(b"x-api-key", company.secrets["owner"].encode()), (b"range", value)]
    whole = await _asked(service, headers[:1], path=f"/api/chatbot/documents/{document['id']}/content/")
    part = await _asked(service, headers, path=f"/api/chatbot/documents/{document['id']}/content/")
    assert part.status_code in (200, 206, 400, 416)
    if part.status_code == 200:
        assert part.content == whole.content


# ---- filters, pages and cursors


@_few
@given(st.text(max_size=60) | st.text('tagdelnu:,"-<>=. \\2025', max_size=40))
@example('tag:"\0"')
@example("date>=0001-01-01T00:00:00+14:00")
@example("date<9999-12-31T23:59:59-14:00")
async def test_a_filter_is_understood_or_refused(service: Any, company: Any, text: str) -> None:
    client = company.api()
    for answer in (
        await client.get(
            f"/api/search/hybrid/{company.chatbot_id}?q=lamp&filter={quote(text.encode('utf-8', 'surrogatepass'))}"
        ),
        await client.post("/api/search", content=json.dumps({"query": "lamp", "filter": text}).encode()),
    ):
        assert answer.status_code in (200, 422), answer.text


@_few
@given(_JSON)
async def test_a_filter_in_json_is_understood_or_refused(service: Any, company: Any, value: Any) -> None:
    answer = await company.api().post("/api/search", content=json.dumps({"query": "lamp", "filter": value}).encode())
    assert answer.status_code in (200, 422), answer.text


@_few
@given(
    st.text(max_size=64) | st.binary(max_size=20).map(lambda raw: base64.urlsafe_b64encode(raw).decode().rstrip("="))
)
async def test_a_cursor_is_ours_or_refused(service: Any, company: Any, cursor: str) -> None:
    address = f"/api/audit/?cursor={quote(cursor.encode('utf-8', 'surrogatepass'))}"
    assert (await company.api().get(address)).status_code in (200, 422)


@_few
@given(
    st.integers(-(10**20), 10**20) | st.text(max_size=8),
    st.integers(-(10**20), 10**20) | st.text(max_size=8),
    st.sampled_from(
        ["/api/chatbots/", "/api/keys/", "/api/users/", "/api/chatbot/documents/", "/api/chatbot/sessions/"]
    ),
)
async def test_a_page_is_there_or_refused(service: Any, company: Any, limit: Any, offset: Any, path: str) -> None:
    query = urlencode({"limit": limit, "offset": offset}, errors="surrogatepass")
    assert (await company.api().get(f"{path}?{query}")).status_code in (200, 422)
